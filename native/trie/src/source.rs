//! Where nodes come from that are not in memory.

use std::fmt;
use std::sync::Arc;

use crate::hash::{blake2b, Hash};
use crate::node::{bit, shared_bits, Edge, Node};
use crate::node::{Branch, Key, Leaf, StoredBranch, StoredLeaf};
use crate::page::{Page, Place};
use crate::record::{Record, INLINE_MAX};

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

/// Where the base of a source begins.
#[derive(Clone, Debug, Default)]
pub struct Base(Option<Edge>);

impl Base {
    /// From what [`crate::Trie::to_anchor`] gave; `None` when that is malformed.
    pub fn from_anchor(anchor: &[u8]) -> Option<Base> {
        let record = anchor.get(ANCHOR_HEAD..)?;
        if record.is_empty() {
            return Some(Base(None));
        }
        let record = Record::read(record)?;
        Some(Base(Some(record.edge(0))))
    }

    pub(crate) fn into_root(self) -> Option<Edge> {
        self.0
    }
}

/// Bytes of an anchor before the record of its root: generation, number of entries, bytes of values.
pub(crate) const ANCHOR_HEAD: usize = 4 + 8 + 8;

/// The pages and values of one trie, the base, that tries in memory refer to.
///
/// A source may move on to another base at any time. Whatever it gives is compared with the hash
/// that the reference holds, so a trie that the source left behind gets errors, never wrong data.
pub trait Source: fmt::Debug + Send + Sync {
    /// Generation of the base: a trie that descends from it finds its nodes of this generation, and
    /// of older ones, here.
    fn generation(&self) -> u32;
    /// Where the base begins.
    fn base(&self) -> Base {
        Base::default()
    }
    /// The page at a place; `again` when what was given before was not it, and the source may have
    /// moved on meanwhile: then it has to be read anew.
    fn page(&self, place: &Place, again: bool) -> Result<Arc<Page>, SourceError>;
    /// Key and value in one, for a value that stands in no page; `again` as for pages.
    fn value(&self, key: &Key, again: bool) -> Result<Leaf, SourceError>;
    /// How many reads could not be served from memory so far.
    fn misses(&self) -> u64;
    /// Takes note of a finished lookup, and whether memory served all of it.
    fn count_lookup(&self, hit: bool);
    /// The page at a place if it is in memory; it may be outdated, as with [`Source::page`].
    fn cached_page(&self, _place: &Place) -> Option<Arc<Page>> {
        None
    }
    /// The same for a lookup that will follow, for which the page is to be kept.
    fn foresee_page(&self, place: &Place) -> Option<Arc<Page>> {
        self.cached_page(place)
    }
    /// The value of a key if it is in memory; it may be outdated, as with [`Source::value`]. A lookup
    /// will follow, for which it is to be kept.
    fn foresee_value(&self, _key: &Key) -> Option<Leaf> {
        None
    }
    /// Called first by each thread that reads ahead for others.
    fn begin_reading_ahead(&self) {}
    /// Takes note of lookups that would have missed memory, had they not been foreseen.
    fn count_fetched(&self, _lookups: usize) {}
    /// Whether a good part of the latest lookups missed memory.
    fn is_cold(&self) -> bool {
        false
    }
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
        self.find(&stored.key, stored.bit, &stored.hash)
    }

    /// The same for the branch of this hash at a bit on the way to a key.
    fn find(self, key: &Key, bit: u8, hash: &Hash) -> Result<(Arc<Page>, usize), SourceError> {
        let place = Place::of(key, usize::from(bit));
        let source = self.0.ok_or(SourceError::Page(place))?;
        for again in [false, true] {
            let page = source.page(&place, again)?;
            if let Some(index) = page.locate(key, bit, hash) {
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
        let small = stored.value_len as usize <= INLINE_MAX;
        for again in [false, true] {
            let leaf = match small {
                true => self.inline(source, &stored.key, again),
                false => source.value(&stored.key, again),
            };
            let leaf = match leaf {
                // The base may have moved on just now.
                Err(_) if small && !again => continue,
                leaf => leaf?,
            };
            let same = leaf.key() == &stored.key
                && leaf.value().len() == stored.value_len as usize
                && blake2b(leaf.value()) == stored.value_hash;
            if same {
                return Ok(leaf);
            }
        }
        Err(wrong)
    }

    /// The entry of a key in the base, whose value may stand in a page.
    fn inline(self, source: &dyn Source, key: &Key, again: bool) -> Result<Leaf, SourceError> {
        let found = match source.base().into_root() {
            Some(root) => self.descend(&root, key)?,
            None => None,
        };
        match found {
            Some(Node::Leaf(leaf, _)) => Ok(leaf),
            Some(Node::StoredLeaf(stored)) => source.value(&stored.key, again),
            _ => Err(SourceError::Value(*key)),
        }
    }

    /// The entry that the bits of a key lead to from a link on, if it has this key.
    pub fn descend(self, edge: &Edge, key: &Key) -> Result<Option<Node>, SourceError> {
        let mut edge = edge;
        while let Node::Branch(branch) = &edge.node {
            edge = &branch.edges[bit(key, usize::from(branch.bit))];
        }
        let Some(stored) = edge.stored() else {
            return Ok((edge.node.first_key() == *key).then(|| edge.node.clone()));
        };
        let (mut hash, mut at, mut prefix) = (stored.hash, stored.bit, stored.key);
        while shared_bits(&prefix, key) >= usize::from(at) {
            let (page, index) = self.find(key, at, &hash)?;
            let record = page.descend(index, key);
            prefix = record.first_key();
            match record {
                Record::Link { hash: own, bit, .. } => (hash, at) = (*own, bit),
                entry => return Ok(entry.entry().filter(|_| prefix == *key)),
            }
        }
        Ok(None)
    }

    /// The node, with its value unless that is too large for a page.
    pub fn near(self, node: &Node) -> Result<Node, SourceError> {
        match node {
            Node::StoredLeaf(stored) if stored.value_len as usize <= INLINE_MAX => {
                Ok(Node::Leaf(self.leaf(stored)?, 0))
            }
            node => Ok(node.clone()),
        }
    }
}
