//! Exports of views of a database that stay while its base moves on.

use jamliquor_db::Pinned;

use crate::buffer::JamBuffer;
use crate::db::{borrow_db, failed, JamDb};
use crate::status::{bytes, free, guard, Failure, JAM_OK};
use crate::trie::{deliver, JamTrie};

/// A view, owned by the caller until freed. Any number of threads may use it.
pub struct JamPinned {
    pinned: Pinned,
}

/// Borrows the view behind a handle.
///
/// # Safety
/// `handle` must be null or a live handle that is not freed while the result lives.
unsafe fn borrow_pinned<'a>(handle: *const JamPinned) -> Result<&'a Pinned, Failure> {
    // SAFETY: null or live by this function's contract; the view locks itself.
    match unsafe { handle.as_ref() } {
        Some(handle) => Ok(&handle.pinned),
        None => Err(Failure::argument("null view")),
    }
}

/// Makes a view of what was committed last; `cache` bounds the bytes of trie pages that it keeps in
/// memory. The database cannot be compacted until it is released.
///
/// # Safety
/// `db` must be a live handle, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_pinned_new(
    db: *const JamDb,
    cache: usize,
    out: *mut *mut JamPinned,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let pinned = unsafe { borrow_db(db)? }.pin(cache).map_err(failed)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || Box::into_raw(Box::new(JamPinned { pinned }))) }
    })
}

/// Releases and destroys a view; null is allowed and does nothing.
///
/// # Safety
/// `pinned` must be null or a live handle, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_pinned_free(pinned: *mut JamPinned) {
    // SAFETY: null or live by this function's own contract.
    if let Some(handle) = unsafe { pinned.as_ref() } {
        handle.pinned.release();
    }
    // SAFETY: passed on from this function's own contract.
    unsafe { free(pinned) }
}

/// Lets the database use again what the view held; tries and rows of it give `JAM_ERR_HOST` from now
/// on.
///
/// # Safety
/// `pinned` must be a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_pinned_release(pinned: *const JamPinned) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe { borrow_pinned(pinned)? }.release();
        Ok(JAM_OK)
    })
}

/// Reads the row that a key of a table had: 0 when there was none, else 1 and its value in a new
/// buffer.
///
/// # Safety
/// `pinned` must be a live handle, `key` readable for `key_len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_pinned_get(
    pinned: *const JamPinned,
    table: u8,
    key: *const u8,
    key_len: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (pinned, key) = unsafe { (borrow_pinned(pinned)?, bytes(key, key_len)?) };
        let Some(value) = pinned.get(table, key).map_err(failed)? else {
            return Ok(0);
        };
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(value)) }?;
        Ok(1)
    })
}

/// Makes a trie of the base as it was: references into the view, and no copy of it.
///
/// # Safety
/// `pinned` must be a live handle, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_pinned_trie(pinned: *const JamPinned, out: *mut *mut JamTrie) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let trie = unsafe { borrow_pinned(pinned)? }.trie().map_err(failed)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamTrie::into_raw(trie)) }
    })
}
