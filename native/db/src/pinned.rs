//! A view of the base that stays as it is while the base moves on.
//!
//! It reads what the file held when it was made, so as long as it lives the file cannot use again the
//! space of what was changed since. It has a small cache of its own: whoever walks over all entries
//! leaves the cache of the base to those who look things up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jamliquor_trie::{Base, Key, Leaf, Page, Place, Source, SourceError, Trie};
use redb::{ReadTransaction, ReadableDatabase};

use crate::cache::{Cache, Item, Name};
use crate::rows::{self, value_key};
use crate::{base_of, Db, DbError, Rows, ANCHOR, META, STATE};

const RELEASED: &str = "the view of the state was released";

/// What a view reads from.
struct Reading {
    transaction: ReadTransaction,
    /// The table of the base; `None` when nothing was ever written to it.
    rows: Option<Rows>,
}

impl Reading {
    fn row(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        rows::read(&self.transaction, table, key)
    }
}

/// What the tries of a view keep alive.
struct View {
    /// Nothing once the view is released.
    reading: RwLock<Option<Reading>>,
    base: Base,
    generation: u32,
    cache: Mutex<Cache>,
    misses: AtomicU64,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// A view of a database at one moment. Any number of threads may use it, also while the database is
/// written, until it is released.
#[derive(Debug)]
pub struct Pinned {
    view: Arc<View>,
    anchor: Vec<u8>,
}

impl Db {
    /// A view of what was committed last, with a cache of pages of `cache` bytes. Release it before the
    /// database is compacted: that needs all of the file.
    pub fn pin(&self, cache: usize) -> Result<Pinned, DbError> {
        let transaction = self.shared.read(|database| Ok(database.begin_read()?))?;
        let rows = rows::opened(&transaction, STATE)?;
        let reading = Reading { transaction, rows };
        let anchor = reading
            .row(META, ANCHOR)?
            .ok_or_else(|| DbError::host("there is no base yet"))?;
        let view = View {
            base: base_of(&anchor)?,
            generation: Trie::anchor_generation(&anchor).unwrap_or_default(),
            reading: RwLock::new(Some(reading)),
            cache: Mutex::new(Cache::new(cache)),
            misses: AtomicU64::new(0),
        };
        Ok(Pinned {
            view: Arc::new(view),
            anchor,
        })
    }
}

impl Pinned {
    /// The base of that moment, as a trie of references.
    pub fn trie(&self) -> Result<Trie, DbError> {
        let source: Arc<dyn Source> = self.view.clone();
        Trie::from_anchor(&self.anchor, source)
            .ok_or_else(|| DbError::damaged("the row of the base is malformed"))
    }

    /// The row that a key had.
    pub fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        self.view.read(|reading| reading.row(table, key))
    }

    /// Lets the file use its space again. Whatever reads through the view fails from now on.
    pub fn release(&self) {
        let mut reading = self
            .view
            .reading
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *reading = None;
    }
}

impl View {
    fn read<T>(&self, body: impl FnOnce(&Reading) -> Result<T, DbError>) -> Result<T, DbError> {
        let reading = self.reading.read().unwrap_or_else(PoisonError::into_inner);
        body(reading.as_ref().ok_or_else(|| DbError::host(RELEASED))?)
    }

    fn state_row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SourceError> {
        self.misses.fetch_add(1, Ordering::Relaxed);
        self.read(|reading| {
            let Some(rows) = &reading.rows else {
                return Ok(None);
            };
            Ok(rows.get(key)?.map(|row| row.value().to_vec()))
        })
        .map_err(|error| SourceError::Host(error.text))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for View {
    fn generation(&self) -> u32 {
        self.generation
    }

    fn base(&self) -> Base {
        self.base.clone()
    }

    fn page(&self, place: &Place, again: bool) -> Result<Arc<Page>, SourceError> {
        match self.cached_page(place) {
            Some(page) if !again => return Ok(page),
            _ => {}
        }
        let wrong = SourceError::Page(*place);
        let bytes = self.state_row(&place.to_bytes())?.ok_or(wrong.clone())?;
        let page = Arc::new(Page::from_bytes(bytes, place).ok_or(wrong)?);
        let item = Item::Page(Arc::clone(&page));
        self.cache().put(Name::Page(*place), item);
        Ok(page)
    }

    fn value(&self, key: &Key, _again: bool) -> Result<Leaf, SourceError> {
        let wrong = SourceError::Value(*key);
        let value = self.state_row(&value_key(key))?.ok_or(wrong.clone())?;
        Leaf::from_bytes(&[&key[..], &value].concat()).ok_or(wrong)
    }

    fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    fn count_lookup(&self, _hit: bool) {}

    fn cached_page(&self, place: &Place) -> Option<Arc<Page>> {
        self.cache().get(&Name::Page(*place))?.into_page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, Trial};
    use jamliquor_trie::Change;

    const CACHE: usize = 1 << 20;

    fn put(key: u16, value: &[u8]) -> Change {
        let mut entry = vec![0; 31];
        entry[..2].copy_from_slice(&key.to_be_bytes());
        entry.extend_from_slice(value);
        Change::Put(Leaf::from_bytes(&entry).unwrap())
    }

    fn entries(trie: &Trie) -> Result<Vec<Leaf>, SourceError> {
        trie.entries_from(&[0; 31])?.collect()
    }

    #[test]
    fn a_view_stays_while_the_base_moves_on_and_ends_when_it_is_released() {
        let path = std::env::temp_dir().join(format!("jamliquor-pinned-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let db = Db::open(&path, CACHE, CACHE, Trial::default()).unwrap();
        assert_eq!(db.pin(CACHE).unwrap_err().fault, Fault::Host);
        // Small values stand in pages, large ones are rows.
        let values: Vec<Change> = (0..3000)
            .map(|key| put(key, &vec![key as u8; if key % 7 == 0 { 900 } else { 40 }]))
            .collect();
        let first = db.base().unwrap().apply(values).unwrap();
        db.commit(&[], Some(&first), false).unwrap();
        let pinned = db.pin(CACHE).unwrap();
        let before = entries(&db.base().unwrap()).unwrap();
        for step in 0..10u16 {
            let changes = (0..3000)
                .filter(|key| key % 10 == step)
                .map(|key| put(key, b"new"));
            let next = db.base().unwrap().apply(changes.collect()).unwrap();
            db.commit(&[], Some(&next), step % 2 == 1).unwrap();
        }
        let trie = pinned.trie().unwrap();
        assert_eq!(trie.root(), first.root());
        assert_eq!(entries(&trie).unwrap(), before);
        assert_ne!(entries(&db.base().unwrap()).unwrap(), before);
        assert!(pinned.view.cache().bytes() <= CACHE);
        assert!(db.compact().is_err());
        pinned.release();
        db.compact().unwrap();
        assert!(matches!(entries(&trie), Err(SourceError::Host(_))));
        assert!(pinned.get(META, ANCHOR).is_err());
        db.close().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
