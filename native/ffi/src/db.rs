//! Exports of the database.
//!
//! Any number of threads may read one handle while one writes. Tries that come from it stay valid when
//! the handle is freed, but then give `JAM_ERR_HOST` for whatever is not in memory.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use jamliquor_db::{decode_writes, row_of, spot_of, Db, DbError, Fault, Trial};
use jamliquor_trie::Mender;

use crate::buffer::JamBuffer;
use crate::snapshot::entries_of;
use crate::status::{bytes, bytes_mut, free, guard, Failure};
use crate::status::{JAM_ERR_CLOSED, JAM_ERR_DAMAGED, JAM_ERR_FULL, JAM_ERR_HOST, JAM_OK};
use crate::trie::{borrow, deliver, JamTrie};

/// An open database, owned by the caller until freed.
pub struct JamDb {
    db: Db,
}

pub(crate) fn failed(error: DbError) -> Failure {
    Failure {
        code: match error.fault {
            Fault::Host => JAM_ERR_HOST,
            Fault::Full => JAM_ERR_FULL,
            Fault::Closed => JAM_ERR_CLOSED,
            Fault::Damaged => JAM_ERR_DAMAGED,
        },
        message: error.text,
    }
}

/// Borrows the database behind a handle.
///
/// # Safety
/// `handle` must be null or a live handle that is not freed while the result lives.
pub(crate) unsafe fn borrow_db<'a>(handle: *const JamDb) -> Result<&'a Db, Failure> {
    // SAFETY: null or live by this function's contract; the database locks itself.
    match unsafe { handle.as_ref() } {
        Some(handle) => Ok(&handle.db),
        None => Err(Failure::argument("null database")),
    }
}

/// Reads a path; `None` when it has no bytes.
///
/// # Safety
/// `path` must be readable for `len` bytes.
unsafe fn path_of(path: *const u8, len: usize) -> Result<Option<PathBuf>, Failure> {
    // SAFETY: passed on from this function's own contract.
    let text = std::str::from_utf8(unsafe { bytes(path, len)? })
        .map_err(|_| Failure::argument("a path that is not UTF-8"))?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

/// Large pieces of memory are had from the system one by one, and go back to it at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 768 << 10;

/// Free memory at the end of the heap that is not given back before a move of the base: what a block
/// needs for a moment, and would have to get page by page each time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SPARE: i32 = 2 << 20;

/// Keeps threads that read for a moment from each having memory set aside for them, and what a move of
/// the base needs for a moment from staying.
fn spare_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets numbers of the allocator, which it reads when memory is asked for.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, SPARE);
    }
}

/// Opens a database file, or makes it, and locks it. `cache` bounds the bytes of trie pages and values
/// in memory, `file_cache` those of the file. The rest serves trials: a file in which all changes are
/// recorded (none when the path is empty), the number of the change that fails first (0: none), a
/// length that the file cannot exceed (0: none), milliseconds that each sync takes longer.
///
/// # Safety
/// The paths must be readable for their lengths, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_db_open(
    path: *const u8,
    path_len: usize,
    cache: usize,
    file_cache: usize,
    journal: *const u8,
    journal_len: usize,
    fail_at: u64,
    capacity: u64,
    sync_delay_ms: u64,
    out: *mut *mut JamDb,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (path, journal) = unsafe { (path_of(path, path_len)?, path_of(journal, journal_len)?) };
        let path = path.ok_or_else(|| Failure::argument("an empty path"))?;
        let journal = journal
            .map(File::create)
            .transpose()
            .map_err(|error| Failure {
                code: JAM_ERR_HOST,
                message: error.to_string(),
            })?;
        let sync_delay = Duration::from_millis(sync_delay_ms);
        let trial = Trial {
            journal,
            fail_at,
            capacity,
            sync_delay,
        };
        spare_memory();
        let db = Db::open(&path, cache, file_cache, trial).map_err(failed)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || Box::into_raw(Box::new(JamDb { db }))) }
    })
}

/// Writes what is pending and releases the file; every later call fails.
///
/// # Safety
/// `db` must be a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_db_close(db: *const JamDb) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe { borrow_db(db)? }.close().map_err(failed)?;
        Ok(JAM_OK)
    })
}

