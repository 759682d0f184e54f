//! Where nodes come from that are not in memory.

use std::fmt;
use std::sync::Arc;

use crate::hash::blake2b;
use crate::node::{Branch, Key, Leaf, StoredBranch, StoredLeaf};
use crate::page::{Page, Place};

/// Why a node or a value could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// The page at this place does not hold the node that a trie refers to.
    Page(Place),
    /// The value of this key is not the one that a trie refers to.
    Value(Key),
    /// The host failed to read; its own sentence.
    Host(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WHY: &str = "the state was pruned, or its file is damaged";
        match self {
            SourceError::Page(place) => write!(f, "{WHY}: trie page {place}"),
            SourceError::Value(key) => {
                write!(f, "{WHY}: value of key 0x")?;
                key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            SourceError::Host(message) => f.write_str(message),
        }
    }
}

/// The pages and values of one trie, the base, that tries in memory refer to.
///
/// A source may move on to another base at any time. Whatever it gives is compared with the hash
/// that the reference holds, so a trie that the source left behind gets errors, never wrong data.
pub trait Source: fmt::Debug + Send + Sync {
    /// Generation of the base: a trie that descends from it finds its nodes of this generation, and
    /// of older ones, here.
    fn generation(&self) -> u32;
    /// The page at a place; `again` when what was given before was not it, and the source may have
    /// moved on meanwhile: then it has to be read anew.
    fn page(&self, place: &Place, again: bool) -> Result<Arc<Page>, SourceError>;
    /// Key and value in one, for a value that has no room in a page; `again` as for pages.
    fn value(&self, key: &Key, again: bool) -> Result<Leaf, SourceError>;
    /// How many reads could not be served from memory so far.
    fn misses(&self) -> u64;
    /// Takes note of a finished lookup, and whether memory served all of it.
    fn count_lookup(&self, hit: bool);
}

/// The reading side of a source; a trie without one refers to nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub Option<&'a dyn Source>);

impl Reader<'_> {
    /// Generation of the base, `None` when there is none.
    pub fn base(self) -> Option<u32> {
        self.0.map(Source::generation)
    }

    /// The page that holds a branch, and the branch's index in it.
    pub fn locate(self, stored: &StoredBranch) -> Result<(Arc<Page>, usize), SourceError> {
        let place = Place::of(&stored.key, usize::from(stored.bit));
        let source = self.0.ok_or(SourceError::Page(place))?;
        for again in [false, true] {
            let page = source.page(&place, again)?;
            if let Some(index) = page.locate(&stored.key, stored.bit, &stored.hash) {
                return Ok((page, index));
            }
        }
        Err(SourceError::Page(place))
    }

    /// A stored branch as one in memory, with references below it.
    pub fn branch(self, stored: &StoredBranch) -> Result<Arc<Branch>, SourceError> {
        let (page, index) = self.locate(stored)?;
        Ok(Arc::new(page.branch(index)))
    }

    /// The entry that a reference stands for.
    pub fn leaf(self, stored: &StoredLeaf) -> Result<Leaf, SourceError> {
        let wrong = SourceError::Value(stored.key);
        let source = self.0.ok_or(wrong.clone())?;
        for again in [false, true] {
            let leaf = source.value(&stored.key, again)?;
            let same = leaf.key() == &stored.key
                && leaf.value().len() == stored.value_len as usize
                && blake2b(leaf.value()) == stored.value_hash;
            if same {
                return Ok(leaf);
            }
        }
        Err(wrong)
    }
}
