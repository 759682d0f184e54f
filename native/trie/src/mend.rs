//! Making a damaged page or value of the base anew, from entries that come from elsewhere.

use std::fmt;

use crate::node::{bit, shared_bits, Edge, Key, Leaf, StoredBranch, KEY_BITS};
use crate::page::{Page, Place, PAGE_BITS};
use crate::root::{RootBuilder, RootError};
use crate::source::{Reader, SourceError};
use crate::trie::{Found, Trie};

/// A thing that a source holds: a page, or a value that has no room in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    Page(Place),
    Value(Key),
}

impl Spot {
    /// What an error is about, unless the host failed.
    pub fn of(error: &SourceError) -> Option<Spot> {
        match error {
            SourceError::Page(place) => Some(Spot::Page(*place)),
            SourceError::Value(key) => Some(Spot::Value(*key)),
            SourceError::Host(_) => None,
        }
    }

    /// The first and the last key that the entries it is made from can have.
    pub fn span(&self) -> (Key, Key) {
        match self {
            Spot::Page(place) => place.span(),
            Spot::Value(key) => (*key, *key),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spot::Page(place) => write!(f, "trie page {place}"),
            Spot::Value(key) => {
                f.write_str("value of key 0x")?;
                key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// What was made anew, and is what the base refers to.
#[derive(Debug)]
pub enum Mended {
    Page(Place, Page),
    Value(Leaf),
}

/// Takes all entries of a spot's span in key order. Of those below the page it keeps one hash for
/// each of the page's ends, so it needs memory for one page, however many there are.
#[derive(Debug)]
pub struct Mender {
    spot: Spot,
    /// What hangs from the ends of the page: one link for all keys that agree up to the next cut.
    ends: Vec<Edge>,
    below: RootBuilder,
    last: Option<Leaf>,
}

impl Mender {
    pub fn new(spot: Spot) -> Mender {
        Mender {
            spot,
            ends: Vec::new(),
            below: RootBuilder::default(),
            last: None,
        }
    }

    /// Takes further entries; after an error the mender is of no use.
    pub fn push(&mut self, mut leaves: &[&Leaf]) -> Result<(), RootError> {
        while let Some(first) = leaves.first() {
            let known = self.last.as_ref().map(|last| *last.key());
            if known.is_some_and(|key| !self.same_end(&key, first.key())) {
                self.finish_end();
            }
            let count = leaves.partition_point(|leaf| self.same_end(first.key(), leaf.key()));
            let (these, later) = leaves.split_at(count.max(1));
            self.below.push(these)?;
            self.last = these.last().map(|leaf| (*leaf).clone());
            leaves = later;
        }
        Ok(())
    }

    /// The page or value, if it is what `base` refers to. Reads what leads there.
    pub fn finish(mut self, base: &Trie) -> Result<Option<Mended>, SourceError> {
        match self.spot {
            Spot::Value(key) => {
                let found = base.find(&key)?;
                let wanted = found.as_ref().map(Found::hash);
                let same = wanted.is_some() && wanted == self.below.root_of_one();
                Ok(self.last.filter(|_| same).map(Mended::Value))
            }
            Spot::Page(place) => {
                self.finish_end();
                let Some(top) = fold(&self.ends, 0) else {
                    return Ok(None);
                };
                let (first, at) = (top.node.first_key(), top.node.bit());
                if !top.node.is_branch() || Place::of(&first, at) != place {
                    return Ok(None);
                }
                let page = Page::build(&top, Reader(None))?;
                let wanted = base.top_of(&place, &first)?;
                let same = wanted.and_then(|edge| edge.stored()).is_some_and(|stored| {
                    usize::from(stored.bit) == at && stored.hash == *page.hash()
                });
                Ok(same.then_some(Mended::Page(place, page)))
            }
        }
    }

    /// Whether two keys hang from the same end of the page.
    fn same_end(&self, a: &Key, b: &Key) -> bool {
        match &self.spot {
            Spot::Page(place) => shared_bits(a, b) >= (place.start() + PAGE_BITS).min(KEY_BITS),
            Spot::Value(_) => true,
        }
    }

    fn finish_end(&mut self) {
        let (Some(leaf), Some((hash, at))) = (self.last.take(), self.below.top()) else {
            return;
        };
        let end = if at == KEY_BITS {
            Edge::to_leaf(leaf, hash, 0)
        } else {
            let stored = StoredBranch {
                hash,
                key: *leaf.key(),
                bit: at as u8,
            };
            Edge::to_stored(stored, at)
        };
        self.ends.push(end);
        self.below = RootBuilder::default();
    }
}

/// The sub-trie of sorted ends, linked from depth `top`.
fn fold(ends: &[Edge], top: usize) -> Option<Edge> {
    match ends {
        [] => None,
        [edge] => Some(edge.clone().moved(top)),
        [first, .., last] => {
            let from = shared_bits(&first.node.first_key(), &last.node.first_key());
            let middle = ends.partition_point(|edge| bit(&edge.node.first_key(), from) == 0);
            let (left, right) = ends.split_at(middle);
            Edge::join([fold(left, from + 1), fold(right, from + 1)], from, top, 0)
        }
    }
}
