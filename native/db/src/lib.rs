//! The database of a node: tables of byte strings, and one state trie, the base, as pages and values.
//!
//! Everything that changes together is one atomic write: rows of tables, and the move of the base to
//! a younger trie. Every row carries a checksum, so a flipped bit is noticed when the row is read and
//! the error names it; pages and values of the base are compared with the trie's hashes instead. Pages
//! and values are cached in a bounded number of bytes; the database below has a bounded cache of its own.

mod cache;
mod commit;
mod file;
mod mend;
mod pending;
mod pinned;
mod recent;
mod rows;
mod source;

use std::fmt;
use std::io::ErrorKind;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jamliquor_trie::{verify, Base, Source, SourceError, Trie};
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use crate::cache::Cache;
use crate::file::{Closed, Watch, WatchedFile};

pub use crate::file::Trial;
pub use crate::mend::{row_of, spot_of};
pub use crate::pinned::Pinned;
pub use crate::rows::{decode_writes, Write};

/// Tables by number. The last one is the base and is written only by moving it: pages by their place,
/// values by their key and [`VALUE_MARK`]. In this order a value stands near the page that names it,
/// so that both are often found by one read of the disk, and changed by one write.
const TABLES: [TableDefinition<'static, &[u8], &[u8]>; 6] = [
    TableDefinition::new("meta"),
    TableDefinition::new("records"),
    TableDefinition::new("slots"),
    TableDefinition::new("blocks"),
    TableDefinition::new("changes"),
    TableDefinition::new("state"),
];
const META: u8 = 0;
const BLOCKS: u8 = 3;
const CHANGES: u8 = 4;
const STATE: u8 = 5;

/// What follows the key of a value; no page has so large a level there.
const VALUE_MARK: u8 = 0xff;

/// Row of the meta table that holds what the base is, beside its pages and values.
const ANCHOR: &[u8] = b"anchor";

/// Key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The machine failed, or the file is damaged below the rows.
    Host,
    /// There is no room on the disk.
    Full,
    /// A write failed before, and the file takes no more; that failure told why.
    Closed,
    /// A row, or a page or value of the base, is not what it was.
    Damaged,
}

/// A database failed; a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbError {
    pub fault: Fault,
    pub text: String,
}

impl DbError {
    fn host(text: impl Into<String>) -> DbError {
        DbError {
            fault: Fault::Host,
            text: text.into(),
        }
    }

    fn damaged(text: impl Into<String>) -> DbError {
        DbError {
            fault: Fault::Damaged,
            text: text.into(),
        }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E: Into<redb::Error>> From<E> for DbError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error) => DbError {
                fault: match error.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                        Fault::Full
                    }
                    _ if error.get_ref().is_some_and(|inner| inner.is::<Closed>()) => Fault::Closed,
                    _ => Fault::Host,
                },
                text: error.to_string(),
            },
            redb::Error::PreviousIo => DbError {
                fault: Fault::Closed,
                text: Closed.to_string(),
            },
            redb::Error::Corrupted(what) => DbError::host(format!("the file is damaged: {what}")),
            redb::Error::DatabaseAlreadyOpen => DbError::host("another process uses it"),
            redb::Error::UpgradeRequired(version) => DbError::host(format!(
                "its file has format {version}, which this version cannot read"
            )),
            other => DbError::host(other.to_string()),
        }
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
    /// Lookups that were foreseen and read ahead.
    fetched: AtomicU64,
    /// The share of the latest lookups that missed memory, or would have: 65 536 is all of them.
    coldness: AtomicU32,
}

/// Of how many of the latest lookups the coldness tells, roughly: more than those of one block, which
/// come after what was read ahead for them.
const REMEMBERED: u32 = 512;

/// The coldness from which on reading ahead pays.
const COLD: u32 = 65_536 / 16;

impl Counts {
    /// Follows the share of lookups that miss. Two threads at once may lose some of it.
    fn feel(&self, missed: bool) {
        let before = self.coldness.load(Ordering::Relaxed);
        let gain = if missed { 65_536 / REMEMBERED } else { 0 };
        let after = before - before / REMEMBERED + gain;
        self.coldness.store(after, Ordering::Relaxed);
    }
}

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// An open database. Any number of threads may read while one writes.
#[derive(Debug)]
pub struct Db {
    shared: Arc<Shared>,
}