/// Closes the database and destroys the handle; null is allowed and does nothing.
///
/// # Safety
/// `db` must be null or a live handle, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_db_free(db: *mut JamDb) {
    if db.is_null() {
        return;
    }
    // SAFETY: made by `Box::into_raw` in `jam_db_open`, and freed once by the contract.
    let handle = unsafe { Box::from_raw(db) };
    guard(|| {
        handle.db.close().map_err(failed)?;
        Ok(JAM_OK)
    });
}

/// Reads a row of a table: 0 when there is none, else 1 and its value in a new buffer.
///
/// # Safety
/// `db` must be a live handle, `key` readable for `key_len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_db_get(
    db: *const JamDb,
    table: u8,
    key: *const u8,
    key_len: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (db, key) = unsafe { (borrow_db(db)?, bytes(key, key_len)?) };
        let Some(value) = db.get(table, key).map_err(failed)? else {
            return Ok(0);
        };
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(value)) }?;
        Ok(1)
    })
}

/// Lists rows in order of their keys, from `first` on and before `end`, until there are `most` or they
/// fill 64 KiB. For each row: the key's length in one byte, the value's in four little-endian ones, the
/// key, the value.
///
/// # Safety
/// `db` must be a live handle, `first` and `end` readable for their lengths, `out` writable for one
/// pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_db_range(
    db: *const JamDb,
    table: u8,
    first: *const u8,
    first_len: usize,
    end: *const u8,
    end_len: usize,
    most: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    const BYTES: usize = 1 << 16;
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (db, first, end) = unsafe {
            (
                borrow_db(db)?,
                bytes(first, first_len)?,
                bytes(end, end_len)?,
            )
        };
        let mut listed = Vec::new();
        for (key, value) in db.range(table, first, end, most, BYTES).map_err(failed)? {
            listed.push(key.len() as u8);
            listed.extend_from_slice(&(value.len() as u32).to_le_bytes());
            listed.extend_from_slice(&key);
            listed.extend_from_slice(&value);
        }
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(listed)) }
    })
}

/// Lists keys in order, from `first` on and before `end`, at most `most`, also of damaged rows: for each
/// its length in one byte, then the key.
///
/// # Safety
/// `db` must be a live handle, `first` and `end` readable for their lengths, `out` writable for one
/// pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_db_keys(
    db: *const JamDb,
    table: u8,
    first: *const u8,
    first_len: usize,
    end: *const u8,
    end_len: usize,
    most: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (db, first, end) = unsafe {
            (
                borrow_db(db)?,
                bytes(first, first_len)?,
                bytes(end, end_len)?,
            )
        };
        let mut listed = Vec::new();
        for key in db.keys(table, first, end, most).map_err(failed)? {
            listed.push(key.len() as u8);
            listed.extend_from_slice(&key);
        }
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(listed)) }
    })
}

/// Changes rows, and moves the base to `base` unless that is null, in one atomic write. For each row the
/// table in one byte, the key's length in one byte, the value's in four little-endian ones (2^32 - 1
/// to remove it), the key, the value. With `durable` 0 it need not survive a loss of power yet.
///
/// # Safety
/// `db` must be a live handle, `writes` readable for `len` bytes, `base` null or a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_db_commit(
    db: *const JamDb,
    writes: *const u8,
    len: usize,
    base: *const JamTrie,
    durable: u8,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (db, writes) = unsafe { (borrow_db(db)?, bytes(writes, len)?) };
        let base = match base.is_null() {
            true => None,
            // SAFETY: passed on from this function's own contract.
            false => Some(unsafe { borrow(base)? }),
        };
        let writes =
            decode_writes(writes).ok_or_else(|| Failure::argument("a malformed batch of rows"))?;
        db.commit(&writes, base, durable != 0).map_err(failed)?;
        Ok(JAM_OK)
    })
}

/// Makes a trie of the base: references into the database, and no copy of it.
///
/// # Safety
/// `db` must be a live handle, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_db_base(db: *const JamDb, out: *mut *mut JamTrie) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let base = unsafe { borrow_db(db)? }.base().map_err(failed)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamTrie::into_raw(base)) }
    })
}

/// Gives free space back to the file system.
///
/// # Safety
/// `db` must be a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_db_compact(db: *const JamDb) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe { borrow_db(db)? }.compact().map_err(failed)?;
        Ok(JAM_OK)
    })
}

