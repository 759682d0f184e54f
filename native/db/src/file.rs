//! The file under the database, with what tests need to see it fail.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::StorageBackend;

use crate::recent::Recent;

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

/// What passed through a file.
#[derive(Debug, Default)]
pub struct Traffic {
    pub written: AtomicU64,
    changes: AtomicU64,
}

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
pub struct WatchedFile {
    inner: FileBackend,
    traffic: Arc<Traffic>,
    journal: Option<Mutex<File>>,
    recent: Mutex<Recent>,
    trial: Trial,
}

impl WatchedFile {
    /// Opens or makes the file; its small pages are cached in `cache` bytes.
    pub fn open(
        path: &Path,
        cache: usize,
        mut trial: Trial,
        traffic: Arc<Traffic>,
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
        let inner = FileBackend::new(file)?;
        Ok(WatchedFile {
            inner,
            traffic,
            journal,
            recent: Mutex::new(Recent::new(cache)),
            trial,
        })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses the change if the trial says so, else records it.
    fn change(&self, kind: u8, place: u64, data: &[u8]) -> Result<()> {
        let number = self.traffic.changes.fetch_add(1, Ordering::Relaxed) + 1;
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
}

impl StorageBackend for WatchedFile {
    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let known = self.recent().read(offset, out);
        let Err(missed) = known else {
            return Ok(());
        };
        self.inner.read(offset, out)?;
        self.recent().keep(offset, out, missed);
        Ok(())
    }

    /// The database takes for granted that the file is never shorter than its header says, so the
    /// disk must learn of a growth before it gets the header, and of a shrinking after it.
    fn set_len(&self, len: u64) -> Result<()> {
        let grows = len > self.inner.len()?;
        if !grows {
            self.sync_data()?;
        }
        self.change(b'L', len, &[])?;
        self.recent().clear();
        self.inner.set_len(len)?;
        if grows {
            self.sync_data()?;
        }
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        self.change(b'S', 0, &[])?;
        std::thread::sleep(self.trial.sync_delay);
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.change(b'W', offset, data)?;
        self.traffic
            .written
            .fetch_add(data.len() as u64, Ordering::Relaxed);
        let written = self.inner.write(offset, data);
        let mut recent = self.recent();
        match &written {
            Ok(()) => recent.write(offset, data),
            Err(_) => recent.clear(),
        }
        written
    }

    fn close(&self) -> Result<()> {
        self.inner.close()
    }
}
