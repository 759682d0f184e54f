//! The encoding of entries and changes as one byte string: for each of them the value's length in
//! four little-endian bytes, the key, the value. The length [`REMOVED`] stands for a removal and
//! has no value.

use std::fmt;

use crate::node::{Key, Leaf, KEY_BYTES};
use crate::update::Change;

/// The length that marks a removal, or the absence of a value.
pub const REMOVED: u32 = u32::MAX;

/// Values stay below this length, so that lengths fit results of calls.
const VALUE_LIMIT: u32 = i32::MAX as u32;

const LENGTH_BYTES: usize = 4;

/// Why a byte string is no batch of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The batch ends within the change that starts at this offset.
    Truncated(usize),
    /// The change at this offset has a value of 2^31 - 1 bytes or more.
    ValueTooLong(usize),
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Truncated(offset) => write!(f, "batch ends within change at byte {offset}"),
            BatchError::ValueTooLong(offset) => {
                write!(f, "batch has an over-long value at byte {offset}")
            }
        }
    }
}

/// Decodes a batch of changes.
pub fn decode_changes(batch: &[u8]) -> Result<Vec<Change>, BatchError> {
    let mut changes = Vec::new();
    let mut rest = batch;
    while !rest.is_empty() {
        let offset = batch.len() - rest.len();
        let truncated = BatchError::Truncated(offset);
        let (length, body) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(truncated)?;
        let length = u32::from_le_bytes(*length);
        if length == REMOVED {
            let (key, after) = body.split_first_chunk::<KEY_BYTES>().ok_or(truncated)?;
            changes.push(Change::Remove(*key));
            rest = after;
        } else if length >= VALUE_LIMIT {
            return Err(BatchError::ValueTooLong(offset));
        } else {
            let size = KEY_BYTES + length as usize;
            let (entry, after) = body.split_at_checked(size).ok_or(truncated)?;
            changes.push(Change::Put(Leaf::from_bytes(entry).ok_or(truncated)?));
            rest = after;
        }
    }
    Ok(changes)
}

/// Appends an entry to a batch; for `None` the absence of `key`.
pub fn append_entry(batch: &mut Vec<u8>, key: &Key, leaf: Option<&Leaf>) {
    let value = leaf.map(Leaf::value);
    let length = value.map_or(REMOVED, |value| value.len() as u32);
    batch.extend_from_slice(&length.to_le_bytes());
    batch.extend_from_slice(key);
    batch.extend_from_slice(value.unwrap_or_default());
}
