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
    pub fn into_page(self) -> Option<Arc<Page>> {
        match self {
            Item::Page(page) => Some(page),
            Item::Value(_) => None,
        }
    }

    pub fn into_value(self) -> Option<Leaf> {
        match self {
            Item::Page(_) => None,
            Item::Value(leaf) => Some(leaf),
        }
    }

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

/// What is new may take so many eighths of what inner pages leave, even where everything else is in use:
/// it was read ahead, perhaps, and will be needed in a moment.
const FRESH_EIGHTHS: usize = 7;

/// Which queue an entry waits in for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It is new, and was not used yet.
    Fresh,
    Proven,
    Inner,
}

#[derive(Debug)]
struct Entry {
    item: Item,
    turn: Turn,
    used: bool,
}

/// The names of entries in order of their turns; also names that are gone or that went to another queue.
#[derive(Debug, Default)]
struct Queue {
    names: VecDeque<Name>,
    bytes: usize,
}

/// Keeps what was used lately: when it is full, an entry goes unless it was used since its last
/// turn. Readers compare what they get with the hash they look for, so an entry that was replaced
/// on disk can do no harm; it is replaced here as well, to be of use.
#[derive(Debug)]
pub struct Cache {
    limit: usize,
    entries: HashMap<Name, Entry>,
    queues: [Queue; 3],
}

impl Cache {
    pub fn new(limit: usize) -> Cache {
        Cache {
            limit,
            entries: HashMap::new(),
            queues: Default::default(),
        }
    }

    pub fn bytes(&self) -> usize {
        self.queues.iter().map(|queue| queue.bytes).sum()
    }

    pub fn get(&mut self, name: &Name) -> Option<Item> {
        self.look(name, Turn::Fresh, Turn::Proven)
    }

    /// The same for a lookup that is foreseen: the entry is kept for it as if it had been read ahead.
    pub fn foresee(&mut self, name: &Name) -> Option<Item> {
        self.look(name, Turn::Proven, Turn::Fresh)
    }

    /// Gives an entry, which goes from one queue to the other, or else has been used.
    fn look(&mut self, name: &Name, from: Turn, to: Turn) -> Option<Item> {
        let entry = self.entries.get_mut(name)?;
        let item = entry.item.clone();
        if entry.turn == from {
            pass(name, entry, to, &mut self.queues);
            self.tidy(from);
        } else {
            entry.used = true;
        }
        Some(item)
    }

    /// Adds an entry, or replaces it.
    pub fn put(&mut self, name: Name, item: Item) {
        if item.bytes() > self.limit / LARGEST_PART {
            return self.remove(&name);
        }
        let old = self.entries.remove(&name);
        if let Some(old) = &old {
            self.queue(old.turn).bytes -= old.item.bytes();
        }
        let known = old.map(|old| (old.turn, old.used));
        let (turn, used) = match known.filter(|(turn, _)| *turn != Turn::Inner) {
            _ if item.is_inner() => (Turn::Inner, false),
            Some(known) => known,
            None => (Turn::Fresh, false),
        };
        let waits = known.is_some_and(|(known, _)| known == turn);
        self.wait(name, Entry { item, turn, used }, waits);
        while self.bytes() > self.limit {
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
        let Some(entry) = self.entries.remove(name) else {
            return;
        };
        self.queue(entry.turn).bytes -= entry.item.bytes();
        self.tidy(entry.turn);
    }

    /// Keeps the names of what is gone from a queue from outgrowing the others.
    fn tidy(&mut self, turn: Turn) {
        let entries = &self.entries;
        let names = &mut self.queues[turn as usize].names;
        if names.len() > 2 * entries.len() + FORGOTTEN {
            let mut once = HashSet::new();
            names.retain(|name| {
                let here = entries.get(name).is_some_and(|one| one.turn == turn);
                here && once.insert(*name)
            });
        }
    }

    fn queue(&mut self, turn: Turn) -> &mut Queue {
        &mut self.queues[turn as usize]
    }

    /// Has an entry wait for its turn, at the end of its queue unless its name `waits` there already.
    fn wait(&mut self, name: Name, entry: Entry, waits: bool) {
        let queue = self.queue(entry.turn);
        queue.bytes += entry.item.bytes();
        if !waits {
            queue.names.push_back(name);
        }
        self.entries.insert(name, entry);
    }

    /// Whose turn it is.
    fn next(&self) -> Turn {
        let [fresh, proven, inner] = &self.queues;
        let spared = inner.bytes <= self.limit / 8 * SPARED_EIGHTHS;
        let others = fresh.bytes + proven.bytes;
        if others == 0 || !(spared || inner.bytes == 0) {
            Turn::Inner
        } else if proven.bytes == 0 || fresh.bytes > (self.limit - inner.bytes) / 8 * FRESH_EIGHTHS
        {
            Turn::Fresh
        } else {
            Turn::Proven
        }
    }

    fn evict(&mut self) {
        let turn = self.next();
        let Some(name) = self.queue(turn).names.pop_front() else {
            return;
        };
        if self
            .entries
            .get(&name)
            .is_none_or(|entry| entry.turn != turn)
        {
            return;
        }
        let Some(mut entry) = self.entries.remove(&name) else {
            return;
        };
        self.queue(turn).bytes -= entry.item.bytes();
        if entry.used {
            entry.used = false;
            self.wait(name, entry, false);
        }
    }
}

/// Has an entry wait at the end of another queue.
fn pass(name: &Name, entry: &mut Entry, to: Turn, queues: &mut [Queue; 3]) {
    let (from, bytes) = (std::mem::replace(&mut entry.turn, to), entry.item.bytes());
    entry.used = false;
    queues[from as usize].bytes -= bytes;
    let queue = &mut queues[to as usize];
    queue.bytes += bytes;
    queue.names.push_back(*name);
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

    fn put(cache: &mut Cache, key: u8) {
        let (name, item) = value(key, 300);
        cache.put(name, item);
    }

    /// A cache of some entries that were all used.
    fn used(count: u8) -> Cache {
        let mut cache = Cache::new(10_000);
        for key in 0..count {
            put(&mut cache, key);
            assert!(cache.get(&value(key, 0).0).is_some());
        }
        cache
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
    fn what_is_new_is_kept_a_while_though_everything_else_is_in_use() {
        let mut cache = used(20);
        (20..28).for_each(|key| put(&mut cache, key));
        for key in 20..28 {
            assert!(cache.get(&value(key, 0).0).is_some());
        }
    }

    #[test]
    fn what_is_foreseen_is_kept_though_more_is_read_before_it_is_used() {
        let mut cache = used(8);
        assert!(cache.foresee(&value(0, 0).0).is_some());
        (20..35).for_each(|key| put(&mut cache, key));
        assert!(cache.get(&value(0, 0).0).is_some());
        assert!(cache.get(&value(1, 0).0).is_none());
    }

    #[test]
    fn names_of_what_is_gone_are_forgotten() {
        let mut cache = Cache::new(10_000);
        for number in 0..5_000u16 {
            let (_, item) = value(0, 300);
            let mut key = [0; 31];
            key[..2].copy_from_slice(&number.to_le_bytes());
            cache.put(Name::Value(key), item);
            assert!(cache.get(&Name::Value(key)).is_some());
            let names: usize = cache.queues.iter().map(|queue| queue.names.len()).sum();
            assert!(names <= 2 * (2 * cache.entries.len() + FORGOTTEN + 1));
        }
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
