//! The trie value: lookup and the one way to change it.

use std::mem::size_of;

use crate::hash::{leaf_hashes, Hash, ZERO_HASH};
use crate::node::{bit, shared_bits, Branch, Edge, Key, Leaf, Node, KEY_BYTES};

/// What to do with one key.
#[derive(Clone, Debug)]
pub enum Change {
    /// Insert the entry, or replace the value of its key.
    Put(Leaf),
    /// Remove the key; nothing happens when it is absent.
    Remove(Key),
}

impl Change {
    /// The key in question.
    pub fn key(&self) -> &Key {
        match self {
            Change::Put(leaf) => leaf.key(),
            Change::Remove(key) => key,
        }
    }
}

/// A set of changes names this key twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateKey(pub Key);

/// An immutable map from 31-byte keys to values with the paper's Merkle root.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    pub(crate) root: Option<Edge>,
    len: usize,
    value_bytes: usize,
}

/// A change that has an effect: the removal of a present key, or a new or different value.
struct Update<'a> {
    key: &'a Key,
    put: Option<(&'a Leaf, Hash)>,
}

impl Trie {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The Merkle root, function M of appendix D over all entries.
    pub fn root(&self) -> Hash {
        self.root.as_ref().map_or(ZERO_HASH, |edge| edge.hash)
    }

    /// Bytes of memory that this trie would take alone, nothing shared; the allocator's own
    /// bookkeeping is estimated.
    pub fn memory(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        const ALLOCATOR: usize = 2 * size_of::<usize>();
        let leaf = KEY_BYTES + COUNTS + ALLOCATOR;
        let branch = size_of::<Branch>() + COUNTS + ALLOCATOR;
        self.value_bytes + self.len * leaf + self.len.saturating_sub(1) * branch
    }

    /// The entry of `key`.
    pub fn get(&self, key: &Key) -> Option<Leaf> {
        self.find(key).cloned()
    }

    fn find(&self, key: &Key) -> Option<&Leaf> {
        let leaf = self.root.as_ref()?.node.nearest_leaf(key);
        (leaf.key() == key).then_some(leaf)
    }

    /// The trie with these changes, given in any order.
    ///
    /// Changes without effect are dropped first, so a trie that ends up equal shares all its nodes.
    pub fn apply(&self, mut changes: Vec<Change>) -> Result<Trie, DuplicateKey> {
        changes.sort_unstable_by(|a, b| a.key().cmp(b.key()));
        if let Some(pair) = changes
            .windows(2)
            .find(|pair| pair[0].key() == pair[1].key())
        {
            return Err(DuplicateKey(*pair[0].key()));
        }
        let mut child = self.clone();
        changes.retain(|change| child.account(self.find(change.key()), change));
        let updates = hashed(&changes);
        if !updates.is_empty() {
            child.root = match &self.root {
                Some(edge) => update(edge, 0, &updates),
                None => build(&puts(&updates), 0),
            };
        }
        Ok(child)
    }

    /// Counts one change against the entry it meets; false when it has no effect.
    fn account(&mut self, old: Option<&Leaf>, change: &Change) -> bool {
        let new = match change {
            Change::Put(leaf) => Some(leaf),
            Change::Remove(_) => None,
        };
        if old == new {
            return false;
        }
        self.len = self.len + usize::from(new.is_some()) - usize::from(old.is_some());
        let size = |leaf: Option<&Leaf>| leaf.map_or(0, |leaf| leaf.value().len());
        self.value_bytes = self.value_bytes + size(new) - size(old);
        true
    }
}

fn hashed(changes: &[Change]) -> Vec<Update<'_>> {
    let leaves: Vec<&Leaf> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put(leaf) => Some(leaf),
            Change::Remove(_) => None,
        })
        .collect();
    let mut new = leaves.iter().copied().zip(leaf_hashes(&leaves));
    changes
        .iter()
        .map(|change| Update {
            key: change.key(),
            put: match change {
                Change::Put(_) => new.next(),
                Change::Remove(_) => None,
            },
        })
        .collect()
}

