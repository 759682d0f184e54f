//! A cache of pages and values, bounded in bytes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use jamliquor_trie::{Key, Leaf, Page, Place};

/// Bytes that an entry takes beside its content: its rows in the map and in the queue.
const ENTRY_BYTES: usize = 160;

/// So many names of entries that are gone may stand in the queue beside the others.
const FORGOTTEN: usize = 256;

/// No entry takes more than this part of the cache.
const LARGEST_PART: usize = 4;

/// Pages with pages below them are spared as long as they take no more than so many eighths: a lookup
/// needs one of each level, and there are few of them beside those at the bottom.
const SPARED_EIGHTHS: usize = 6;

/// The node that an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    Page(Place),
    Value(Key),
}

/// What is cached.
#[derive(Clone, Debug)]
pub enum Item {
    Page(Arc<Page>),
    Value(Leaf),
}

impl Item {
    fn is_inner(&self) -> bool {
        matches!(self, Item::Page(page) if page.is_inner())
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Item::Page(page) => page.memory(),
                Item::Value(leaf) => leaf.key().len() + leaf.value().len(),
            }
    }
}

#[derive(Debug)]
struct Entry {
    item: Item,
    used: bool,
}

/// Keeps what was used lately: when it is full, an entry goes unless it was used since its last
/// turn. Readers compare what they get with the hash they look for, so an entry that was replaced
/// on disk can do no harm; it is replaced here as well, to be of use.
#[derive(Debug)]
pub struct Cache {
    limit: usize,
    bytes: usize,
    /// Of `bytes`, those of inner pages.
    inner_bytes: usize,
    entries: HashMap<Name, Entry>,
    /// Every entry in order of their turns, inner pages by themselves; also names that are gone, that
    /// came back or that belong to the other queue by now.
    turns: [VecDeque<Name>; 2],
}

impl Cache {
    pub fn new(limit: usize) -> Cache {
        Cache {
            limit,
            bytes: 0,
            inner_bytes: 0,
            entries: HashMap::new(),
            turns: [VecDeque::new(), VecDeque::new()],
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn get(&mut self, name: &Name) -> Option<Item> {
        let entry = self.entries.get_mut(name)?;
        entry.used = true;
        Some(entry.item.clone())
    }

    /// Adds an entry, or replaces it.
    pub fn put(&mut self, name: Name, item: Item) {
        let size = item.bytes();
        if size > self.limit / LARGEST_PART {
            return self.remove(&name);
        }
        let inner = item.is_inner();
        self.bytes += size;
        self.inner_bytes += if inner { size } else { 0 };
        // What is new has a turn before it: where everything else was used lately it would go first, and
        // what was read ahead would be gone when it is needed.
        let used = true;
        match self.entries.insert(name, Entry { item, used }) {
            Some(old) => {
                self.discount(&old.item);
                if old.item.is_inner() != inner {
                    self.turns[usize::from(inner)].push_back(name);
                }
            }
            None => self.turns[usize::from(inner)].push_back(name),
        }
        while self.bytes > self.limit {
            self.evict();
        }
    }

    /// Replaces an entry that is there; adds one only if it is spared.
    pub fn renew(&mut self, name: Name, item: Item) {
        if item.is_inner() || self.entries.contains_key(&name) {
            self.put(name, item);
        }
    }

    pub fn remove(&mut self, name: &Name) {
        if let Some(entry) = self.entries.remove(name) {
            self.discount(&entry.item);
            let entries = &self.entries;
            for (inner, turns) in [false, true].into_iter().zip(&mut self.turns) {
                if turns.len() > 2 * entries.len() + FORGOTTEN {
                    let mut once = HashSet::new();
                    turns.retain(|name| {
                        let entry = entries.get(name);
                        entry.is_some_and(|entry| entry.item.is_inner() == inner)
                            && once.insert(*name)
                    });
                }
            }
        }
    }

    fn discount(&mut self, item: &Item) {
        let size = item.bytes();
        self.bytes -= size;
        self.inner_bytes -= if item.is_inner() { size } else { 0 };
    }

    fn evict(&mut self) {
        let spared = self.inner_bytes <= self.limit / 8 * SPARED_EIGHTHS;
        let inner = self.turns[0].is_empty() || !(spared || self.turns[1].is_empty());
        let turns = &mut self.turns[usize::from(inner)];
        let Some(name) = turns.pop_front() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&name) else {
            return;
        };
        if entry.item.is_inner() != inner {
            return;
        }
        if entry.used {
            entry.used = false;
            turns.push_back(name);
        } else if let Some(entry) = self.entries.remove(&name) {
            self.discount(&entry.item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: u8, size: usize) -> (Name, Item) {
        let mut entry = vec![key; 31];
        entry.resize(31 + size, 0);
        let leaf = Leaf::from_bytes(&entry).unwrap();
        (Name::Value(*leaf.key()), Item::Value(leaf))
    }

    #[test]
    fn it_stays_below_its_limit_and_keeps_what_is_used() {
        let mut cache = Cache::new(10_000);
        for key in 0..200 {
            let (name, item) = value(key, 300);
            cache.put(name, item);
            assert!(cache.get(&value(0, 0).0).is_some());
            assert!(cache.bytes() <= 10_000);
        }
        assert!(cache.get(&value(199, 0).0).is_some());
        assert!(cache.get(&value(100, 0).0).is_none());
    }

    #[test]
    fn replaced_and_removed_entries_are_not_counted() {
        let mut cache = Cache::new(10_000);
        for size in [1, 500, 3] {
            let (name, item) = value(1, size);
            cache.put(name, item);
        }
        assert_eq!(cache.bytes(), value(1, 3).1.bytes());
        let (name, item) = value(1, 9_000);
        cache.put(name, item);
        assert_eq!(cache.bytes(), 0);
    }
}
