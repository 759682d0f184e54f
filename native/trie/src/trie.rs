//! The trie value and lookups in it.

use std::mem::size_of;
use std::sync::Arc;

use crate::hash::{entry_hash, regular_leaf_hash, Hash, ZERO_HASH};
use crate::node::KEY_BYTES;
use crate::node::{Branch, Edge, Key, Leaf, Node, StoredLeaf};
use crate::source::{Reader, Source, SourceError};

/// An immutable map from 31-byte keys to values with the paper's Merkle root.
///
/// It lies in memory, or grows from a trie on disk: then it holds what changed, and references into
/// its source for the rest.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    pub(crate) root: Option<Edge>,
    pub(crate) len: usize,
    pub(crate) value_bytes: usize,
    pub(crate) generation: u32,
    source: Option<Arc<dyn Source>>,
}

/// An entry that was looked up; its value is not fetched when it is stored.
pub(crate) enum Found {
    Memory(Leaf),
    Stored(Arc<StoredLeaf>),
}

impl Found {
    pub fn hash(&self) -> Hash {
        match self {
            Found::Memory(leaf) => entry_hash(leaf.key(), leaf.value()),
            Found::Stored(leaf) => regular_leaf_hash(&leaf.key, &leaf.value_hash),
        }
    }

    /// Whether an entry of the same key has the same value.
    pub fn is(&self, leaf: &Leaf, hash: &Hash) -> bool {
        match self {
            Found::Memory(own) => own.value() == leaf.value(),
            Found::Stored(_) => self.hash() == *hash,
        }
    }
}

impl Trie {
    pub(crate) fn of_parts(
        root: Option<Edge>,
        len: usize,
        value_bytes: usize,
        generation: u32,
        source: Option<Arc<dyn Source>>,
    ) -> Trie {
        Trie {
            root,
            len,
            value_bytes,
            generation,
            source,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of all values together.
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// One more than that of the trie it was made from by [`Trie::apply`].
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The Merkle root, function M of appendix D over all entries.
    pub fn root(&self) -> Hash {
        self.root.as_ref().map_or(ZERO_HASH, |edge| edge.hash)
    }

    /// Bytes of memory that this trie would take alone, nothing shared and nothing stored; the
    /// allocator's own bookkeeping is estimated.
    pub fn memory(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        const ALLOCATOR: usize = 2 * size_of::<usize>();
        let leaf = KEY_BYTES + COUNTS + ALLOCATOR;
        let branch = size_of::<Branch>() + COUNTS + ALLOCATOR;
        self.value_bytes + self.len * leaf + self.len.saturating_sub(1) * branch
    }

    /// The entry of `key`.
    pub fn get(&self, key: &Key) -> Result<Option<Leaf>, SourceError> {
        let missed = self.source.as_ref().map(|source| source.misses());
        let leaf = match self.find(key)? {
            Some(Found::Memory(leaf)) => Some(leaf),
            Some(Found::Stored(stored)) => Some(self.reader().leaf(&stored)?),
            None => None,
        };
        if let Some(source) = &self.source {
            source.count_lookup(missed == Some(source.misses()));
        }
        Ok(leaf)
    }

    /// Whether there is an entry of `key`. Its value is not read.
    pub fn has(&self, key: &Key) -> Result<bool, SourceError> {
        Ok(self.find(key)?.is_some())
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader(self.source.as_deref())
    }

    pub(crate) fn find(&self, key: &Key) -> Result<Option<Found>, SourceError> {
        self.find_by(self.reader(), key)
    }

    /// Looks a key up; what is not in memory comes from `reader`.
    pub(crate) fn find_by(
        &self,
        reader: Reader<'_>,
        key: &Key,
    ) -> Result<Option<Found>, SourceError> {
        let Some(root) = self.root.as_ref() else {
            return Ok(None);
        };
        Ok(match reader.descend(root, key)? {
            Some(Node::Leaf(leaf, _)) => Some(Found::Memory(leaf)),
            Some(Node::StoredLeaf(leaf)) => Some(Found::Stored(leaf)),
            Some(Node::Branch(_) | Node::Near { .. } | Node::Far(_)) | None => None,
        })
    }
}
