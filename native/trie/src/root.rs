//! The root of entries that come in key order, with memory for one sub-trie a level only.

use std::fmt;

use crate::hash::{branch_hash, leaf_hashes, lift, Hash, ZERO_HASH};
use crate::node::{shared_bits, Key, Leaf, KEY_BITS};

/// Entries that do not follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootError(Key);

impl fmt::Display for RootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries are not in key order at key 0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A finished sub-trie: its hash at the bit where its keys part, and one of these keys.
#[derive(Clone, Debug)]
struct Part {
    hash: Hash,
    key: Key,
    bit: usize,
}

impl Part {
    /// The hash that the sub-trie has at depth `top`; a leaf has the same at any depth.
    fn at(&self, top: usize) -> Hash {
        match self.bit {
            KEY_BITS => self.hash,
            bit => lift(self.hash, &self.key, bit, top),
        }
    }

    fn join(self, right: &Part, bit: usize) -> Part {
        Part {
            hash: branch_hash(&self.at(bit + 1), &right.at(bit + 1)),
            key: self.key,
            bit,
        }
    }
}

/// Takes entries in key order and has their Merkle root in the end.
#[derive(Debug, Default)]
pub struct RootBuilder {
    /// Finished sub-tries to the left, each with the bit where later keys part from it.
    left: Vec<(Part, usize)>,
    last: Option<(Part, Key)>,
    len: u64,
}

impl RootBuilder {
    /// Number of entries so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there was no entry yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The last entry's key.
    pub fn last_key(&self) -> Option<&Key> {
        self.last.as_ref().map(|(_, key)| key)
    }

    /// Takes further entries; after an error the builder is of no use.
    pub fn push(&mut self, leaves: &[&Leaf]) -> Result<(), RootError> {
        for (leaf, hash) in leaves.iter().zip(leaf_hashes(leaves)) {
            self.add(*leaf.key(), hash)?;
        }
        Ok(())
    }

    /// The root of all entries.
    pub fn root(&self) -> Hash {
        self.whole().map_or(ZERO_HASH, |part| part.at(0))
    }

    /// The hash of all entries at the bit where they part, and this bit; that of a single entry
    /// at the end of its key.
    pub(crate) fn top(&self) -> Option<(Hash, usize)> {
        self.whole().map(|part| (part.hash, part.bit))
    }

    /// The hash of the only entry.
    pub(crate) fn root_of_one(&self) -> Option<Hash> {
        (self.len == 1).then(|| self.root())
    }

    fn whole(&self) -> Option<Part> {
        let (mut part, _) = self.last.clone()?;
        for (left, bit) in self.left.iter().rev() {
            part = left.clone().join(&part, *bit);
        }
        Some(part)
    }

    fn add(&mut self, key: Key, hash: Hash) -> Result<(), RootError> {
        if let Some((mut part, last)) = self.last.take() {
            if key <= last {
                return Err(RootError(key));
            }
            let parting = shared_bits(&last, &key);
            while self.left.last().is_some_and(|(_, bit)| *bit > parting) {
                let (left, bit) = self.left.pop().expect("looked at above");
                part = left.join(&part, bit);
            }
            self.left.push((part, parting));
        }
        let bit = KEY_BITS;
        self.last = Some((Part { hash, key, bit }, key));
        self.len += 1;
        Ok(())
    }
}