/// What the tries that refer to the base keep alive.
struct Shared {
    /// Who commits, closes, compacts or checks. A commit reads, on this and other threads, and must not
    /// wait for one who waits for it.
    turn: Mutex<()>,
    /// Nothing once the database is closed; locked for writing only to close, compact or check.
    database: RwLock<Option<Database>>,
    /// The table of the base as it is since the last commit, opened when it is first read.
    view: RwLock<Option<Arc<Rows>>>,
    cache: Mutex<Cache>,
    /// Where the base begins; locked for writing while it moves.
    base: RwLock<Base>,
    generation: AtomicU32,
    counts: Counts,
    file: Watch,
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
        // Inner pages are what pays.
        let own = file_cache / 4;
        let opened = WatchedFile::open(path, file_cache - own, trial)?;
        let file = opened.watch();
        let database = Database::builder()
            .set_cache_size(own)
            .create_with_backend(opened)?;
        let db = Db {
            shared: Arc::new(Shared {
                turn: Mutex::default(),
                database: RwLock::new(Some(database)),
                view: RwLock::new(None),
                cache: Mutex::new(Cache::new(cache)),
                base: RwLock::new(Base::default()),
                generation: AtomicU32::new(0),
                counts: Counts::default(),
                file,
            }),
        };
        // Where this row is damaged the other rows can still be read; asking for the base fails.
        if let Ok(Some(anchor)) = db.get(META, ANCHOR) {
            let generation = Trie::anchor_generation(&anchor).unwrap_or_default();
            db.shared.generation.store(generation, Ordering::SeqCst);
            *db.shared.base_mut() = Base::from_anchor(&anchor).unwrap_or_default();
        }
        Ok(db)
    }

    /// Writes what is pending and releases the file. Tries of the base give errors from now on.
    pub fn close(&self) -> Result<(), DbError> {
        let _turn = self.shared.turn();
        let mut database = self
            .shared
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.shared.forget_view();
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
    ) -> Result<Vec<Row>, DbError> {
        let mut rows = Vec::new();
        let mut size = 0;
        if first >= end {
            return Ok(rows);
        }
        self.shared.read(|database| {
            let Some(found) = rows::opened(&database.begin_read()?, table)? else {
                return Ok(());
            };
            for row in found.range(first..end)? {
                let (key, value) = row?;
                let key = key.value();
                if !rows::is_row(table, key) {
                    continue;
                }
                let value = rows::whole(&found, table, key, value.value())?;
                size += key.len() + value.len();
                rows.push((key.to_vec(), value));
                if rows.len() >= most || size >= bytes {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(rows)
    }

    /// Keys in order, from `first` on and before `end`, at most `most`; their rows are not looked at.
    pub fn keys(
        &self,
        table: u8,
        first: &[u8],
        end: &[u8],
        most: usize,
    ) -> Result<Vec<Vec<u8>>, DbError> {
        let mut keys = Vec::new();
        if first >= end {
            return Ok(keys);
        }
        self.shared.read(|database| {
            let Some(found) = rows::opened(&database.begin_read()?, table)? else {
                return Ok(());
            };
            for row in found.range(first..end)? {
                let (key, _) = row?;
                if keys.len() == most {
                    break;
                }
                if rows::is_row(table, key.value()) {
                    keys.push(key.value().to_vec());
                }
            }
            Ok(())
        })?;
        Ok(keys)
    }

    /// The base, as a trie of references; the empty trie before the first move.
    pub fn base(&self) -> Result<Trie, DbError> {
        let anchor = self.get(META, ANCHOR)?;
        let anchor = match anchor {
            Some(anchor) => anchor,
            None => Trie::default().to_anchor().map_err(unreadable)?,
        };
        let source: Arc<dyn Source> = self.shared.clone();
        Trie::from_anchor(&anchor, source)
            .ok_or_else(|| DbError::damaged("the row of the base is malformed"))
    }

    /// Gives free space back to the file system. Needs time that grows with the file.
    pub fn compact(&self) -> Result<(), DbError> {
        self.shared.exclusive(|database| {
            database.compact()?;
            Ok(())
        })
    }

    /// Looks at everything; gives a sentence for each thing that is damaged, at most `most`. The last
    /// commit must have been durable: the file is read anew.
    pub fn verify(&self, most: usize) -> Result<Vec<String>, DbError> {
        let mut found = Vec::new();
        self.shared.read(|database| {
            for table in 0..STATE {
                rows::verify(database, table, &mut found, most)?;
            }
            Ok(())
        })?;
        let damage = verify(&self.base()?, most.saturating_sub(found.len()).max(1));
        found.extend(damage.errors.iter().map(SourceError::to_string));
        found.truncate(most);
        // Last, and only where rows tell of nothing: it spoils the handle where it fails.
        if found.is_empty() {
            found.extend(self.integrity()?);
        }
        Ok(found)
    }

    /// Checks what lies below the rows. Where that is damaged the database is closed: it would stop
    /// with an assertion at whatever is asked of it next.
    fn integrity(&self) -> Result<Option<String>, DbError> {
        let checked = self
            .shared
            .exclusive(|database| Ok(database.check_integrity()))?;
        match checked {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(
                "the file was damaged and has been repaired".to_owned(),
            )),
            Err(error) => {
                let _turn = self.shared.turn();
                let mut open = self
                    .shared
                    .database
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                let spoiled = open.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(spoiled)));
                Ok(Some(DbError::from(error).text))
            }
        }
    }

    /// Lookups that memory served, and that it did not; the same for pages; bytes in the cache; atomic
    /// writes, those that waited for the disk, bytes written; lookups that were read ahead.
    pub fn counters(&self) -> [u64; 9] {
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
            self.shared.file.written(),
            load(&counts.fetched),
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
        .ok_or_else(|| DbError::host(format!("there is no table {table}")))
}

impl Shared {
    fn read<T>(&self, body: impl FnOnce(&Database) -> Result<T, DbError>) -> Result<T, DbError> {
        let guard: RwLockReadGuard<'_, Option<Database>> =
            self.database.read().unwrap_or_else(PoisonError::into_inner);
        body(guard.as_ref().ok_or_else(|| DbError::host(CLOSED))?)
    }

    fn exclusive<T>(
        &self,
        body: impl FnOnce(&mut Database) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        let _turn = self.turn();
        let mut guard = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.forget_view();
        body(guard.as_mut().ok_or_else(|| DbError::host(CLOSED))?)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        self.read(|database| rows::read(&database.begin_read()?, table, key))
    }

    /// A row of the base.
    fn state_row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        self.read(|database| {
            let Some(rows) = self.view(database)? else {
                return Ok(None);
            };
            let row = rows.get(key)?;
            Ok(row.map(|row| row.value().to_vec()))
        })
    }

    /// The table of the base; `None` when nothing was ever written to it.
    fn view(&self, database: &Database) -> Result<Option<Arc<Rows>>, DbError> {
        let known = self.view.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = known.as_ref() {
            return Ok(Some(Arc::clone(rows)));
        }
        drop(known);
        // Opened under the lock: a commit meanwhile waits for it, then forgets it.
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        if view.is_none() {
            *view = rows::opened(&database.begin_read()?, STATE)?.map(Arc::new);
        }
        Ok(view.clone())
    }

    /// Waits for the one who commits, closes or compacts.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn base_mut(&self) -> RwLockWriteGuard<'_, Base> {
        self.base.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_view(&self) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn base_of(anchor: &[u8]) -> Result<Base, DbError> {
    Base::from_anchor(anchor).ok_or_else(|| DbError::damaged("the row of the base is malformed"))
}

fn unreadable(error: SourceError) -> DbError {
    match error {
        SourceError::Host(text) => DbError::host(text),
        _ => DbError::damaged(error.to_string()),
    }
}
