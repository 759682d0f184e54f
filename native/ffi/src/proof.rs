//! Exports of proofs and of tries of which only a part is known.

use jamliquor_trie::{apply_partial, decode_changes, open_partial, Need, PartialError, KEY_BYTES};

use crate::buffer::JamBuffer;
use crate::status::{bytes, guard, Failure, JAM_ERR_HOST};
use crate::trie::{borrow, deliver, unreadable, whole_key, JamTrie};

/// The value of the key is wanted.
pub const JAM_NEED_VALUE: u8 = 1;
/// The key will be removed.
pub const JAM_NEED_REMOVAL: u8 = 2;

fn unusable(error: PartialError) -> Failure {
    match error {
        PartialError::Malformed(_) => Failure::argument(error.to_string()),
        PartialError::Missing(..) | PartialError::Apply(_) => Failure {
            code: JAM_ERR_HOST,
            message: error.to_string(),
        },
    }
}

/// The nodes (64 bytes each, functions B and L of appendix D) from the root towards a key.
///
/// # Safety
/// `trie` must be a live handle, `key` readable for `key_len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_trie_path(
    trie: *const JamTrie,
    key: *const u8,
    key_len: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, key) = unsafe { (borrow(trie)?, bytes(key, key_len)?) };
        let nodes = trie.path(whole_key(key)?).map_err(unreadable)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(nodes)) }
    })
}

/// Encodes the part of a trie that some keys touch. `needs` has 32 bytes for each key, sorted and
/// without repetition: the key, then the sum of `JAM_NEED_*` that apply.
///
/// # Safety
/// `trie` must be a live handle, `needs` readable for `len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_partial_make(
    trie: *const JamTrie,
    needs: *const u8,
    len: usize,
    out: *mut *mut JamBuffer,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (trie, needs) = unsafe { (borrow(trie)?, bytes(needs, len)?) };
        let mut list = Vec::with_capacity(len / (KEY_BYTES + 1));
        for row in needs.chunks(KEY_BYTES + 1) {
            let (&marks, key) = row.split_last().expect("a chunk is not empty");
            list.push(Need {
                key: *whole_key(key)?,
                value: marks & JAM_NEED_VALUE != 0,
                removed: marks & JAM_NEED_REMOVAL != 0,
            });
        }
        if list.windows(2).any(|pair| pair[0].key >= pair[1].key) {
            return Err(Failure::argument("needs are not sorted"));
        }
        let part = trie.partial(&list).map_err(unreadable)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamBuffer::into_raw(part)) }
    })
}

/// Makes the trie that `jam_partial_make` encoded; malformed bytes are an argument error. Calls that
/// meet what it does not know fail with `JAM_ERR_HOST`.
///
/// # Safety
/// `data` must be readable for `len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_partial_open(
    data: *const u8,
    len: usize,
    out: *mut *mut JamTrie,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let data = unsafe { bytes(data, len)? };
        let trie = open_partial(data).map_err(unusable)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamTrie::into_raw(trie)) }
    })
}

/// `jam_trie_apply` for a trie of `jam_partial_open`: fails with `JAM_ERR_HOST` where what is not
/// known would decide the root.
///
/// # Safety
/// `trie` must be a live handle, `batch` readable for `len` bytes, `out` writable for one pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_partial_apply(
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
        let child = apply_partial(trie, changes).map_err(unusable)?;
        // SAFETY: passed on from this function's own contract.
        unsafe { deliver(out, || JamTrie::into_raw(child)) }
    })
}
