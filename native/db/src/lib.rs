//! The database of a node: tables of byte strings, and one state trie, the base, as pages and values.
//!
//! Everything that changes together is one atomic write: rows of tables, and the move of the base to
//! a younger trie. Every row carries a checksum, so a flipped bit is noticed when the row is read and
//! the error names it; nodes of the trie are compared with their hashes besides. Pages and values
//! are cached in a bounded number of bytes; the database below has a bounded cache of its own.

mod cache;
mod file;
mod rows;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use jamliquor_trie::{verify, Advance, Key, Leaf, Page, Place, Source, SourceError, Trie};
use redb::{Database, Durability, ReadableDatabase, TableDefinition};

use crate::cache::{Cache, Item, Name};
use crate::file::{Traffic, WatchedFile};
use crate::rows::unseal;

pub use crate::file::Trial;
pub use crate::rows::{decode_writes, Write};

/// Tables by number. The last two belong to the base and are written only by moving it.
const TABLES: [TableDefinition<'static, &[u8], &[u8]>; 7] = [
    TableDefinition::new("meta"),
    TableDefinition::new("records"),
    TableDefinition::new("slots"),
    TableDefinition::new("blocks"),
    TableDefinition::new("changes"),
    TableDefinition::new("pages"),
    TableDefinition::new("values"),
];
const META: u8 = 0;
const PAGES: u8 = 5;
const VALUES: u8 = 6;

/// Row of the meta table that holds what the base is, beside its pages and values.
const ANCHOR: &[u8] = b"anchor";

/// A database failed; a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbError(pub String);

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Into<redb::Error>> From<E> for DbError {
    fn from(error: E) -> Self {
        DbError(match error.into() {
            redb::Error::Io(error) => error.to_string(),
            redb::Error::Corrupted(what) => format!("the file is damaged: {what}"),
            redb::Error::DatabaseAlreadyOpen => "another process uses it".to_owned(),
            redb::Error::UpgradeRequired(version) => {
                format!("its file has format {version}, which this version cannot read")
            }
            redb::Error::PreviousIo => "closed after an earlier failure".to_owned(),
            other => other.to_string(),
        })
    }
}

/// What a database did since it was opened.
#[derive(Debug, Default)]
struct Counts {
    lookup_hits: AtomicU64,
    lookup_misses: AtomicU64,
    page_hits: AtomicU64,
    page_misses: AtomicU64,
    commits: AtomicU64,
    synced: AtomicU64,
    /// Reads of pages or values that memory could not serve.
    missed: AtomicU64,
}

/// An open database. Any number of threads may read while one writes.
#[derive(Debug)]
pub struct Db {
    shared: Arc<Shared>,
}

/// What the tries that refer to the base keep alive.
struct Shared {
    /// Nothing once the database is closed; locked for writing only to close, compact or check.
    database: RwLock<Option<Database>>,
    cache: Mutex<Cache>,
    generation: AtomicU32,
    counts: Counts,
    traffic: Arc<Traffic>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

const CLOSED: &str = "the database is closed";

impl Db {
    /// Opens a database, or makes it. The cache of the base takes `cache` bytes, the cache of the
    /// file `file_cache`.
    pub fn open(path: &Path, cache: usize, file_cache: usize, trial: Trial) -> Result<Db, DbError> {
        let traffic = Arc::new(Traffic::default());
        let file = WatchedFile::open(path, trial, Arc::clone(&traffic))?;
        let database = Database::builder()
            .set_cache_size(file_cache)
            .create_with_backend(file)?;
        let db = Db {
            shared: Arc::new(Shared {
                database: RwLock::new(Some(database)),
                cache: Mutex::new(Cache::new(cache)),
                generation: AtomicU32::new(0),
                counts: Counts::default(),
                traffic,
            }),
        };
        if let Some(anchor) = db.get(META, ANCHOR)? {
            let generation = Trie::anchor_generation(&anchor)
                .ok_or_else(|| DbError("the row of the base is malformed".to_owned()))?;
            db.shared.generation.store(generation, Ordering::SeqCst);
        }
        Ok(db)
    }

