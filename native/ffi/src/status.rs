//! Result codes, the error text of the last failed call, and the guard every export runs in.

use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The call did what it says.
pub const JAM_OK: i32 = 0;
/// An argument is malformed (wrong length, null with a length, unusable value).
pub const JAM_ERR_ARGUMENT: i32 = -1;
/// The host failed (memory, file, quota); says nothing about the data.
pub const JAM_ERR_HOST: i32 = -2;
/// A bug of the core: a Rust panic, caught at the border.
pub const JAM_ERR_PANIC: i32 = -3;
/// There is no room on the disk.
pub const JAM_ERR_FULL: i32 = -4;
/// A part of a state that lies on disk is missing or is not what it was.
pub const JAM_ERR_DAMAGED: i32 = -5;
/// A write failed before, and the database takes no more until it is opened again.
pub const JAM_ERR_CLOSED: i32 = -6;

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A failure on its way to the caller: its code and a sentence for people.
pub(crate) struct Failure {
    pub code: i32,
    pub message: String,
}

impl Failure {
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Failure {
            code: JAM_ERR_ARGUMENT,
            message: message.into(),
        }
    }
}

/// Runs `body`, turning failures and panics into codes and remembering their text.
pub(crate) fn guard(body: impl FnOnce() -> Result<i32, Failure>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(code)) => return code,
        Ok(Err(failure)) => failure,
        Err(payload) => {
            let text = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "panic without a message".to_owned());
            Failure {
                code: JAM_ERR_PANIC,
                message: text,
            }
        }
    };
    LAST_ERROR.with(|slot| *slot.borrow_mut() = failure.message);
    failure.code
}

/// Borrows `len` bytes at `data`.
///
/// # Safety
/// `data` must be readable for `len` bytes for as long as the result lives, or `len` be zero.
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Failure::argument("null pointer with a non-zero length"));
    }
    // SAFETY: not null, and the caller promises `len` readable bytes for the lifetime.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// Borrows `len` writable bytes at `data`.
///
/// # Safety
/// `data` must be writable for `len` bytes, and nothing else may touch them while the result lives.
pub(crate) unsafe fn bytes_mut<'a>(data: *mut u8, len: usize) -> Result<&'a mut [u8], Failure> {
    if len == 0 {
        return Ok(&mut []);
    }
    if data.is_null() {
        return Err(Failure::argument("null pointer with a non-zero length"));
    }
    // SAFETY: not null, and the caller promises `len` writable bytes that nobody else uses.
    Ok(unsafe { std::slice::from_raw_parts_mut(data, len) })
}

/// Destroys what a handle stands for; null is allowed and does nothing.
///
/// # Safety
/// `handle` must be null or made by `Box::into_raw`, and never be used again.
pub unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: the caller promises where it comes from, and that this is the last use.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// Copies the text of the calling thread's last failure (UTF-8, cut at `capacity`) into `out` and
/// returns its full length in bytes.
///
/// # Safety
/// `out` must be writable for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_last_error(out: *mut u8, capacity: usize) -> usize {
    LAST_ERROR.with(|slot| {
        let text = slot.borrow();
        // SAFETY: passed on from this function's own contract.
        if let Ok(target) = unsafe { bytes_mut(out, capacity.min(text.len())) } {
            target.copy_from_slice(&text.as_bytes()[..target.len()]);
        }
        text.len()
    })
}

/// Version of the interface between the two halves; Python refuses a core with another number.
#[no_mangle]
pub extern "C" fn jam_abi_version() -> u32 {
    1
}
