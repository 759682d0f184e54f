//! Tries of which only a part is known: enough to look some keys up, and to change them.
//!
//! The encoding follows the paper's trie node by node, so the root is computed from what was sent,
//! and nothing in it is taken on trust: an empty side, a branch with its two sides, an entry, an
//! entry whose value is known by its hash alone, or the hash of a sub-trie that is not known.
//!
//! Of an unknown sub-trie nobody knows whether it is a branch or a leaf. That matters when what
//! stands beside it is removed: a leaf then moves up, a branch gets a branch of one child above it.
//! [`apply_partial`] refuses to guess, and [`Trie::partial`] shows one more node in these places.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::hash::{blake2b, leaf_hashes, regular_leaf_hash, EMBEDDED_MAX, ZERO_HASH};
use crate::node::{bit, shared_bits, Edge, Key, Leaf, Node, StoredBranch, StoredLeaf};
use crate::node::{KEY_BITS, KEY_BYTES};
use crate::page::{Page, Place};
use crate::source::{Source, SourceError};
use crate::trie::Trie;
use crate::update::{ApplyError, Change};

const EMPTY: u8 = 0;
const UNKNOWN: u8 = 1;
const BRANCH: u8 = 2;
const ENTRY: u8 = 3;
const HASHED_ENTRY: u8 = 4;

/// What somebody will do with a key of a partial trie.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The key, which need not be present.
    pub key: Key,
    /// Whether its value is wanted.
    pub value: bool,
    /// Whether it will be removed.
    pub removed: bool,
}

/// Why a partial trie cannot be read, or not be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartialError {
    /// The bytes are not the encoding of a trie, from this offset on.
    Malformed(usize),
    /// The change would need a sub-trie that is not known, here named by the beginning of its keys.
    Missing(Key, usize),
    /// See [`ApplyError`].
    Apply(ApplyError),
}

impl fmt::Display for PartialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartialError::Malformed(offset) => {
                write!(f, "no partial trie: wrong at byte {offset}")
            }
            PartialError::Missing(key, bits) => {
                write!(f, "the keys that share {bits} bits with 0x")?;
                key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(" are not known")
            }
            PartialError::Apply(ApplyError::DuplicateKey(_)) => {
                f.write_str("a batch names a key twice")
            }
            PartialError::Apply(ApplyError::Source(error)) => write!(f, "{error}"),
        }
    }
}

/// The source behind a partial trie: it has nothing.
#[derive(Debug)]
struct Nothing;

impl Source for Nothing {
    fn generation(&self) -> u32 {
        // Older than any node: none is ever given up for a reference.
        0
    }

    fn page(&self, place: &Place, _again: bool) -> Result<Arc<Page>, SourceError> {
        Err(SourceError::Page(*place))
    }

    fn value(&self, key: &Key, _again: bool) -> Result<Leaf, SourceError> {
        Err(SourceError::Value(*key))
    }

    fn misses(&self) -> u64 {
        0
    }

    fn count_lookup(&self, _hit: bool) {}
}

impl Trie {
    /// The part of this trie that these needs touch, encoded; they must be sorted by key.
    pub fn partial(&self, needs: &[Need]) -> Result<Vec<u8>, SourceError> {
        let mut out = Vec::new();
        match &self.root {
            Some(edge) => self.show(&mut out, edge, 0, needs, false)?,
            None => out.push(EMPTY),
        }
        Ok(out)
    }

    /// Encodes a sub-trie from depth `top`; `expand` when its kind matters though nobody needs it.
    fn show(
        &self,
        out: &mut Vec<u8>,
        edge: &Edge,
        top: usize,
        needs: &[Need],
        expand: bool,
    ) -> Result<(), SourceError> {
        // At the end of a key there can only be a leaf, so its kind is no secret.
        if needs.is_empty() && !expand && top < KEY_BITS {
            out.push(UNKNOWN);
            out.extend(edge.hash);
            return Ok(());
        }
        let Some(branch) = edge.branch(self.reader())? else {
            return self.show_leaf(out, &edge.node, needs);
        };
        let own = usize::from(branch.bit);
        out.push(BRANCH);
        let (left, right) = parted(needs, top);
        if own == top {
            let [a, b] = &branch.edges;
            self.show(out, a, top + 1, left, self.is_gone(b, top + 1, right)?)?;
            return self.show(out, b, top + 1, right, self.is_gone(a, top + 1, left)?);
        }
        // A run of branches with one child: the same sub-trie, linked from one bit deeper.
        let key = edge.node.first_key();
        let inner = edge.clone().moved(top + 1);
        if bit(&key, top) == 0 {
            self.show(out, &inner, top + 1, left, false)?;
            out.push(EMPTY);
        } else {
            out.push(EMPTY);
            self.show(out, &inner, top + 1, right, false)?;
        }
        Ok(())
    }

