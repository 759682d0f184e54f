//! Exports of the state trie.
//!
//! Calls that meet what is not in memory fail with `JAM_ERR_DAMAGED` when it is not there or not what
//! it was, and with `JAM_ERR_HOST` when it cannot be read; `jam_db_base` makes such tries.
//!
//! A trie is immutable: any number of threads may use one handle at once, and the handle that
//! `jam_trie_apply` makes stays valid when the one it came from is freed.

use jamliquor_trie::KEY_BYTES;
use jamliquor_trie::{append_entry, decode_changes, ApplyError, Hash, Key, SourceError, Trie};

use crate::buffer::JamBuffer;
use crate::status::{
    bytes, bytes_mut, free, guard, Failure, JAM_ERR_DAMAGED, JAM_ERR_HOST, JAM_OK,
};

/// A listing stops after the entry that fills its buffer to this size.
const RANGE_BYTES: usize = 1 << 16;

/// A trie, owned by the caller until freed.
pub struct JamTrie {
    pub(crate) trie: Trie,
}

impl JamTrie {
    pub(crate) fn into_raw(trie: Trie) -> *mut JamTrie {
        Box::into_raw(Box::new(JamTrie { trie }))
    }
}

/// Borrows the trie behind a handle.
///
/// # Safety
/// `handle` must be null or a live handle that is not freed while the result lives.
pub(crate) unsafe fn borrow<'a>(handle: *const JamTrie) -> Result<&'a Trie, Failure> {
    // SAFETY: null or live by this function's contract; nobody ever writes to it.
    match unsafe { handle.as_ref() } {
        Some(handle) => Ok(&handle.trie),
        None => Err(Failure::argument("null trie")),
    }
}

/// A node or a value that is not in memory could not be read.
pub(crate) fn unreadable(error: SourceError) -> Failure {
    Failure {
        code: match error {
            SourceError::Host(_) => JAM_ERR_HOST,
            _ => JAM_ERR_DAMAGED,
        },
        message: error.to_string(),
    }
}

/// A whole key.
pub(crate) fn whole_key(data: &[u8]) -> Result<&Key, Failure> {
    data.try_into()
        .map_err(|_| Failure::argument("a state key has 31 bytes"))
}

/// Writes a result through an out pointer.
///
/// # Safety
/// `out` must be null or writable for one `T`.
pub(crate) unsafe fn deliver<T>(
    out: *mut *mut T,
    make: impl FnOnce() -> *mut T,
) -> Result<i32, Failure> {
    if out.is_null() {
        return Err(Failure::argument("null result pointer"));
    }
    // SAFETY: not null, and writable by this function's contract.
    unsafe { out.write(make()) };
    Ok(JAM_OK)
}

/// Makes the empty trie.
///
/// # Safety
/// `out` must be writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_new(out: *mut *mut JamTrie) -> i32 {
    // SAFETY: passed on from this function's own contract.
    guard(|| unsafe { deliver(out, || JamTrie::into_raw(Trie::default())) })
}

/// Destroys the handle; null is allowed and does nothing. Nodes that other tries share stay.
///
/// # Safety
/// `trie` must be null or a live handle, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_free(trie: *mut JamTrie) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(trie) }
}

/// Makes the trie with the changes of a batch: for each change the value's length in four
/// little-endian bytes (2^32 - 1 for a removal), 31 bytes of key, the value. Any order; a key that
/// occurs twice is an argument error. Removing an absent key does nothing.
///
/// # Safety
/// `trie` must be a live handle, `batch` readable for `len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_apply(
    trie: *const JamTrie,
    batch: *const u8,
    len: usize,
    out: *mut *mut JamTrie,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, batch) = unsafe { (borrow(trie)?, bytes(batch, len)?) };
        let changes =
            decode_changes(batch).map_err(|error| Failure::argument(error.to_string()))?;
        let child = trie.apply(changes).map_err(|error| match error {
            ApplyError::DuplicateKey(_) => Failure::argument("a batch names a key twice"),
            ApplyError::Source(error) => unreadable(error),
        })?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamTrie::into_raw(child)) }
    })
}

/// Looks a key up: 0 when it is absent, else 1 plus the length of its value. The value is copied
/// into `out` when `capacity` holds all of it; otherwise `out` stays as it was.
///
/// # Safety
/// `trie` must be a live handle, `key` readable for `key_len` bytes, `out` writable for `capacity`.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_get(
    trie: *const JamTrie,
    key: *const u8,
    key_len: usize,
    out: *mut u8,
    capacity: usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, key) = unsafe { (borrow(trie)?, bytes(key, key_len)?) };
        let Some(leaf) = trie.get(whole_key(key)?).map_err(unreadable)? else {
            return Ok(0);
        };
        let value = leaf.value();
        if value.len() <= capacity {
            // SAFETY: `capacity` bytes are writable by contract, and the value needs no more.
            unsafe { bytes_mut(out, value.len())? }.copy_from_slice(value);
        }
        // Batches bound values below 2^31 - 1 bytes.
        i32::try_from(value.len() + 1).map_err(|_| Failure::argument("value too long to return"))
    })
}

