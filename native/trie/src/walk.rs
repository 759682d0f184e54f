//! Walks over a trie in key order, and over two tries at once.

use crate::node::{bit, shared_bits, Branch, Edge, Key, Leaf, Node, KEY_BITS};
use crate::trie::Trie;

/// The entries of a trie from some key on, in key order. Holds at most one node a level.
#[derive(Debug)]
pub struct Entries<'a> {
    pending: Vec<&'a Node>,
}

impl Iterator for Entries<'_> {
    type Item = Leaf;

    fn next(&mut self) -> Option<Leaf> {
        loop {
            match self.pending.pop()? {
                Node::Leaf(leaf) => return Some(leaf.clone()),
                Node::Branch(branch) => {
                    let [left, right] = &branch.edges;
                    self.pending.push(&right.node);
                    self.pending.push(&left.node);
                }
            }
        }
    }
}

impl Trie {
    /// All entries whose key is `start` or a later one.
    pub fn entries_from(&self, start: &Key) -> Entries<'_> {
        let mut pending = Vec::new();
        let Some(root) = &self.root else {
            return Entries { pending };
        };
        let parting = shared_bits(root.node.nearest_leaf(start).key(), start);
        let mut node = &root.node;
        while let Node::Branch(branch) = node {
            let from = usize::from(branch.bit);
            if from > parting {
                break;
            }
            let side = bit(start, from);
            if side == 0 {
                pending.push(&branch.edges[1].node);
            }
            node = &branch.edges[side].node;
        }
        // All keys below agree with `start` before the parting bit and differ from it there.
        if parting == KEY_BITS || bit(start, parting) == 0 {
            pending.push(node);
        }
        Entries { pending }
    }

    /// The keys whose values differ between two tries, or that only one of them has, in key order.
    ///
    /// Sub-tries of equal hash are not entered, so the cost follows the difference.
    pub fn changed_keys(&self, other: &Trie) -> Vec<Key> {
        let mut keys = Vec::new();
        match (&self.root, &other.root) {
            (Some(a), Some(b)) => differences(a, b, &mut keys),
            (Some(edge), None) | (None, Some(edge)) => collect(&edge.node, &mut keys),
            (None, None) => {}
        }
        keys
    }
}

fn collect(node: &Node, keys: &mut Vec<Key>) {
    let pending = vec![node];
    keys.extend(Entries { pending }.map(|leaf| *leaf.key()));
}

fn differences(a: &Edge, b: &Edge, keys: &mut Vec<Key>) {
    // Equal hashes mean equal entries even where the links start at different depths.
    if a.hash == b.hash {
        return;
    }
    let (key_a, key_b) = (a.node.first_leaf().key(), b.node.first_leaf().key());
    let shared = shared_bits(key_a, key_b);
    if shared < a.node.bit().min(b.node.bit()) {
        let [first, second] = match bit(key_a, shared) {
            0 => [a, b],
            _ => [b, a],
        };
        collect(&first.node, keys);
        collect(&second.node, keys);
        return;
    }
    match (&a.node, &b.node) {
        (Node::Branch(x), Node::Branch(y)) if x.bit == y.bit => {
            differences(&x.edges[0], &y.edges[0], keys);
            differences(&x.edges[1], &y.edges[1], keys);
        }
        (Node::Branch(x), _) if usize::from(x.bit) < b.node.bit() => one_sided(x, b, keys),
        (_, Node::Branch(y)) => one_sided(y, a, keys),
        (_, Node::Leaf(leaf)) => keys.push(*leaf.key()),
    }
}

/// Differences between a branch and a sub-trie that lies wholly on one of its sides.
fn one_sided(branch: &Branch, other: &Edge, keys: &mut Vec<Key>) {
    let [left, right] = &branch.edges;
    match bit(other.node.first_leaf().key(), usize::from(branch.bit)) {
        0 => {
            differences(left, other, keys);
            collect(&right.node, keys);
        }
        _ => {
            collect(&left.node, keys);
            differences(right, other, keys);
        }
    }
}
