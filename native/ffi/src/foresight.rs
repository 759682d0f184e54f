//! Exports of reading ahead: lookups that memory answers, and reads of what it cannot answer.

use std::sync::{Mutex, PoisonError};

use jamliquor_trie::{Foresight, Key, Peek};

use crate::status::{bytes, bytes_mut, free, guard, Failure, JAM_OK};
use crate::trie::{borrow, deliver, whole_key, JamTrie};

/// A foresight, owned by the caller until freed. Any thread may use it.
pub struct JamForesight {
    foresight: Mutex<Foresight>,
}

/// Borrows the foresight behind a handle.
///
/// # Safety
/// `handle` must be null or a live handle that is not freed while the result lives.
unsafe fn borrow_foresight<'a>(
    handle: *const JamForesight,
) -> Result<&'a Mutex<Foresight>, Failure> {
    // SAFETY: null or live by this function's contract; the lock guards what is inside.
    match unsafe { handle.as_ref() } {
        Some(handle) => Ok(&handle.foresight),
        None => Err(Failure::argument("null foresight")),
    }
}

/// Whether reading ahead pays: 1 when lookups lately missed memory often, else 0.
///
/// # Safety
/// `trie` must be a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_cold(trie: *const JamTrie) -> i32 {
    // SAFETY: passed on from this function's own contract.
    guard(|| Ok(i32::from(unsafe { borrow(trie)? }.is_cold())))
}

/// Makes a foresight of a trie, which need not outlive it.
///
/// # Safety
/// `trie` must be a live handle, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_foresight_new(
    trie: *const JamTrie,
    out: *mut *mut JamForesight,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let foresight = Mutex::new(Foresight::new(unsafe { borrow(trie)? }));
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || Box::into_raw(Box::new(JamForesight { foresight }))) }
    })
}

/// Destroys the handle; null is allowed and does nothing. Reads that have begun go on.
///
/// # Safety
/// `foresight` must be null or a live handle, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_foresight_free(foresight: *mut JamForesight) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(foresight) }
}

/// Looks a key up in memory alone: 0 when it must be read, 1 when it is absent, else
/// 2 plus the length of its value. The value is copied into `out` when `capacity` holds all of it;
/// otherwise `out` stays as it was.
///
/// # Safety
/// `foresight` must be a live handle, `key` readable for `key_len` bytes, `out` writable for `capacity`.
#[no_mangle]
pub unsafe extern "C" fn jam_foresight_get(
    foresight: *const JamForesight,
    key: *const u8,
    key_len: usize,
    out: *mut u8,
    capacity: usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (foresight, key) = unsafe { (borrow_foresight(foresight)?, bytes(key, key_len)?) };
        let mut foresight = foresight.lock().unwrap_or_else(PoisonError::into_inner);
        let leaf = match foresight.get(whole_key(key)?) {
            Peek::Unknown => return Ok(0),
            Peek::Known(None) => return Ok(1),
            Peek::Known(Some(leaf)) => leaf,
        };
        let value = leaf.value();
        if value.len() <= capacity {
            // SAFETY: `capacity` bytes are writable by contract, and the value needs no more.
            unsafe { bytes_mut(out, value.len())? }.copy_from_slice(value);
        }
        // Batches bound values below 2^31 - 1 bytes.
        i32::try_from(value.len().saturating_add(2))
            .map_err(|_| Failure::argument("value too long to return"))
    })
}

/// Begins to read what memory lacked so far, and what it lacks of more keys, one after the other in
/// `keys`; comes back at once.
///
/// # Safety
/// `foresight` must be a live handle, `keys` readable for `keys_len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_foresight_start(
    foresight: *const JamForesight,
    keys: *const u8,
    keys_len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (foresight, keys) = unsafe { (borrow_foresight(foresight)?, bytes(keys, keys_len)?) };
        let keys = split_keys(keys)?;
        foresight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .start(keys);
        Ok(JAM_OK)
    })
}

/// Waits until all that memory lacked has been read.
///
/// # Safety
/// `foresight` must be a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_foresight_wait(foresight: *const JamForesight) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let foresight = unsafe { borrow_foresight(foresight)? };
        foresight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .wait();
        Ok(JAM_OK)
    })
}

/// Goes where lookups of keys will, one after the other in `keys`, as far as that is in memory: the
/// processor has it at hand then.
///
/// # Safety
/// `trie` must be a live handle, `keys` readable for `keys_len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_warm(
    trie: *const JamTrie,
    keys: *const u8,
    keys_len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, keys) = unsafe { (borrow(trie)?, bytes(keys, keys_len)?) };
        trie.warm(&mut split_keys(keys)?.to_vec());
        Ok(JAM_OK)
    })
}

/// Keys that stand one after the other.
fn split_keys(keys: &[u8]) -> Result<&[Key], Failure> {
    match keys.as_chunks() {
        (keys, []) => Ok(keys),
        _ => Err(Failure::argument("keys of another length")),
    }
}
