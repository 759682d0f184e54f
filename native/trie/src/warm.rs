//! Bringing what lookups go through near the processor.
//!
//! In a state that is larger than the processor's caches, a lookup waits for memory at each branch on its
//! way, one wait after the other. Lookups that go on step by step together wait together.

use std::hint::black_box;
use std::sync::Arc;

use crate::node::{bit, Edge, Key, Node};
use crate::page::{Page, Place};
use crate::source::Source;
use crate::trie::Trie;

/// One lookup on its way through a page.
struct Walk {
    /// Numbers of the key and of the page.
    key: usize,
    page: usize,
    /// The branch that it has reached.
    index: usize,
}

impl Trie {
    /// Goes where lookups of these keys will, as far as that is in memory; the keys are sorted for it.
    /// Nothing is read from the source, nothing is checked, and nothing comes of it but time saved.
    pub fn warm(&self, keys: &mut [Key]) {
        let (Some(root), Some(source)) = (&self.root, self.reader().0) else {
            return;
        };
        // Neighbours go through the same pages.
        keys.sort_unstable();
        let mut places = behind_branches(root, keys);
        while places.iter().any(Option::is_some) {
            places = behind_pages(source, keys, &places);
        }
    }
}

/// Where the page lies that the bits of each key lead to from a link on, if they lead to one.
fn behind_branches(root: &Edge, keys: &[Key]) -> Vec<Option<Place>> {
    let mut edges = vec![root; keys.len()];
    let mut going = true;
    while std::mem::take(&mut going) {
        for (edge, key) in edges.iter_mut().zip(keys) {
            if let Node::Branch(branch) = &edge.node {
                *edge = &branch.edges[bit(key, usize::from(branch.bit))];
                going = true;
            }
        }
    }
    let ends = edges.iter().zip(keys);
    ends.map(|(edge, key)| {
        let reference = matches!(edge.node, Node::Near { .. } | Node::Far(_));
        reference.then(|| Place::of(key, edge.node.bit()))
    })
    .collect()
}

/// Where the next page lies on the way of each key that leads through one.
fn behind_pages(source: &dyn Source, keys: &[Key], places: &[Option<Place>]) -> Vec<Option<Place>> {
    let mut pages: Vec<(Place, Arc<Page>)> = Vec::new();
    let mut walks = Vec::with_capacity(keys.len());
    for (key, place) in places.iter().enumerate() {
        let Some(place) = place else { continue };
        if pages.last().is_none_or(|(last, _)| last != place) {
            let Some(page) = source.cached_page(place) else {
                continue;
            };
            black_box(page.hash()[0]);
            pages.push((*place, page));
        }
        let (page, index) = (pages.len() - 1, 0);
        walks.push(Walk { key, page, index });
    }
    let mut next = vec![None; keys.len()];
    while !walks.is_empty() {
        walks.retain_mut(|walk| {
            let (page, key) = (&pages[walk.page].1, &keys[walk.key]);
            match page.side(walk.index, bit(key, page.bit(walk.index))) {
                Ok(index) => {
                    walk.index = index;
                    true
                }
                Err(record) => {
                    next[walk.key] = record.is_link().then(|| Place::of(key, record.bit()));
                    false
                }
            }
        });
    }
    next
}