    fn show_leaf(&self, out: &mut Vec<u8>, node: &Node, needs: &[Need]) -> Result<(), SourceError> {
        let key = node.first_key();
        let wanted = needs.iter().any(|need| need.value && need.key == key);
        let (leaf, value_hash, len) = match node {
            Node::StoredLeaf(stored) if wanted => (Some(self.reader().leaf(stored)?), None, 0),
            Node::StoredLeaf(stored) => (None, Some(stored.value_hash), stored.value_len),
            Node::Leaf(leaf, _) if wanted || leaf.value().len() <= EMBEDDED_MAX => {
                (Some(leaf.clone()), None, 0)
            }
            Node::Leaf(leaf, _) => {
                let len = leaf.value().len() as u32;
                (None, Some(blake2b(leaf.value())), len)
            }
            Node::Branch(_) | Node::Near { .. } | Node::Far(_) => {
                unreachable!("called for leaves")
            }
        };
        if let Some(leaf) = leaf {
            out.push(ENTRY);
            out.extend((leaf.value().len() as u32).to_le_bytes());
            out.extend(leaf.key());
            out.extend(leaf.value());
        } else {
            out.push(HASHED_ENTRY);
            out.extend(len.to_le_bytes());
            out.extend(key);
            out.extend(value_hash.unwrap_or(ZERO_HASH));
        }
        Ok(())
    }

    /// Whether nothing of a sub-trie will be left; of its needs only those that lie in it count.
    fn is_gone(&self, edge: &Edge, top: usize, needs: &[Need]) -> Result<bool, SourceError> {
        if !needs.iter().any(|need| need.removed) {
            return Ok(false);
        }
        let Some(branch) = edge.branch(self.reader())? else {
            let key = edge.node.first_key();
            return Ok(needs.iter().any(|need| need.removed && need.key == key));
        };
        let own = usize::from(branch.bit);
        debug_assert!(own >= top);
        let prefix = edge.node.first_key();
        let from = needs
            .partition_point(|need| need.key < prefix && shared_bits(&need.key, &prefix) < own);
        let inside = &needs[from..];
        let (left, right) = parted(
            &inside[..inside.partition_point(|need| shared_bits(&need.key, &prefix) >= own)],
            own,
        );
        let [a, b] = &branch.edges;
        Ok(self.is_gone(a, own + 1, left)? && self.is_gone(b, own + 1, right)?)
    }
}

/// Needs of keys with a 0 and with a 1 at a bit; all agree before it.
fn parted(needs: &[Need], at: usize) -> (&[Need], &[Need]) {
    needs.split_at(needs.partition_point(|need| bit(&need.key, at) == 0))
}

/// Reads what [`Trie::partial`] wrote; looking up what is not known then fails, and so do changes.
///
/// Nothing says that the part belongs to a certain trie but its root.
pub fn open_partial(bytes: &[u8]) -> Result<Trie, PartialError> {
    let mut parser = Parser {
        rest: bytes,
        whole: bytes.len(),
        len: 0,
        value_bytes: 0,
    };
    let root = parser.sub_trie(0, &mut [0; KEY_BYTES])?;
    if !parser.rest.is_empty() {
        return Err(parser.malformed());
    }
    let source: Arc<dyn Source> = Arc::new(Nothing);
    Ok(Trie::of_parts(
        root,
        parser.len,
        parser.value_bytes,
        1,
        Some(source),
    ))
}

struct Parser<'a> {
    rest: &'a [u8],
    whole: usize,
    len: usize,
    value_bytes: usize,
}

