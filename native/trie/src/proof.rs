//! The nodes between a root and a key, as whoever knows the root alone can check them.

use crate::hash::{branch_node, regular_leaf_node, whole_leaf_node, ZERO_HASH};
use crate::node::{bit, shared_bits, Key, Node};
use crate::source::SourceError;
use crate::trie::Trie;

impl Trie {
    /// The nodes from the root towards `key` (functions B and L of appendix D), one after the other.
    /// The last one is the key's leaf, the leaf of another key, or a branch that has nothing on the
    /// key's side; there is none in an empty trie.
    pub fn path(&self, key: &Key) -> Result<Vec<u8>, SourceError> {
        let mut nodes = Vec::new();
        let Some(mut edge) = self.root.clone() else {
            return Ok(nodes);
        };
        let mut top = 0;
        loop {
            match &edge.node {
                Node::Leaf(leaf, _) => nodes.extend(whole_leaf_node(leaf)),
                Node::StoredLeaf(leaf) => {
                    nodes.extend(regular_leaf_node(&leaf.key, &leaf.value_hash));
                }
                Node::Branch(_) | Node::Near { .. } | Node::Far(_) => {}
            }
            let Some(branch) = edge.branch(self.reader())? else {
                return Ok(nodes);
            };
            let below = edge.node.first_key();
            let own = usize::from(branch.bit);
            let parting = shared_bits(&below, key);
            let mut run = Vec::new();
            let mut hash = branch.hash();
            for depth in (top..own).rev() {
                let node = match bit(&below, depth) {
                    0 => branch_node(&hash, &ZERO_HASH),
                    _ => branch_node(&ZERO_HASH, &hash),
                };
                hash = crate::hash::blake2b(&node);
                if depth <= parting {
                    run.push(node);
                }
            }
            nodes.extend(run.iter().rev().flatten());
            if parting < own {
                return Ok(nodes);
            }
            nodes.extend(branch_node(&branch.edges[0].hash, &branch.edges[1].hash));
            edge = branch.edges[bit(key, own)].clone();
            top = own + 1;
        }
    }
}
