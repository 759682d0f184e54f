//! A cache of pages and values, bounded in bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jamliquor_trie::{Key, Leaf, Page, Place};

/// Bytes that an entry takes beside its content: its rows in the map and in the queue.
const ENTRY_BYTES: usize = 160;

/// No entry takes more than this part of the cache.
const LARGEST_PART: usize = 4;

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
    entries: HashMap<Name, Entry>,
    /// Every entry once, in order of their turns; also names that are gone.
    turns: VecDeque<Name>,
}

impl Cache {
    pub fn new(limit: usize) -> Cache {
        let (entries, turns) = (HashMap::new(), VecDeque::new());
        Cache {
            limit,
            bytes: 0,
            entries,
            turns,
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
        self.bytes += size;
        match self.entries.get_mut(&name) {
            Some(entry) => {
                self.bytes -= entry.item.bytes();
                entry.item = item;
            }
            None => {
                self.entries.insert(name, Entry { item, used: false });
                self.turns.push_back(name);
            }
        }
        while self.bytes > self.limit {
            self.evict();
        }
    }

    pub fn remove(&mut self, name: &Name) {
        if let Some(entry) = self.entries.remove(name) {
            self.bytes -= entry.item.bytes();
            self.turns.retain(|other| other != name);
        }
    }

    fn evict(&mut self) {
        let Some(name) = self.turns.pop_front() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&name) else {
            return;
        };
        if entry.used {
            entry.used = false;
            self.turns.push_back(name);
        } else if let Some(entry) = self.entries.remove(&name) {
            self.bytes -= entry.item.bytes();
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
