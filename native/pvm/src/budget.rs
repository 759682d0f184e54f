//! What all machines of one engine share: the cap on resident guest pages, and the spill file.
//!
//! Every frame of guest memory that becomes resident is reserved here first. Above the cap a machine
//! moves its oldest frames to an unlinked file; each may keep a few frames above the cap, so that
//! it always progresses. Past the file's quota, or without a file past the cap, the run stops with
//! a [`HostFailure`], which says nothing about the guest.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::Mutex;

/// The machines' own tables may take this part of the cap, on top of it.
const FIXED_SHARE: usize = 3;

/// The host could not serve a machine; no verdict on the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFailure(pub String);

/// Figures of one engine since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes of guest memory resident now.
    pub resident: u64,
    /// Most bytes ever resident at once.
    pub peak: u64,
    /// Frames written to the spill file.
    pub spilled: u64,
    /// Frames read back from it.
    pub restored: u64,
}

/// A position in the spill file, in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(u32);

#[derive(Default)]
struct SpillFile {
    file: Option<File>,
    free: Vec<u32>,
    used: u32,
}

/// The shared account. `directory` is where the spill file may be made; it is made on first use.
pub struct Budget {
    cap: usize,
    quota: u64,
    frame_len: usize,
    directory: Option<PathBuf>,
    resident: AtomicUsize,
    peak: AtomicUsize,
    fixed: AtomicUsize,
    spilled: AtomicU64,
    restored: AtomicU64,
    spill: Mutex<SpillFile>,
}

impl Budget {
    /// An account of `cap` resident bytes and, with a directory, `quota` bytes of file.
    pub fn new(cap: usize, directory: Option<&Path>, quota: u64, frame_len: usize) -> Self {
        Budget {
            cap,
            quota,
            frame_len,
            directory: directory.map(Path::to_owned),
            resident: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            fixed: AtomicUsize::new(0),
            spilled: AtomicU64::new(0),
            restored: AtomicU64::new(0),
            spill: Mutex::default(),
        }
    }

    pub fn counters(&self) -> Counters {
        Counters {
            resident: self.resident.load(Relaxed) as u64,
            peak: self.peak.load(Relaxed) as u64,
            spilled: self.spilled.load(Relaxed),
            restored: self.restored.load(Relaxed),
        }
    }

    pub(crate) fn can_spill(&self) -> bool {
        self.directory.is_some()
    }

    /// Counts `len` more bytes if that stays within the cap.
    pub(crate) fn try_reserve(&self, len: usize) -> bool {
        let counted = self.resident.fetch_update(Relaxed, Relaxed, |now| {
            now.checked_add(len).filter(|&n| n <= self.cap)
        });
        if let Ok(before) = counted {
            self.peak.fetch_max(before + len, Relaxed);
        }
        counted.is_ok()
    }

    /// Counts `len` more bytes whatever the cap: the few that every machine may keep.
    pub(crate) fn reserve_over(&self, len: usize) {
        let before = self.resident.fetch_add(len, Relaxed);
        self.peak.fetch_max(before + len, Relaxed);
    }

    pub(crate) fn release(&self, len: usize) {
        self.resident.fetch_sub(len, Relaxed);
    }

    /// Counts what a machine needs beside its frames, which has an allowance of its own: a machine
    /// that fills the cap must not keep others from starting.
    pub(crate) fn reserve_fixed(&self, len: usize) -> Result<(), HostFailure> {
        let allowance = self.cap / FIXED_SHARE;
        self.fixed
            .fetch_update(Relaxed, Relaxed, |now| {
                now.checked_add(len).filter(|&n| n <= allowance)
            })
            .map(|_| ())
            .map_err(|_| HostFailure(format!("machines in flight need over {allowance} bytes")))
    }

    pub(crate) fn release_fixed(&self, len: usize) {
        self.fixed.fetch_sub(len, Relaxed);
    }

    pub(crate) fn exhausted(&self) -> HostFailure {
        HostFailure(format!(
            "guest memory exceeds {} bytes resident and {} bytes of spill file",
            self.cap,
            if self.can_spill() { self.quota } else { 0 }
        ))
    }

    /// Writes one frame to a free slot of the file.
    pub(crate) fn spill(&self, frame: &[u8]) -> Result<Slot, HostFailure> {
        let mut spill = self.lock();
        let slot = match spill.free.pop() {
            Some(slot) => slot,
            None if (u64::from(spill.used) + 1) * self.frame_len as u64 <= self.quota => {
                spill.used += 1;
                spill.used - 1
            }
            None => return Err(self.exhausted()),
        };
        let result = self
            .file(&mut spill)
            .and_then(|file| file.write_all_at(frame, u64::from(slot) * self.frame_len as u64));
        if let Err(error) = result {
            spill.free.push(slot);
            return Err(HostFailure(format!("spill file: {error}")));
        }
        self.spilled.fetch_add(1, Relaxed);
        Ok(Slot(slot))
    }

    /// Reads a slot back and frees it; on failure it stays taken.
    pub(crate) fn restore(&self, slot: Slot, frame: &mut [u8]) -> Result<(), HostFailure> {
        let mut spill = self.lock();
        self.file(&mut spill)
            .and_then(|file| file.read_exact_at(frame, u64::from(slot.0) * self.frame_len as u64))
            .map_err(|error| HostFailure(format!("spill file: {error}")))?;
        spill.free.push(slot.0);
        self.restored.fetch_add(1, Relaxed);
        Ok(())
    }

    pub(crate) fn free_slot(&self, slot: Slot) {
        self.lock().free.push(slot.0);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SpillFile> {
        // A holder that panicked left at worst a slot unused.
        self.spill
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn file<'a>(&self, spill: &'a mut SpillFile) -> io::Result<&'a File> {
        match &mut spill.file {
            Some(file) => Ok(file),
            empty => {
                let directory = self.directory.as_deref().ok_or(io::ErrorKind::NotFound)?;
                Ok(empty.insert(unlinked_file(directory)?))
            }
        }
    }
}

/// A new file of `directory` without a name, gone when it is closed however the process ends.
fn unlinked_file(directory: &Path) -> io::Result<File> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    loop {
        let serial = SERIAL.fetch_add(1, Relaxed);
        let path = directory.join(format!(".pvm-spill-{}-{serial}", std::process::id()));
        match OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
        {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
