//! The file under the database, with what tests need to see it fail.

use std::fmt;
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::StorageBackend;

use crate::pending::{Overlaps, Pending};
use crate::recent::Recent;

/// Why a file takes no write: one before was lost.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed after an earlier failure")
    }
}

impl std::error::Error for Closed {}

/// How a file is to misbehave, for trials; the default is not at all.
#[derive(Debug, Default)]
pub struct Trial {
    /// Where every change of the file is recorded: kind (`W` write, `L` new length, `S` sync), offset
    /// or new length in eight little-endian bytes, length in eight, the bytes written.
    pub journal: Option<File>,
    /// The number of the change, from 1, from which on every change fails; 0 for none.
    pub fail_at: u64,
    /// Length in bytes that the file cannot exceed; 0 for no bound.
    pub capacity: u64,
    /// How much longer each sync takes.
    pub sync_delay: Duration,
}

/// Bytes that wait for a sync at most: what a move of the base by 8 blocks writes to a state of a million.
const MOST_PENDING: usize = 16 << 20;

/// Tells the kernel that reading around what is asked for would be for nothing: keys are hashes.
fn expect_random_reads(file: &File) {
    #[cfg(target_os = "linux")]
    // SAFETY: the descriptor is open; advice changes no memory, and nothing depends on its success.
    unsafe {
        use std::os::fd::AsRawFd;
        libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// A locked file of a database.
#[derive(Debug)]
pub struct WatchedFile(Arc<Inner>);

/// What may be asked of the file beside the database, which alone keeps it open.
#[derive(Debug)]
pub struct Watch {
    file: Weak<Inner>,
    written: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Inner {
    backend: FileBackend,
    journal: Option<Mutex<File>>,
    recent: Mutex<Recent>,
    pending: Mutex<Pending>,
    trial: Trial,
    changes: AtomicU64,
    written: Arc<AtomicU64>,
    /// Whether a write was lost that the database took for done.
    failed: AtomicBool,
}

impl WatchedFile {
    /// Opens or makes the file; its inner pages are cached in `cache` bytes.
    pub fn open(
        path: &Path,
        cache: usize,
        mut trial: Trial,
    ) -> std::result::Result<WatchedFile, redb::DatabaseError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| redb::DatabaseError::Storage(redb::StorageError::Io(error)))?;
        expect_random_reads(&file);
        let journal = trial.journal.take().map(Mutex::new);
        Ok(WatchedFile(Arc::new(Inner {
            backend: FileBackend::new(file)?,
            journal,
            recent: Mutex::new(Recent::new(cache)),
            pending: Mutex::new(Pending::default()),
            trial,
            changes: AtomicU64::new(0),
            written: Arc::default(),
            failed: AtomicBool::new(false),
        })))
    }

    /// What may be asked of it once the database has it.
    pub fn watch(&self) -> Watch {
        Watch {
            file: Arc::downgrade(&self.0),
            written: Arc::clone(&self.0.written),
        }
    }
}

impl Watch {
    /// Bytes that were written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Hands what waits for a sync to the system already. After an error the file refuses everything,
    /// as what the database takes for written is not there.
    pub fn flush(&self) -> Result<()> {
        self.file
            .upgrade()
            .map_or(Ok(()), |file| file.flush(&mut file.pending()))
    }
}

impl Inner {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses to go on where a write was lost.
    fn demand_whole(&self) -> Result<()> {
        match self.failed.load(Ordering::SeqCst) {
            true => Err(Error::other(Closed)),
            false => Ok(()),
        }
    }

    fn flush(&self, pending: &mut Pending) -> Result<()> {
        self.demand_whole()?;
        let taken = pending.take();
        let written = taken.each(|offset, bytes| {
            self.change(b'W', offset, bytes)?;
            self.written
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
            self.backend.write(offset, bytes)
        });
        pending.reuse(taken);
        self.failed.store(written.is_err(), Ordering::SeqCst);
        written
    }

    /// Refuses the change if the trial says so, else records it.
    fn change(&self, kind: u8, place: u64, data: &[u8]) -> Result<()> {
        let number = self.changes.fetch_add(1, Ordering::Relaxed) + 1;
        if self.trial.fail_at != 0 && number >= self.trial.fail_at {
            return Err(Error::other("input/output error (injected)"));
        }
        if kind == b'L' && self.trial.capacity != 0 && place > self.trial.capacity {
            return Err(Error::new(
                ErrorKind::StorageFull,
                "no space left on device",
            ));
        }
        if let Some(journal) = &self.journal {
            let mut journal = journal.lock().map_err(|_| Error::other("a writer died"))?;
            let mut record = vec![kind];
            record.extend_from_slice(&place.to_le_bytes());
            record.extend_from_slice(&(data.len() as u64).to_le_bytes());
            record.extend_from_slice(data);
            journal.write_all(&record)?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.flush(&mut self.pending())?;
        self.change(b'S', 0, &[])?;
        std::thread::sleep(self.trial.sync_delay);
        self.backend.sync_data()
    }
}

impl StorageBackend for WatchedFile {
    fn len(&self) -> Result<u64> {
        self.0.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let file = &*self.0;
        file.demand_whole()?;
        let known = file.recent().read(offset, out);
        let Err(missed) = known else {
            return Ok(());
        };
        let mut pending = file.pending();
        match pending.read(offset, out) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(Overlaps) => file.flush(&mut pending)?,
        }
        drop(pending);
        file.backend.read(offset, out)?;
        file.recent().keep(offset, out, missed);
        Ok(())
    }

    /// The database takes for granted that the file is never shorter than its header says, so the
    /// disk must learn of a growth before it gets the header, and of a shrinking after it.
    fn set_len(&self, len: u64) -> Result<()> {
        let file = &*self.0;
        file.flush(&mut file.pending())?;
        let grows = len > file.backend.len()?;
        if !grows {
            file.sync()?;
        }
        file.change(b'L', len, &[])?;
        file.recent().clear();
        file.backend.set_len(len)?;
        if grows {
            file.sync()?;
        }
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let file = &*self.0;
        file.recent().write(offset, data);
        let mut pending = file.pending();
        if pending.write(offset, data).is_err() {
            file.flush(&mut pending)?;
            // Nothing is left that it could overlap.
            let _ = pending.write(offset, data);
        }
        if pending.bytes() > MOST_PENDING {
            file.flush(&mut pending)?;
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        let flushed = self.0.flush(&mut self.0.pending());
        self.0.backend.close().and(flushed)
    }
}
