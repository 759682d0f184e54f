//! Records of a page: the entries and the links to other pages that hang from its branches.

use std::sync::Arc;

use crate::hash::{blake2b, entry_hash, regular_leaf_hash, Hash, EMBEDDED_MAX};
use crate::node::{cut, Edge, Key, Leaf, Node, StoredBranch, StoredLeaf, KEY_BITS, KEY_BYTES};

/// Values up to this length stand in the page of their entry, if few entries hang from that; each
/// other one is a row of its own.
pub(crate) const INLINE_MAX: usize = 512;

const LINK: u8 = 0xb0;
const FAR: u8 = 0xc0;
const INLINE: u8 = 0xd0;

/// A record, as it stands in the bytes of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record<'a> {
    /// A branch of another page, by its hash at its own bit and the bits of all its keys before that.
    Link {
        hash: &'a Hash,
        bit: u8,
        prefix: &'a [u8],
    },
    /// An entry whose value is a row of its own.
    Far {
        key: &'a Key,
        value_len: u32,
        value_hash: &'a Hash,
    },
    /// A key, and the value behind it.
    Entry(&'a [u8]),
}

impl<'a> Record<'a> {
    /// The record at the start of some bytes.
    pub fn read(bytes: &'a [u8]) -> Option<Record<'a>> {
        let (&kind, rest) = bytes.split_first()?;
        match kind {
            LINK => {
                let (&bit, rest) = rest.split_first()?;
                let (hash, rest) = rest.split_first_chunk::<32>()?;
                let prefix = rest.get(..usize::from(bit).div_ceil(8))?;
                let whole = usize::from(bit) < KEY_BITS && ends_at(prefix, usize::from(bit));
                whole.then_some(Record::Link { hash, bit, prefix })
            }
            FAR => {
                let (key, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
                let (value_len, rest) = rest.split_first_chunk::<4>()?;
                let (value_hash, _) = rest.split_first_chunk::<32>()?;
                let value_len = u32::from_le_bytes(*value_len);
                Some(Record::Far {
                    key,
                    value_len,
                    value_hash,
                })
            }
            INLINE => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                let length = usize::from(u16::from_le_bytes(*length));
                let entry = rest.get(..KEY_BYTES + length)?;
                let fits = (EMBEDDED_MAX + 1..=INLINE_MAX).contains(&length);
                fits.then_some(Record::Entry(entry))
            }
            length if usize::from(length) <= EMBEDDED_MAX => rest
                .get(..KEY_BYTES + usize::from(length))
                .map(Record::Entry),
            _ => None,
        }
    }

    /// Whether it stands for a branch.
    pub fn is_link(&self) -> bool {
        matches!(self, Record::Link { .. })
    }

    /// Whether it stands for an entry whose value is a row of its own.
    pub fn is_far(&self) -> bool {
        matches!(self, Record::Far { .. })
    }

    /// Whether it can stand as it is in a page where values that are not large are to be `near`.
    pub fn stands(&self, near: bool) -> bool {
        match self {
            Record::Link { .. } => true,
            Record::Far { value_len, .. } => !near || *value_len as usize > INLINE_MAX,
            Record::Entry(entry) => near || entry.len() <= KEY_BYTES + EMBEDDED_MAX,
        }
    }

    /// Bytes of the entry's value; none for a link.
    pub fn value_len(&self) -> usize {
        match self {
            Record::Link { .. } => 0,
            Record::Far { value_len, .. } => *value_len as usize,
            Record::Entry(entry) => entry.len() - KEY_BYTES,
        }
    }

    /// Whether it is the entry of a leaf with this hash.
    pub fn is(&self, leaf: &Leaf, hash: &Hash) -> bool {
        match self {
            Record::Link { .. } => false,
            Record::Far { .. } => self.own_hash() == *hash,
            Record::Entry(entry) => *entry == leaf.entry(),
        }
    }

    /// The bit at which the keys below part; for an entry the end of its key.
    pub fn bit(&self) -> usize {
        match self {
            Record::Link { bit, .. } => usize::from(*bit),
            Record::Far { .. } | Record::Entry(_) => KEY_BITS,
        }
    }

    /// The key of the entry; of a link what precedes its bit, with zeros behind.
    pub fn first_key(&self) -> Key {
        match self {
            Record::Link { prefix, .. } => {
                let mut key = [0; KEY_BYTES];
                key[..prefix.len()].copy_from_slice(prefix);
                key
            }
            Record::Far { key, .. } => **key,
            Record::Entry(entry) => *entry.first_chunk().expect("read with a whole key"),
        }
    }

    /// The branch that it stands for.
    pub fn link(&self) -> Option<StoredBranch> {
        match *self {
            Record::Link { hash, bit, .. } => Some(StoredBranch {
                hash: *hash,
                key: self.first_key(),
                bit,
            }),
            Record::Far { .. } | Record::Entry(_) => None,
        }
    }

    /// The entry that it stands for, as a node in memory.
    pub fn entry(&self) -> Option<Node> {
        match *self {
            Record::Link { .. } => None,
            Record::Far {
                key,
                value_len,
                value_hash,
            } => Some(Node::StoredLeaf(Arc::new(StoredLeaf {
                key: *key,
                value_hash: *value_hash,
                value_len,
            }))),
            Record::Entry(entry) => Leaf::from_bytes(entry).map(|leaf| Node::Leaf(leaf, 0)),
        }
    }

    /// A link from depth `top` to what it stands for.
    pub fn edge(&self, top: usize) -> Edge {
        match (self.link(), self.entry()) {
            (Some(link), _) => Edge::to_stored(link, top),
            (_, Some(node)) => {
                let hash = self.own_hash();
                Edge { hash, node }
            }
            (None, None) => unreachable!("a record is one or the other"),
        }
    }

    /// Key and value of an entry that takes more memory than a reference to it.
    pub fn heavy(&self) -> Option<(&'a Key, &'a [u8])> {
        match *self {
            Record::Entry(entry) if entry.len() > KEY_BYTES + EMBEDDED_MAX => {
                entry.split_first_chunk()
            }
            _ => None,
        }
    }

    /// The same with a reference in place of a value. Small values stay, they take no more than that.
    pub fn reference(&self, top: usize) -> Edge {
        match self.heavy() {
            Some((key, value)) => {
                let value_hash = blake2b(value);
                let hash = regular_leaf_hash(key, &value_hash);
                Edge::to_stored_leaf(*key, value.len(), value_hash, hash)
            }
            None => self.edge(top),
        }
    }

    /// Writes it once more.
    pub fn append(&self, records: &mut Vec<u8>) {
        match *self {
            Record::Link { hash, bit, prefix } => {
                records.extend_from_slice(&[LINK, bit]);
                records.extend_from_slice(hash);
                records.extend_from_slice(prefix);
            }
            Record::Far {
                key,
                value_len,
                value_hash,
            } => {
                records.push(FAR);
                records.extend_from_slice(key);
                records.extend_from_slice(&value_len.to_le_bytes());
                records.extend_from_slice(value_hash);
            }
            Record::Entry(entry) => {
                let length = entry.len() - KEY_BYTES;
                if length <= EMBEDDED_MAX {
                    records.push(length as u8);
                } else {
                    records.push(INLINE);
                    records.extend_from_slice(&(length as u16).to_le_bytes());
                }
                records.extend_from_slice(entry);
            }
        }
    }

    /// Hash of what it stands for: of a branch at its own bit, of an entry at any depth.
    pub fn own_hash(&self) -> Hash {
        match self {
            Record::Link { hash, .. } => **hash,
            Record::Far {
                key, value_hash, ..
            } => regular_leaf_hash(key, value_hash),
            Record::Entry(entry) => {
                let (key, value) = entry.split_first_chunk().expect("read with a whole key");
                entry_hash(key, value)
            }
        }
    }
}

/// Whether the bits of a prefix from `bits` on are zero.
fn ends_at(prefix: &[u8], bits: usize) -> bool {
    let over = prefix.len() * 8 - bits;
    prefix
        .last()
        .is_none_or(|last| last & ((1 << over) - 1) == 0)
}

/// Appends the record of an entry or of a link to a branch with this hash at its own bit; with `near`
/// a value stands in the record unless it is large.
pub(crate) fn append_record(records: &mut Vec<u8>, node: &Node, own: &Hash, near: bool) {
    match node {
        Node::Leaf(leaf, _) => {
            let entry = Record::Entry(leaf.entry());
            if leaf.value().len() <= INLINE_MAX && entry.stands(near) {
                return entry.append(records);
            }
            let far = Record::Far {
                key: leaf.key(),
                value_len: leaf.value().len() as u32,
                value_hash: &blake2b(leaf.value()),
            };
            far.append(records);
        }
        Node::StoredLeaf(leaf) => {
            let far = Record::Far {
                key: &leaf.key,
                value_len: leaf.value_len,
                value_hash: &leaf.value_hash,
            };
            far.append(records);
        }
        Node::Branch(_) | Node::Near { .. } | Node::Far(_) => {
            let key = cut(&node.first_key(), node.bit());
            let link = Record::Link {
                hash: own,
                bit: node.bit() as u8,
                prefix: &key[..node.bit().div_ceil(8)],
            };
            link.append(records);
        }
    }
}
