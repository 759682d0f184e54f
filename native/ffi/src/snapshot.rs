//! Exports for files of entries: portions, compression, checksums, roots of sorted entries.

use jamliquor_pack as pack;
use jamliquor_trie::{append_entry, decode_changes, Change, Leaf, RootBuilder, Trie, KEY_BYTES};

use crate::buffer::JamBuffer;
use crate::status::{bytes, bytes_mut, free, guard, Failure, JAM_OK};
use crate::trie::{borrow, deliver, unreadable, whole_key, JamTrie};

/// Computes the root of entries that come in key order; owned by the caller until freed.
pub struct JamRoot {
    builder: RootBuilder,
}

/// Lists entries in key order as a batch, from `start` (31 bytes) until the batch has `size` bytes
/// or more, or no entry is left. Returns their number; the last key goes to `last` (31 bytes).
///
/// # Safety
/// `trie` must be a live handle, `start` readable for `start_len` bytes, `last` writable for 31,
/// `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_portion(
    trie: *const JamTrie,
    start: *const u8,
    start_len: usize,
    size: usize,
    last: *mut u8,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, start, last) = unsafe {
            (
                borrow(trie)?,
                bytes(start, start_len)?,
                bytes_mut(last, KEY_BYTES)?,
            )
        };
        let (batch, count) = portion(trie, start, size, last)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(batch)) }?;
        Ok(count)
    })
}

fn portion(
    trie: &Trie,
    start: &[u8],
    size: usize,
    last: &mut [u8],
) -> Result<(Vec<u8>, i32), Failure> {
    let mut batch = Vec::new();
    let mut count = 0;
    for leaf in trie.entries_from(whole_key(start)?).map_err(unreadable)? {
        let leaf = leaf.map_err(unreadable)?;
        append_entry(&mut batch, leaf.key(), Some(&leaf));
        last.copy_from_slice(leaf.key());
        count += 1;
        if batch.len() >= size {
            break;
        }
    }
    Ok((batch, count))
}

/// The entries of a batch that removes none.
pub(crate) fn entries_of(batch: &[u8]) -> Result<Vec<Leaf>, Failure> {
    let changes = decode_changes(batch).map_err(|error| Failure::argument(error.to_string()))?;
    changes
        .into_iter()
        .map(|change| match change {
            Change::Put(leaf) => Ok(leaf),
            Change::Remove(_) => Err(Failure::argument("an entry without a value")),
        })
        .collect()
}

/// Makes a builder without entries.
///
/// # Safety
/// `out` must be writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_root_new(out: *mut *mut JamRoot) -> i32 {
    guard(|| {
        let make = || {
            let builder = RootBuilder::default();
            Box::into_raw(Box::new(JamRoot { builder }))
        };
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, make) }
    })
}

/// Destroys a builder; null is allowed and does nothing.
///
/// # Safety
/// `builder` must be null or a live handle, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_root_free(builder: *mut JamRoot) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(builder) }
}

/// Takes a batch of entries, each with a higher key than the one before; returns their number.
/// Another order, a removal or a malformed batch is an argument error, and the builder is of no use
/// any more.
///
/// # Safety
/// `builder` must be a live handle that nobody else uses now, `batch` readable for `len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_root_push(builder: *mut JamRoot, batch: *const u8, len: usize) -> i32 {
    guard(|| {
        // SAFETY: live, and used by this call alone, by this function's own contract.
        let builder = unsafe { builder.as_mut() }.ok_or(Failure::argument("null builder"))?;
        // SAFETY: passed on from this function's own contract.
        let batch = unsafe { bytes(batch, len)? };
        let entries = entries_of(batch)?;
        let leaves: Vec<&Leaf> = entries.iter().collect();
        builder
            .builder
            .push(&leaves)
            .map_err(|error| Failure::argument(error.to_string()))?;
        i32::try_from(leaves.len()).map_err(|_| Failure::argument("too many entries at once"))
    })
}

/// Writes the root (32 bytes) of all entries so far into `root`, and the last of their keys (31
/// bytes, unless there was none) into `last`.
///
/// # Safety
/// `builder` must be a live handle, `root` writable for 32 bytes, `last` for 31.
#[no_mangle]
pub unsafe extern "C" fn jam_root_get(
    builder: *const JamRoot,
    root: *mut u8,
    last: *mut u8,
) -> i32 {
    guard(|| {
        // SAFETY: live by this function's own contract.
        let builder = unsafe { builder.as_ref() }.ok_or(Failure::argument("null builder"))?;
        // SAFETY: passed on from this function's own contract.
        let (root, last) = unsafe { (bytes_mut(root, 32)?, bytes_mut(last, KEY_BYTES)?) };
        root.copy_from_slice(&builder.builder.root());
        if let Some(key) = builder.builder.last_key() {
            last.copy_from_slice(key);
        }
        Ok(JAM_OK)
    })
}

/// Compresses some bytes; the same bytes give the same result on every platform.
///
/// # Safety
/// `data` must be readable for `len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_pack(data: *const u8, len: usize, out: *mut *mut JamBuffer) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let data = unsafe { bytes(data, len)? };
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(pack::pack(data))) }
    })
}

/// Decompresses what `jam_pack` made of `size` bytes; anything else is an argument error.
///
/// # Safety
/// `data` must be readable for `len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_unpack(
    data: *const u8,
    len: usize,
    size: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let data = unsafe { bytes(data, len)? };
        let unpacked = pack::unpack(data, size)
            .ok_or_else(|| Failure::argument(format!("no packed form of {size} bytes")))?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(unpacked)) }
    })
}

/// Writes the BLAKE3 hash (32 bytes) of some bytes into `out`.
///
/// # Safety
/// `data` must be readable for `len` bytes, `out` writable for 32.
#[no_mangle]
pub unsafe extern "C" fn jam_blake3(data: *const u8, len: usize, out: *mut u8) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (data, out) = unsafe { (bytes(data, len)?, bytes_mut(out, 32)?) };
        out.copy_from_slice(&pack::checksum(data));
        Ok(JAM_OK)
    })
}
