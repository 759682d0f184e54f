//! Exports of erasure coding. A chunk is a row of 2-byte words; chunks of one blob have one length.

use std::slice;

use jamliquor_erasure::{Code, Unfit};

use crate::status::{bytes, bytes_mut, guard, Failure, JAM_OK};

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        Failure::argument(unfit.to_string())
    }
}

/// Borrows `count` chunks of `width` bytes by their addresses.
///
/// # Safety
/// `chunks` must hold `count` addresses of `width` readable bytes each, for as long as the result lives.
unsafe fn rows<'a>(
    chunks: *const *const u8,
    count: usize,
    width: usize,
) -> Result<Vec<&'a [u8]>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if chunks.is_null() {
        return Err(Failure::argument("null pointer with a non-zero length"));
    }
    // SAFETY: not null, and the caller promises `count` addresses.
    let chunks = unsafe { slice::from_raw_parts(chunks, count) };
    // SAFETY: the caller promises `width` bytes at each.
    chunks
        .iter()
        .map(|chunk| unsafe { bytes(*chunk, width) })
        .collect()
}

/// Encodes `len` bytes, which are the first `originals` chunks, and writes the further ones up to
/// `total`, one after the other.
///
/// # Safety
/// `data` must be readable for `len` bytes, `further` writable for `further_len`.
#[no_mangle]
pub unsafe extern "C" fn jam_erasure_encode(
    originals: usize,
    total: usize,
    data: *const u8,
    len: usize,
    further: *mut u8,
    further_len: usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (data, further) = unsafe { (bytes(data, len)?, bytes_mut(further, further_len)?) };
        Code::new(originals, total)?.encode(data, further)?;
        Ok(JAM_OK)
    })
}

/// Recovers `len` bytes from `originals` chunks of `total`, each at the index that `indices` gives.
///
/// # Safety
/// `chunks` must hold `originals` addresses of as many readable bytes as an original has, `indices` as
/// many numbers, and `data` must be writable for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_erasure_recover(
    originals: usize,
    total: usize,
    chunks: *const *const u8,
    indices: *const u32,
    data: *mut u8,
    len: usize,
) -> i32 {
    guard(|| {
        let code = Code::new(originals, total)?;
        if indices.is_null() {
            return Err(Failure::argument("null pointer with a non-zero length"));
        }
        // SAFETY: not null, and passed on from this function's own contract.
        let (chunks, indices, data) = unsafe {
            (
                rows(chunks, originals, len / originals)?,
                slice::from_raw_parts(indices, originals),
                bytes_mut(data, len)?,
            )
        };
        let indices = indices.iter().map(|index| *index as usize);
        code.recover(&indices.zip(chunks).collect::<Vec<_>>(), data)?;
        Ok(JAM_OK)
    })
}
