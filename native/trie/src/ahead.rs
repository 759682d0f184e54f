//! Reading ahead: what lookups of many keys will need from a source is read by several threads at
//! once, because each of them mostly waits for the disk.
//!
//! Nothing here decides anything: what was read lies in the source's cache, and lookups compare it
//! with their hashes as ever. An error is left to the lookup that meets it.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::node::{Key, Leaf};
use crate::page::{Page, Place};
use crate::source::{Base, Reader, Source, SourceError};
use crate::trie::{Found, Trie};

/// Threads that read at once: enough to keep a disk of a small board busy.
const THREADS: usize = 8;

/// Up to so many keys are left to be read in turn: threads would cost more than they save.
const FEW: usize = 3;

/// One key of so many is looked at before all are.
const SAMPLE: usize = 32;

/// Keys that all threads read together: about those of a block that changes much.
const TOGETHER: usize = 128;

const STACK_BYTES: usize = 1 << 18;

/// What memory tells about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peek {
    /// All that a lookup needs is in memory.
    Known(Option<Leaf>),
    /// A lookup would read from the source.
    Unknown,
}

/// The part of a source that is in memory.
#[derive(Debug)]
struct Resident<'a>(&'a dyn Source);

impl Source for Resident<'_> {
    fn generation(&self) -> u32 {
        self.0.generation()
    }

    fn base(&self) -> Base {
        self.0.base()
    }

    fn page(&self, place: &Place, again: bool) -> Result<Arc<Page>, SourceError> {
        let page = (!again).then(|| self.0.foresee_page(place)).flatten();
        page.ok_or(SourceError::Page(*place))
    }

    fn value(&self, key: &Key, again: bool) -> Result<Leaf, SourceError> {
        let leaf = (!again).then(|| self.0.foresee_value(key)).flatten();
        leaf.ok_or(SourceError::Value(*key))
    }

    fn misses(&self) -> u64 {
        0
    }

    fn count_lookup(&self, _hit: bool) {}
}

impl Trie {
    /// Whether lookups lately had to read from the source so often that reading ahead pays.
    pub fn is_cold(&self) -> bool {
        self.reader().0.is_some_and(Source::is_cold)
    }

    /// The entry of a key as far as memory tells. Nothing is read.
    pub fn peek(&self, key: &Key) -> Peek {
        let resident = self.reader().0.map(Resident);
        let reader = Reader(resident.as_ref().map(|source| source as &dyn Source));
        let found = match self.find_by(reader, key) {
            Ok(Some(Found::Stored(stored))) => reader.leaf(&stored).map(Some),
            Ok(Some(Found::Memory(leaf))) => Ok(Some(leaf)),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        found.map_or(Peek::Unknown, Peek::Known)
    }

    /// Brings the pages that changes of these keys need into the source's cache, as far as there is
    /// room.
    pub(crate) fn fetch(&self, keys: &[Key]) {
        if !self.is_cold() {
            return;
        }
        // Where all was foreseen, looking for every key would be for nothing.
        let some = keys.iter().step_by(SAMPLE).copied().collect();
        if keys.len() > SAMPLE && self.lacking(some).is_empty() {
            return;
        }
        let missing = self.lacking(keys.to_vec());
        if missing.len() > FEW {
            self.read_all(missing);
        }
    }

    /// The keys among these of which memory does not know where they lead to; a value may be missing.
    fn lacking(&self, mut keys: Vec<Key>) -> Vec<Key> {
        let resident = self.reader().0.map(Resident);
        let reader = Reader(resident.as_ref().map(|source| source as &dyn Source));
        keys.retain(|key| self.find_by(reader, key).is_err());
        keys
    }

    /// Looks up many keys for the sake of the source's cache, more or less in their order: the cache lets go
    /// first of what came first.
    fn read_all(&self, mut keys: Vec<Key>) {
        keys.chunks_mut(TOGETHER)
            .for_each(|keys| self.read_together(keys));
    }

    fn read_together(&self, keys: &mut [Key]) {
        // Neighbours share pages, so each thread takes a stretch of keys.
        keys.sort_unstable();
        let share = keys.len().div_ceil(THREADS);
        thread::scope(|scope| {
            for stretch in keys.chunks(share) {
                let read = move || {
                    if let Some(source) = self.reader().0 {
                        source.begin_reading_ahead();
                    }
                    stretch.iter().for_each(|key| self.read(key));
                };
                // Without a thread nothing is read ahead.
                let _ = builder().spawn_scoped(scope, read);
            }
        });
    }

    fn read(&self, key: &Key) {
        if let Ok(Some(Found::Stored(stored))) = self.find(key) {
            let _ = self.reader().leaf(&stored);
        }
    }
}

fn builder() -> thread::Builder {
    thread::Builder::new().stack_size(STACK_BYTES)
}

/// Answers lookups of one trie from memory alone, and has those that it cannot answer read together.
#[derive(Debug)]
pub struct Foresight {
    trie: Trie,
    /// Keys in the order in which they were asked for, each once.
    asked: Vec<Key>,
    known: HashSet<Key>,
    /// The thread that leads the others; it tells how many keys memory lacked.
    reader: Option<JoinHandle<usize>>,
}

impl Foresight {
    /// For lookups of a trie.
    pub fn new(trie: &Trie) -> Foresight {
        Foresight {
            trie: trie.clone(),
            asked: Vec::new(),
            known: HashSet::new(),
            reader: None,
        }
    }

    /// What memory tells about a key; takes note of it where that is not enough.
    pub fn get(&mut self, key: &Key) -> Peek {
        let known = self.trie.peek(key);
        if known == Peek::Unknown {
            self.ask(key);
        }
        known
    }

    fn ask(&mut self, key: &Key) {
        if self.known.insert(*key) {
            self.asked.push(*key);
        }
    }

    /// Begins to read what memory lacked so far, and lacks of some more keys; comes back at once.
    pub fn start(&mut self, more: &[Key]) {
        more.iter().for_each(|key| self.ask(key));
        if self.reader.is_none() {
            let (trie, keys) = (self.trie.clone(), std::mem::take(&mut self.asked));
            // Without a thread nothing is read ahead.
            self.reader = builder().spawn(move || read_lacking(&trie, keys)).ok();
        }
    }

    /// Waits until all that memory lacked has been read.
    pub fn wait(&mut self) {
        // A thread that died has read nothing; the lookup that matters will.
        let before = self.reader.take().map(JoinHandle::join);
        let mut read = before.and_then(Result::ok).unwrap_or_default();
        read += read_lacking(&self.trie, std::mem::take(&mut self.asked));
        if let Some(source) = self.trie.reader().0 {
            source.count_fetched(read);
        }
    }
}

/// Reads what memory lacks of some entries; tells how many these are.
fn read_lacking(trie: &Trie, mut keys: Vec<Key>) -> usize {
    keys.retain(|key| trie.peek(key) == Peek::Unknown);
    let count = keys.len();
    if count > 0 {
        trie.read_all(keys);
    }
    count
}