/// Looks for damage everywhere; the buffer has a line for each thing found, at most `most`. The last
/// commit must have been durable.
///
/// # Safety
/// `db` must be a live handle, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_db_verify(
    db: *const JamDb,
    most: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let found = unsafe { borrow_db(db)? }.verify(most).map_err(failed)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(found.join("\n").into_bytes())) }
    })
}

/// Lists what is damaged of the base, at most `most` rows: for each the length of its key in one byte,
/// the key, the first and the last key (31 bytes each) of the entries that it can be made from.
///
/// # Safety
/// `db` must be a live handle, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_db_damage(
    db: *const JamDb,
    most: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let spots = unsafe { borrow_db(db)? }.damage(most).map_err(failed)?;
        let mut listed = Vec::new();
        for spot in spots {
            let (row, (first, last)) = (row_of(&spot), spot.span());
            listed.push(row.len() as u8);
            listed.extend([&row[..], &first[..], &last[..]].concat());
        }
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(listed)) }
    })
}

/// Makes one row of the base anew; owned by the caller until freed.
pub struct JamMender {
    mender: Option<Mender>,
}

/// Makes a mender of a row that `jam_db_damage` listed.
///
/// # Safety
/// `row` must be readable for `row_len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_mender_new(
    row: *const u8,
    row_len: usize,
    out: *mut *mut JamMender,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let row = unsafe { bytes(row, row_len)? };
        let spot = spot_of(row).ok_or_else(|| Failure::argument("no row of the base"))?;
        let mender = Some(Mender::new(spot));
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || Box::into_raw(Box::new(JamMender { mender }))) }
    })
}

/// Destroys a mender; null is allowed and does nothing.
///
/// # Safety
/// `mender` must be null or a live handle, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_mender_free(mender: *mut JamMender) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(mender) }
}

/// Borrows a mender that has not been used up.
///
/// # Safety
/// `mender` must be null or a live handle that nobody else uses while the result lives.
unsafe fn borrow_mender<'a>(mender: *mut JamMender) -> Result<&'a mut Option<Mender>, Failure> {
    // SAFETY: null or live, and used by one call alone, by this function's own contract.
    match unsafe { mender.as_mut() } {
        Some(handle) if handle.mender.is_some() => Ok(&mut handle.mender),
        _ => Err(Failure::argument("null or used mender")),
    }
}

/// Gives a mender a batch of entries, each with a higher key than the one before. Another order or a
/// malformed batch is an argument error, and the mender is of no use any more.
///
/// # Safety
/// `mender` must be a live handle that nobody else uses now, `batch` readable for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_mender_push(
    mender: *mut JamMender,
    batch: *const u8,
    len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (mender, batch) = unsafe { (borrow_mender(mender)?, bytes(batch, len)?) };
        let entries = entries_of(batch)?;
        let leaves: Vec<_> = entries.iter().collect();
        if let Some(mender) = mender {
            mender
                .push(&leaves)
                .map_err(|error| Failure::argument(error.to_string()))?;
        }
        Ok(JAM_OK)
    })
}

/// Uses a mender that has all entries up: 1 when they give what the base refers to, which is now
/// written and durable with the next durable commit; 0 when they do not, and nothing was written.
///
/// # Safety
/// `db` must be a live handle, `mender` a live handle that nobody else uses now.
#[no_mangle]
pub unsafe extern "C" fn jam_db_mend(db: *const JamDb, mender: *mut JamMender) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (db, mender) = unsafe { (borrow_db(db)?, borrow_mender(mender)?) };
        match mender.take() {
            Some(mender) => Ok(i32::from(db.mend(mender).map_err(failed)?)),
            None => Err(Failure::argument("used mender")),
        }
    })
}

/// Writes nine numbers of eight little-endian bytes: lookups of entries that memory served, and that
/// it did not; the same of trie pages; bytes in the cache; atomic writes; those that waited for the
/// disk; bytes written to the file; lookups that were read ahead.
///
/// # Safety
/// `db` must be a live handle, `out` writable for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_db_counters(db: *const JamDb, out: *mut u8, capacity: usize) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (db, out) = unsafe { (borrow_db(db)?, bytes_mut(out, capacity)?) };
        let numbers = db.counters().map(u64::to_le_bytes).concat();
        if out.len() != numbers.len() {
            return Err(Failure::argument("the counters have 72 bytes"));
        }
        out.copy_from_slice(&numbers);
        Ok(JAM_OK)
    })
}