fn puts<'a>(updates: &'a [Update<'_>]) -> Vec<(&'a Leaf, &'a Hash)> {
    updates
        .iter()
        .filter_map(|update| update.put.as_ref().map(|(leaf, hash)| (*leaf, hash)))
        .collect()
}

/// The sub-trie below `edge` with a non-empty sorted run of updates, linked from depth `top`; all
/// keys agree before `top`. Of `edge` only the node counts, its hash may stand at another depth.
fn update(edge: &Edge, top: usize, updates: &[Update<'_>]) -> Option<Edge> {
    let branch = match &edge.node {
        Node::Leaf(leaf) => return build(&beside(leaf, &edge.hash, updates), top),
        Node::Branch(branch) => branch,
    };
    let own = usize::from(branch.bit);
    let from = parting_bit(&edge.node, top, updates);
    let side_of = |update: &Update<'_>| bit(update.key, from);
    let (left, right) = updates.split_at(updates.partition_point(|update| side_of(update) == 0));
    let sides = if from == own {
        [
            updated(&branch.edges[0], from + 1, left),
            updated(&branch.edges[1], from + 1, right),
        ]
    } else {
        // Removals name present keys, so what lies beside the branch is all new.
        match bit(edge.node.first_leaf().key(), from) {
            0 => [inside(edge, from + 1, left), build(&puts(right), from + 1)],
            _ => [build(&puts(left), from + 1), inside(edge, from + 1, right)],
        }
    };
    Edge::join(sides, from, top)
}

/// A child with the updates of its side; shared as it is when there are none.
fn updated(edge: &Edge, top: usize, updates: &[Update<'_>]) -> Option<Edge> {
    match updates {
        [] => Some(edge.clone()),
        _ => update(edge, top, updates),
    }
}

/// A sub-trie that moves down to depth `top`, with the updates that fall on its side.
fn inside(edge: &Edge, top: usize, updates: &[Update<'_>]) -> Option<Edge> {
    match updates {
        [] => Some(edge.clone().moved(top)),
        _ => update(edge, top, updates),
    }
}

/// The first bit at which a branch and sorted updates part: the branch's own, or an earlier one at
/// which an update leaves the run of bits that all its keys share.
fn parting_bit(node: &Node, top: usize, updates: &[Update<'_>]) -> usize {
    if node.bit() == top {
        return top;
    }
    let key = node.first_leaf().key();
    // Sorted: the update that parts first is the first or the last.
    [updates.first(), updates.last()]
        .into_iter()
        .flatten()
        .map(|update| shared_bits(key, update.key))
        .fold(node.bit(), usize::min)
}

/// The entries that stand where there was one leaf, in key order.
fn beside<'a>(
    leaf: &'a Leaf,
    hash: &'a Hash,
    updates: &'a [Update<'_>],
) -> Vec<(&'a Leaf, &'a Hash)> {
    let mut entries = puts(updates);
    if let Err(place) = updates.binary_search_by(|update| update.key.cmp(leaf.key())) {
        // Every update is a put then: a removal here could only name the leaf's own key.
        entries.insert(place, (leaf, hash));
    }
    entries
}

/// A sub-trie of sorted entries, linked from depth `top`; all keys agree before `top`.
fn build(entries: &[(&Leaf, &Hash)], top: usize) -> Option<Edge> {
    match entries {
        [] => None,
        [(leaf, hash)] => Some(Edge {
            hash: **hash,
            node: Node::Leaf((*leaf).clone()),
        }),
        [(first, _), .., (last, _)] => {
            let from = shared_bits(first.key(), last.key());
            let middle = entries.partition_point(|(leaf, _)| bit(leaf.key(), from) == 0);
            let (left, right) = entries.split_at(middle);
            Edge::join([build(left, from + 1), build(right, from + 1)], from, top)
        }
    }
}