impl Parser<'_> {
    fn malformed(&self) -> PartialError {
        PartialError::Malformed(self.whole - self.rest.len())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PartialError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.malformed());
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// The sub-trie at a depth; recursion goes one level a bit of a key.
    fn sub_trie(&mut self, depth: usize, prefix: &mut Key) -> Result<Option<Edge>, PartialError> {
        match self.take::<1>()?[0] {
            EMPTY => Ok(None),
            UNKNOWN if depth < KEY_BITS => {
                let hash = self.take::<32>()?;
                if hash == ZERO_HASH {
                    return Err(self.malformed());
                }
                let (key, bit) = (*prefix, depth as u8);
                Ok(Some(Edge::to_stored(
                    StoredBranch { hash, key, bit },
                    depth,
                )))
            }
            BRANCH if depth < KEY_BITS => {
                let left = self.sub_trie(depth + 1, prefix)?;
                prefix[depth / 8] |= 0x80 >> (depth % 8);
                let right = self.sub_trie(depth + 1, prefix)?;
                prefix[depth / 8] &= !(0x80 >> (depth % 8));
                match (&left, &right) {
                    (None, None) => return Err(self.malformed()),
                    // The paper's trie has no branch over a single entry.
                    (Some(edge), None) | (None, Some(edge)) if !edge.node.is_branch() => {
                        return Err(self.malformed());
                    }
                    _ => {}
                }
                Ok(Edge::join([left, right], depth, depth, 1))
            }
            ENTRY => {
                let len = u32::from_le_bytes(self.take::<4>()?) as usize;
                let size = len.checked_add(KEY_BYTES);
                let Some((entry, rest)) = size.and_then(|size| self.rest.split_at_checked(size))
                else {
                    return Err(self.malformed());
                };
                let leaf = Leaf::from_bytes(entry).ok_or_else(|| self.malformed())?;
                self.rest = rest;
                self.count(leaf.key(), len, depth, prefix)?;
                let hash = leaf_hashes(&[&leaf])[0];
                Ok(Some(Edge::to_leaf(leaf, hash, 1)))
            }
            HASHED_ENTRY => {
                let value_len = u32::from_le_bytes(self.take::<4>()?);
                let key = self.take::<KEY_BYTES>()?;
                let value_hash = self.take::<32>()?;
                self.count(&key, value_len as usize, depth, prefix)?;
                let hash = regular_leaf_hash(&key, &value_hash);
                let leaf = StoredLeaf {
                    key,
                    value_hash,
                    value_len,
                };
                let node = Node::StoredLeaf(Arc::new(leaf));
                Ok(Some(Edge { hash, node }))
            }
            _ => Err(self.malformed()),
        }
    }

    /// Counts an entry, if it may stand here.
    fn count(
        &mut self,
        key: &Key,
        value_len: usize,
        depth: usize,
        prefix: &Key,
    ) -> Result<(), PartialError> {
        if shared_bits(key, prefix) < depth {
            return Err(self.malformed());
        }
        self.len += 1;
        self.value_bytes = self.value_bytes.saturating_add(value_len);
        Ok(())
    }
}

/// [`Trie::apply`] for a trie that [`open_partial`] made, once: it says so when what is not known
/// would decide the new root.
pub fn apply_partial(trie: &Trie, changes: Vec<Change>) -> Result<Trie, PartialError> {
    let child = trie.apply(changes).map_err(PartialError::Apply)?;
    let before = unknown(trie);
    for ((key, at), top) in unknown(&child) {
        // What stood right below a branch may be a leaf; higher up it would be one with a run above.
        if top < at && before.get(&(key, at)) == Some(&at) {
            return Err(PartialError::Missing(key, at));
        }
    }
    Ok(child)
}

/// Unknown sub-tries by key and depth where they begin, with the depth they are linked from.
fn unknown(trie: &Trie) -> HashMap<(Key, usize), usize> {
    let mut found: HashMap<(Key, usize), usize> = HashMap::new();
    let mut pending: Vec<(&Edge, usize)> = trie.root.iter().map(|edge| (edge, 0)).collect();
    while let Some((edge, top)) = pending.pop() {
        if let Node::Branch(branch) = &edge.node {
            let below = usize::from(branch.bit) + 1;
            pending.extend(branch.edges.iter().map(|edge| (edge, below)));
        } else if let Some(stored) = edge.stored() {
            found.insert((stored.key, usize::from(stored.bit)), top);
        }
    }
    found
}
