//! The nodes of a trie and the links between them.

use std::sync::Arc;

use crate::hash::{branch_hash, lift, Hash};

/// Length of a state key in bytes.
pub const KEY_BYTES: usize = 31;

/// Length of a state key in bits: the bound of every depth in this crate.
pub(crate) const KEY_BITS: usize = KEY_BYTES * 8;

/// A state key.
pub type Key = [u8; KEY_BYTES];

/// An entry, shared by all tries that hold it: the key and the value in one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf(Arc<[u8]>);

impl Leaf {
    /// Copies an entry from its key followed by its value; `None` when that is shorter than a key.
    pub fn from_bytes(entry: &[u8]) -> Option<Leaf> {
        (entry.len() >= KEY_BYTES).then(|| Leaf(Arc::from(entry)))
    }

    /// The key.
    pub fn key(&self) -> &Key {
        self.0
            .first_chunk()
            .expect("a leaf is made with a whole key")
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.0[KEY_BYTES..]
    }
}

/// A place where keys part: those on the left have a 0 at `bit`, those on the right a 1, and all
/// agree before it.
#[derive(Debug)]
pub(crate) struct Branch {
    pub edges: [Edge; 2],
    pub bit: u8,
}

/// A node, 16 bytes: a leaf's length lies where the compiler finds room for the variant.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Branch(Arc<Branch>),
    Leaf(Leaf),
}

/// A link to a sub-trie, with the hash that the sub-trie has at the depth where the link starts:
/// one more than its parent's bit, zero for a root. The hash of a leaf is the same at any depth.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub hash: Hash,
    pub node: Node,
}

impl Node {
    /// The bit at which the keys below part; for a leaf the end of its key.
    pub fn bit(&self) -> usize {
        match self {
            Node::Branch(branch) => usize::from(branch.bit),
            Node::Leaf(_) => KEY_BITS,
        }
    }

    /// A leaf below this node: any key below agrees with its key before [`Node::bit`].
    pub fn first_leaf(&self) -> &Leaf {
        let mut node = self;
        loop {
            match node {
                Node::Branch(branch) => node = &branch.edges[0].node,
                Node::Leaf(leaf) => return leaf,
            }
        }
    }

    /// The leaf that the bits of `key` lead to: the only one below that can have this key.
    pub fn nearest_leaf(&self, key: &Key) -> &Leaf {
        let mut node = self;
        loop {
            match node {
                Node::Branch(branch) => {
                    node = &branch.edges[bit(key, usize::from(branch.bit))].node;
                }
                Node::Leaf(leaf) => return leaf,
            }
        }
    }
}

impl Edge {
    /// A link from depth `top` to a branch.
    pub fn to_branch(branch: Arc<Branch>, top: usize) -> Edge {
        let from = usize::from(branch.bit);
        let hash = branch_hash(&branch.edges[0].hash, &branch.edges[1].hash);
        let node = Node::Branch(branch);
        let hash = if from > top {
            lift(hash, node.first_leaf().key(), from, top)
        } else {
            hash
        };
        Edge { hash, node }
    }

    /// A link from depth `top` to what remains of two sides that part at bit `from`, each linked
    /// from depth `from + 1`.
    pub fn join(sides: [Option<Edge>; 2], from: usize, top: usize) -> Option<Edge> {
        match sides {
            [Some(left), Some(right)] => {
                let bit = u8::try_from(from).expect("a bit of a key is below 248");
                let edges = [left, right];
                Some(Edge::to_branch(Arc::new(Branch { edges, bit }), top))
            }
            [Some(edge), None] | [None, Some(edge)] => Some(edge.moved(top)),
            [None, None] => None,
        }
    }

    /// The same sub-trie linked from depth `top`.
    pub fn moved(self, top: usize) -> Edge {
        match self.node {
            Node::Branch(branch) => Edge::to_branch(branch, top),
            Node::Leaf(_) => self,
        }
    }
}

/// Bit `index` of `key`, most significant first, as an index of a side.
pub(crate) fn bit(key: &Key, index: usize) -> usize {
    usize::from(key[index / 8] >> (7 - index % 8) & 1)
}

/// Number of leading bits that two keys share.
pub(crate) fn shared_bits(a: &Key, b: &Key) -> usize {
    match a.iter().zip(b).position(|(x, y)| x != y) {
        Some(index) => index * 8 + (a[index] ^ b[index]).leading_zeros() as usize,
        None => KEY_BITS,
    }
}
