//! Byte buffers of a size only the core knows, owned by the caller until freed.

use crate::status::free;

/// An owned byte string handed to Python.
pub struct JamBuffer {
    data: Vec<u8>,
}

impl JamBuffer {
    /// Moves `data` to the heap and gives the caller ownership of it.
    pub(crate) fn into_raw(data: Vec<u8>) -> *mut JamBuffer {
        Box::into_raw(Box::new(JamBuffer { data }))
    }
}

/// First byte of the buffer.
///
/// # Safety
/// `buffer` must be a live buffer of this library.
#[no_mangle]
pub unsafe extern "C" fn jam_buffer_data(buffer: *const JamBuffer) -> *const u8 {
    // SAFETY: the caller promises a live buffer.
    unsafe { (*buffer).data.as_ptr() }
}

/// Length of the buffer in bytes.
///
/// # Safety
/// `buffer` must be a live buffer of this library.
#[no_mangle]
pub unsafe extern "C" fn jam_buffer_len(buffer: *const JamBuffer) -> usize {
    // SAFETY: the caller promises a live buffer.
    unsafe { (*buffer).data.len() }
}

/// Destroys the buffer; null is allowed and does nothing.
///
/// # Safety
/// `buffer` must be null or a live buffer of this library, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_buffer_free(buffer: *mut JamBuffer) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(buffer) }
}
