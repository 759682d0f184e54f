//! The nodes of a trie and the links between them.

use std::sync::Arc;

use crate::hash::{blake2b, branch_hash, lift, Hash, EMBEDDED_MAX};
use crate::source::{Reader, SourceError};

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

    /// The key and the value behind it.
    pub(crate) fn entry(&self) -> &[u8] {
        &self.0
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
    /// The generation of the trie that this branch was made for.
    pub birth: u32,
    pub bit: u8,
}

/// A branch that lies in the source, not in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredBranch {
    /// Hash of the branch at its own bit.
    pub hash: Hash,
    /// Any key below; only what precedes `bit` counts.
    pub key: Key,
    pub bit: u8,
}

/// An entry whose value lies in the source, not in memory.
#[derive(Debug)]
pub(crate) struct StoredLeaf {
    pub key: Key,
    pub value_hash: Hash,
    pub value_len: u32,
}

/// A node: in memory, or a reference to one in the source.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Branch(Arc<Branch>),
    Leaf(Leaf, u32),
    /// A stored branch at the depth where its link starts, so that the link has its hash, and with few
    /// bits before it. Most are of this kind: tries above the base consist of little else.
    Near {
        bit: u8,
        prefix: [u8; NEAR_BYTES],
    },
    /// Any other stored branch.
    Far(Arc<StoredBranch>),
    StoredLeaf(Arc<StoredLeaf>),
}

/// Octets of a key that fit in a node beside its kind and a bit.
const NEAR_BYTES: usize = 22;

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
            Node::Near { bit, .. } => usize::from(*bit),
            Node::Far(branch) => usize::from(branch.bit),
            Node::Leaf(..) | Node::StoredLeaf(_) => KEY_BITS,
        }
    }

    /// Whether keys part here.
    pub fn is_branch(&self) -> bool {
        matches!(self, Node::Branch(_) | Node::Near { .. } | Node::Far(_))
    }

    /// Bytes of the value of a leaf; none for a branch.
    pub fn value_len(&self) -> usize {
        match self {
            Node::Branch(_) | Node::Near { .. } | Node::Far(_) => 0,
            Node::Leaf(leaf, _) => leaf.value().len(),
            Node::StoredLeaf(leaf) => leaf.value_len as usize,
        }
    }

    /// Some key below this node as far as [`Node::bit`]: any key below agrees with it before that.
    pub fn first_key(&self) -> Key {
        let mut node = self;
        loop {
            match node {
                Node::Branch(branch) => node = &branch.edges[0].node,
                Node::Leaf(leaf, _) => return *leaf.key(),
                Node::Near { prefix, .. } => {
                    let mut key = [0; KEY_BYTES];
                    key[..NEAR_BYTES].copy_from_slice(prefix);
                    return key;
                }
                Node::Far(branch) => return branch.key,
                Node::StoredLeaf(leaf) => return leaf.key,
            }
        }
    }

    /// The same as [`Node::first_key`], by the way that a key leads: to who goes there next it costs
    /// nothing, while what lies beside that is seldom in the processor's cache.
    pub fn key_towards(&self, key: &Key) -> Key {
        let mut node = self;
        while let Node::Branch(branch) = node {
            node = &branch.edges[bit(key, usize::from(branch.bit))].node;
        }
        node.first_key()
    }
}

impl Branch {
    /// Hash at the branch's own bit.
    pub fn hash(&self) -> Hash {
        branch_hash(&self.edges[0].hash, &self.edges[1].hash)
    }
}

impl Edge {
    /// A link to an entry in memory.
    pub fn to_leaf(leaf: Leaf, hash: Hash, birth: u32) -> Edge {
        let node = Node::Leaf(leaf, birth);
        Edge { hash, node }
    }

    /// A link from depth `top` to a branch in memory that has `own` as its hash at its own bit.
    fn to_branch(branch: Arc<Branch>, own: Hash, top: usize) -> Edge {
        let node = Node::Branch(branch);
        let hash = match node.bit() {
            from if from > top => lift(own, &node.first_key(), from, top),
            _ => own,
        };
        Edge { hash, node }
    }

    /// A link from depth `top` to a stored branch.
    pub fn to_stored(stored: StoredBranch, top: usize) -> Edge {
        let StoredBranch { hash, key, bit } = stored;
        let from = usize::from(bit);
        if from == top && from <= NEAR_BYTES * 8 {
            let mut prefix = [0; NEAR_BYTES];
            prefix.copy_from_slice(&key[..NEAR_BYTES]);
            let node = Node::Near { bit, prefix };
            return Edge { hash, node };
        }
        let hash = lift(hash, &key, from, top);
        let node = Node::Far(Arc::new(stored));
        Edge { hash, node }
    }