/// Whether a key is present: 1 or 0. No value is read.
///
/// # Safety
/// `trie` must be a live handle, `key` readable for `key_len` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_has(trie: *const JamTrie, key: *const u8, key_len: usize) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, key) = unsafe { (borrow(trie)?, bytes(key, key_len)?) };
        Ok(i32::from(trie.has(whole_key(key)?).map_err(unreadable)?))
    })
}

/// Looks up a row of keys of 31 bytes each. The buffer holds a batch entry for each key in the
/// order asked, with length 2^32 - 1 and no value where the key is absent.
///
/// # Safety
/// `trie` must be a live handle, `keys` readable for `len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_get_many(
    trie: *const JamTrie,
    keys: *const u8,
    len: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, keys) = unsafe { (borrow(trie)?, bytes(keys, len)?) };
        let mut found = Vec::new();
        for key in keys.chunks(KEY_BYTES) {
            let key = whole_key(key)?;
            let leaf = trie.get(key).map_err(unreadable)?;
            append_entry(&mut found, key, leaf.as_ref());
        }
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(found)) }
    })
}

/// Writes the Merkle root (32 bytes) into `out`.
///
/// # Safety
/// `trie` must be a live handle, `out` writable for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_root(trie: *const JamTrie, out: *mut u8, capacity: usize) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, out) = unsafe { (borrow(trie)?, bytes_mut(out, capacity)?) };
        let out: &mut Hash = out
            .try_into()
            .map_err(|_| Failure::argument("a root has 32 bytes"))?;
        *out = trie.root();
        Ok(JAM_OK)
    })
}

/// Number of entries; zero for a null handle.
///
/// # Safety
/// `trie` must be null or a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_len(trie: *const JamTrie) -> usize {
    // SAFETY: passed on from this function's own contract.
    unsafe { borrow(trie) }.map_or(0, Trie::len)
}

/// Bytes of all values of the trie; zero for a null handle.
///
/// # Safety
/// `trie` must be null or a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_value_bytes(trie: *const JamTrie) -> u64 {
    // SAFETY: passed on from this function's own contract.
    unsafe { borrow(trie) }.map_or(0, |trie| trie.value_bytes() as u64)
}

/// Approximate bytes of memory of the trie, as if it shared nothing; zero for a null handle.
///
/// # Safety
/// `trie` must be null or a live handle.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_memory(trie: *const JamTrie) -> usize {
    // SAFETY: passed on from this function's own contract.
    unsafe { borrow(trie) }.map_or(0, Trie::memory)
}

/// Lists entries in key order as a batch: those at `start` (31 bytes) or later whose key begins
/// with `prefix` (31 bytes at most; `start` is no earlier than the first such key), until
/// `max_entries` are listed or the buffer has 64 KiB or more. An empty buffer means that there are
/// no more, unless `max_entries` is zero.
///
/// # Safety
/// `trie` must be a live handle, `start` and `prefix` readable for their lengths, `out` writable
/// for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_range(
    trie: *const JamTrie,
    start: *const u8,
    start_len: usize,
    prefix: *const u8,
    prefix_len: usize,
    max_entries: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, start, prefix) = unsafe {
            (
                borrow(trie)?,
                bytes(start, start_len)?,
                bytes(prefix, prefix_len)?,
            )
        };
        if prefix.len() > KEY_BYTES {
            return Err(Failure::argument("a prefix has 31 bytes at most"));
        }
        let mut listed = Vec::new();
        let entries = trie.entries_from(whole_key(start)?).map_err(unreadable)?;
        for leaf in entries.take(max_entries) {
            let leaf = leaf.map_err(unreadable)?;
            if !leaf.key().starts_with(prefix) || listed.len() >= RANGE_BYTES {
                break;
            }
            append_entry(&mut listed, leaf.key(), Some(&leaf));
        }
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(listed)) }
    })
}

/// Lists the keys (31 bytes each, in order) whose values differ between two tries, or that only
/// one of them has. Parts that the tries have in common are not visited.
///
/// # Safety
/// Both tries must be live handles, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_diff(
    trie: *const JamTrie,
    other: *const JamTrie,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, other) = unsafe { (borrow(trie)?, borrow(other)?) };
        let keys = trie.changed_keys(other).map_err(unreadable)?.concat();
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(keys)) }
    })
}
