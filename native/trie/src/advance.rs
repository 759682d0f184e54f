//! What a source must write to become the home of a younger trie.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::hash::{Hash, EMBEDDED_MAX};
use crate::node::{bit, shared_bits, Edge, Key, Leaf, Node};
use crate::page::{append_record, read_record, Page, Place};
use crate::source::{Source, SourceError};
use crate::trie::Trie;

/// Pages and values that change when the base moves to another trie.
#[derive(Debug, Default)]
pub struct Advance {
    /// New pages; `None` where there is none any more.
    pub pages: BTreeMap<Place, Option<Page>>,
    /// New values that have no room in pages; `None` where there is none any more.
    pub values: BTreeMap<Key, Option<Leaf>>,
}

impl Advance {
    /// What turns the pages of `old` into those of `new`. Parts that both share are not visited.
    pub fn between(old: &Trie, new: &Trie) -> Result<Advance, SourceError> {
        let mut advance = Advance::default();
        let mut places = BTreeMap::new();
        for key in old.changed_keys(new)? {
            let kept = new.large_value(&key)?;
            if kept.is_some() || old.has_large_value(&key)? {
                advance.values.insert(key, kept);
            }
            for trie in [old, new] {
                for at in trie.branches_towards(&key)? {
                    places.entry(Place::of(&key, at)).or_insert(key);
                }
            }
        }
        for (place, key) in places {
            let page = match new.top_of(&place, &key)? {
                Some(top) => Some(Page::build(&top, new.reader())?),
                None => None,
            };
            advance.pages.insert(place, page);
        }
        Ok(advance)
    }
}

impl Trie {
    /// What a source has to remember of its base beside pages and values.
    pub fn to_anchor(&self) -> Vec<u8> {
        let mut bytes = self.generation().to_le_bytes().to_vec();
        bytes.extend_from_slice(&(self.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.value_bytes() as u64).to_le_bytes());
        if let Some(edge) = &self.root {
            append_record(&mut bytes, &edge.node, &edge.own_hash(0));
        }
        bytes
    }

    /// The base of a source as a trie of references, from what [`Trie::to_anchor`] gave.
    pub fn from_anchor(anchor: &[u8], source: Arc<dyn Source>) -> Option<Trie> {
        let (generation, rest) = anchor.split_first_chunk::<4>()?;
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let (value_bytes, rest) = rest.split_first_chunk::<8>()?;
        let root = match rest {
            [] => None,
            _ => {
                let node = read_record(rest)?;
                let own: Hash = crate::page::outside_hash(&node);
                Some(Edge::lifted(node, own, 0))
            }
        };
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        let value_bytes = usize::try_from(u64::from_le_bytes(*value_bytes)).ok()?;
        let generation = u32::from_le_bytes(*generation);
        Some(Trie::of_parts(
            root,
            len,
            value_bytes,
            generation,
            Some(source),
        ))
    }

    /// The generation that [`Trie::to_anchor`] wrote.
    pub fn anchor_generation(anchor: &[u8]) -> Option<u32> {
        anchor
            .first_chunk::<4>()
            .map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// The entry of a key, if its value has no room in a page.
    fn large_value(&self, key: &Key) -> Result<Option<Leaf>, SourceError> {
        let leaf = self.get(key)?;
        Ok(leaf.filter(|leaf| leaf.value().len() > EMBEDDED_MAX))
    }

    fn has_large_value(&self, key: &Key) -> Result<bool, SourceError> {
        let found = self.find(key)?;
        Ok(found.is_some_and(|found| found.value_len() > EMBEDDED_MAX))
    }

    /// Bits of the branches that the bits of a key lead through.
    fn branches_towards(&self, key: &Key) -> Result<Vec<usize>, SourceError> {
        let mut bits = Vec::new();
        let mut node = self.root.as_ref().map(|edge| edge.node.clone());
        while let Some(here) = node {
            node = here.branch(self.reader())?.map(|branch| {
                let at = usize::from(branch.bit);
                bits.push(at);
                branch.edges[bit(key, at)].node.clone()
            });
        }
        Ok(bits)
    }

    /// The top branch of the page at a place on the way to a key, if there is such a page.
    pub(crate) fn top_of(&self, place: &Place, key: &Key) -> Result<Option<Node>, SourceError> {
        let mut node = self.root.as_ref().map(|edge| edge.node.clone());
        while let Some(here) = node {
            let at = here.bit();
            if at >= place.start() {
                let same = shared_bits(here.first_key(), key) >= place.start();
                let inside = same && here.is_branch() && Place::of(here.first_key(), at) == *place;
                return Ok(inside.then_some(here));
            }
            node = here
                .branch(self.reader())?
                .map(|branch| branch.edges[bit(key, at)].node.clone());
        }
        Ok(None)
    }
}