    /// A link to a stored entry, from any depth; `hash` is that of its leaf.
    pub fn to_stored_leaf(key: Key, value_len: usize, value_hash: Hash, hash: Hash) -> Edge {
        let stored = StoredLeaf {
            key,
            value_hash,
            value_len: value_len as u32,
        };
        let node = Node::StoredLeaf(Arc::new(stored));
        Edge { hash, node }
    }

    /// The stored branch that this links to.
    pub fn stored(&self) -> Option<StoredBranch> {
        match &self.node {
            Node::Near { bit, .. } => Some(StoredBranch {
                hash: self.hash,
                key: self.node.first_key(),
                bit: *bit,
            }),
            Node::Far(stored) => Some(**stored),
            Node::Branch(_) | Node::Leaf(..) | Node::StoredLeaf(_) => None,
        }
    }

    /// The branch that this links to, fetched where it is stored; `None` for a leaf.
    pub fn branch(&self, reader: Reader<'_>) -> Result<Option<Arc<Branch>>, SourceError> {
        match &self.node {
            Node::Branch(branch) => Ok(Some(Arc::clone(branch))),
            _ => self
                .stored()
                .map(|stored| reader.branch(&stored))
                .transpose(),
        }
    }

    /// A link from depth `top` to what remains of two sides that part at bit `from`, each linked
    /// from depth `from + 1`.
    pub fn join(sides: [Option<Edge>; 2], from: usize, top: usize, birth: u32) -> Option<Edge> {
        match sides {
            [Some(left), Some(right)] => {
                let bit = u8::try_from(from).expect("a bit of a key is below 248");
                let edges = [left, right];
                let branch = Branch { edges, birth, bit };
                let own = branch.hash();
                Some(Edge::to_branch(Arc::new(branch), own, top))
            }
            [Some(edge), None] | [None, Some(edge)] => Some(edge.moved(top)),
            [None, None] => None,
        }
    }

    /// The same sub-trie linked from depth `top`.
    pub fn moved(self, top: usize) -> Edge {
        if let Some(stored) = self.stored() {
            return Edge::to_stored(stored, top);
        }
        match self.node {
            Node::Branch(branch) => {
                let own = branch.hash();
                Edge::to_branch(branch, own, top)
            }
            _ => self,
        }
    }

    /// Hash of the node at its own bit, for a link from depth `top`.
    pub fn own_hash(&self, top: usize) -> Hash {
        match &self.node {
            Node::Far(branch) => branch.hash,
            Node::Branch(branch) if usize::from(branch.bit) > top => branch.hash(),
            _ => self.hash,
        }
    }

    /// The same sub-trie as a reference, if the source holds it: its nodes are of the base's
    /// generation or older ones. Small values stay, they take no more than a reference. `key` leads to
    /// what stands beside it.
    pub fn shed(&self, top: usize, base: Option<u32>, key: &Key) -> Edge {
        let Some(base) = base else {
            return self.clone();
        };
        match &self.node {
            Node::Branch(branch) if branch.birth <= base => {
                let key = match usize::from(branch.bit) == top {
                    true => turned(*key, top - 1),
                    false => self.node.first_key(),
                };
                let stored = StoredBranch {
                    hash: self.own_hash(top),
                    key,
                    bit: branch.bit,
                };
                Edge::to_stored(stored, top)
            }
            Node::Leaf(leaf, birth) if *birth <= base && leaf.value().len() > EMBEDDED_MAX => {
                let (value, key) = (leaf.value(), *leaf.key());
                Edge::to_stored_leaf(key, value.len(), blake2b(value), self.hash)
            }
            _ => self.clone(),
        }
    }
}

/// Bit `index` of `key`, most significant first, as an index of a side.
pub(crate) fn bit(key: &Key, index: usize) -> usize {
    usize::from(key[index / 8] >> (7 - index % 8) & 1)
}

/// The key with another bit at `index`.
pub(crate) fn turned(mut key: Key, index: usize) -> Key {
    key[index / 8] ^= 0x80 >> (index % 8);
    key
}

/// Number of leading bits that two keys share.
pub(crate) fn shared_bits(a: &Key, b: &Key) -> usize {
    match a.iter().zip(b).position(|(x, y)| x != y) {
        Some(index) => index * 8 + (a[index] ^ b[index]).leading_zeros() as usize,
        None => KEY_BITS,
    }
}

/// The first `bits` bits of a key, the others zero.
pub(crate) fn cut(key: &Key, bits: usize) -> Key {
    let mut out = [0; KEY_BYTES];
    let (whole, rest) = (bits / 8, bits % 8);
    out[..whole].copy_from_slice(&key[..whole]);
    if rest > 0 {
        out[whole] = key[whole] & !(0xff >> rest);
    }
    out
}