    /// Writes what is pending and releases the file. Tries of the base give errors from now on.
    pub fn close(&self) -> Result<(), DbError> {
        let mut database = self
            .shared
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *database = None;
        Ok(())
    }

    /// The row of a key.
    pub fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        self.shared.get(table, key)
    }

    /// Rows in order of their keys, from `first` on and before `end`: until there are `most`, or
    /// they have `bytes` bytes.
    pub fn range(
        &self,
        table: u8,
        first: &[u8],
        end: &[u8],
        most: usize,
        bytes: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, DbError> {
        let mut rows = Vec::new();
        let mut size = 0;
        if first >= end {
            return Ok(rows);
        }
        self.shared.read(|database| {
            let reading = database.begin_read()?;
            let found = match reading.open_table(definition(table)?) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
                found => found?,
            };
            for row in found.range(first..end)? {
                let (key, value) = row?;
                let value = unseal(table, key.value(), value.value())?;
                size += key.value().len() + value.len();
                rows.push((key.value().to_vec(), value));
                if rows.len() >= most || size >= bytes {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// Makes changes of rows, and a move of the base to `base`, in one atomic write. A durable
    /// one waits for the disk; others become durable, in order, with the next durable one.
    pub fn commit(
        &self,
        writes: &[Write<'_>],
        base: Option<&Trie>,
        durable: bool,
    ) -> Result<(), DbError> {
        let advance = match base {
            Some(trie) => Some((
                Advance::between(&self.base()?, trie).map_err(unreadable)?,
                trie,
            )),
            None => None,
        };
        self.shared.read(|database| {
            let mut writing = database.begin_write()?;
            writing
                .set_durability(if durable {
                    Durability::Immediate
                } else {
                    Durability::None
                })
                .map_err(|error| DbError(error.to_string()))?;
            // Without it the first start after a crash reads the whole file.
            writing.set_quick_repair(durable);
            rows::write(&writing, writes)?;
            if let Some((advance, trie)) = &advance {
                rows::write_advance(&writing, advance, trie)?;
            }
            writing.commit()?;
            Ok(())
        })?;
        count(&self.shared.counts.commits);
        if durable {
            count(&self.shared.counts.synced);
        }
        if let Some((advance, trie)) = advance {
            self.shared.refresh(advance);
            self.shared
                .generation
                .store(trie.generation(), Ordering::SeqCst);
        }
        Ok(())
    }

    /// The base, as a trie of references; the empty trie before the first move.
    pub fn base(&self) -> Result<Trie, DbError> {
        let anchor = self.get(META, ANCHOR)?;
        let anchor = anchor.unwrap_or_else(|| Trie::default().to_anchor());
        let source: Arc<dyn Source> = self.shared.clone();
        Trie::from_anchor(&anchor, source)
            .ok_or_else(|| DbError("the row of the base is malformed".to_owned()))
    }

    /// Gives free space back to the file system. Needs time that grows with the file.
    pub fn compact(&self) -> Result<(), DbError> {
        self.shared.exclusive(|database| {
            database.compact()?;
            Ok(())
        })
    }

    /// Looks at everything; gives a sentence for each thing that is damaged, at most `most`.
    pub fn verify(&self, most: usize) -> Result<Vec<String>, DbError> {
        let mut found = Vec::new();
        self.shared.exclusive(|database| {
            match database.check_integrity() {
                Ok(true) => {}
                Ok(false) => found.push("the file was damaged and has been repaired".to_owned()),
                Err(error) => found.push(DbError::from(error).0),
            }
            Ok(())
        })?;
        self.shared.read(|database| {
            for table in 0..PAGES {
                rows::verify(database, table, &mut found, most)?;
            }
            Ok(())
        })?;
        let damage = verify(&self.base()?, most.saturating_sub(found.len()).max(1));
        found.extend(damage.errors.iter().map(SourceError::to_string));
        found.truncate(most);
        Ok(found)
    }

    /// Lookups that memory served, and that it did not; the same for pages; bytes in the cache; atomic
    /// writes, those that waited for the disk, bytes written.
    pub fn counters(&self) -> [u64; 8] {
        let counts = &self.shared.counts;
        let cache = self.shared.cache().bytes() as u64;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            load(&counts.lookup_hits),
            load(&counts.lookup_misses),
            load(&counts.page_hits),
            load(&counts.page_misses),
            cache,
            load(&counts.commits),
            load(&counts.synced),
            load(&self.shared.traffic.written),
        ]
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn definition(
    table: u8,
) -> Result<TableDefinition<'static, &'static [u8], &'static [u8]>, DbError> {
    TABLES
        .get(usize::from(table))
        .copied()
        .ok_or_else(|| DbError(format!("there is no table {table}")))
}

impl Shared {
    fn read<T>(&self, body: impl FnOnce(&Database) -> Result<T, DbError>) -> Result<T, DbError> {
        let guard: RwLockReadGuard<'_, Option<Database>> =
            self.database.read().unwrap_or_else(PoisonError::into_inner);
        body(guard.as_ref().ok_or_else(|| DbError(CLOSED.to_owned()))?)
    }

    fn exclusive<T>(
        &self,
        body: impl FnOnce(&mut Database) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let mut guard = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        body(guard.as_mut().ok_or_else(|| DbError(CLOSED.to_owned()))?)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        self.read(|database| {
            let reading = database.begin_read()?;
            let found = match reading.open_table(definition(table)?) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                found => found?,
            };
            let row = found.get(key)?;
            row.map(|row| unseal(table, key, row.value())).transpose()
        })
    }

    /// Brings the cache up to a move of the base.
    fn refresh(&self, advance: Advance) {
        let mut cache = self.cache();
        for (place, page) in advance.pages {
            match page {
                Some(page) => cache.put(Name::Page(place), Item::Page(Arc::new(page))),
                None => cache.remove(&Name::Page(place)),
            }
        }
        for (key, value) in advance.values {
            match value {
                Some(leaf) => cache.put(Name::Value(key), Item::Value(leaf)),
                None => cache.remove(&Name::Value(key)),
            }
        }
    }
}

fn unreadable(error: SourceError) -> DbError {
    DbError(error.to_string())
}

fn host(error: DbError) -> SourceError {
    SourceError::Host(error.0)
}

impl Source for Shared {
    fn generation(&self) -> u32 {
        self.generation.load(Ordering::SeqCst)
    }

    fn page(&self, place: &Place, again: bool) -> Result<Arc<Page>, SourceError> {
        let name = Name::Page(*place);
        match self.cache().get(&name) {
            Some(Item::Page(page)) if !again => {
                count(&self.counts.page_hits);
                return Ok(page);
            }
            _ => {}
        }
        count(&self.counts.page_misses);
        count(&self.counts.missed);
        let missing = SourceError::Page(*place);
        let bytes = self.get(PAGES, &place.to_bytes()).map_err(host)?;
        let bytes = bytes.ok_or(missing.clone())?;
        let page = Arc::new(Page::from_bytes(&bytes, place).ok_or(missing)?);
        self.cache().put(name, Item::Page(Arc::clone(&page)));
        Ok(page)
    }

    fn value(&self, key: &Key, again: bool) -> Result<Leaf, SourceError> {
        let name = Name::Value(*key);
        match self.cache().get(&name) {
            Some(Item::Value(leaf)) if !again => return Ok(leaf),
            _ => {}
        }
        count(&self.counts.missed);
        let missing = SourceError::Value(*key);
        let mut entry = key.to_vec();
        entry.extend(
            self.get(VALUES, key)
                .map_err(host)?
                .ok_or(missing.clone())?,
        );
        let leaf = Leaf::from_bytes(&entry).ok_or(missing)?;
        self.cache().put(name, Item::Value(leaf.clone()));
        Ok(leaf)
    }

    fn misses(&self) -> u64 {
        self.counts.missed.load(Ordering::Relaxed)
    }

    fn count_lookup(&self, hit: bool) {
        count(if hit {
            &self.counts.lookup_hits
        } else {
            &self.counts.lookup_misses
        });
    }
}
