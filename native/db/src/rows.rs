//! Rows of tables: their encoding in a batch, their checksums, their way into a transaction.

use blake2b_simd::Params;
use jamliquor_trie::{Key, Leaf, Piece, Values};
use redb::{Database, ReadableDatabase, ReadableTable, Table, WriteTransaction};

use crate::{definition, DbError, ANCHOR, META, STATE, TABLES, VALUE_MARK};

const CHECKSUM_BYTES: usize = 8;

/// The length that stands for the removal of a row.
const REMOVED: u32 = u32::MAX;

/// The table of the base in a transaction.
pub type StateTable<'a> = Table<'a, &'static [u8], &'static [u8]>;

/// A change of one row; `None` removes it.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    pub table: u8,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// Reads a batch: for each change the table in one byte, the key's length in one byte, the value's in
/// four little-endian ones (2^32 - 1 for a removal), the key, the value. `None` when it is malformed
/// or touches a table that is not the caller's.
pub fn decode_writes(mut batch: &[u8]) -> Option<Vec<Write<'_>>> {
    let mut writes = Vec::new();
    while !batch.is_empty() {
        let (&[table, key_len, a, b, c, d], rest) = batch.split_first_chunk::<6>()?;
        let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
        let value_len = u32::from_le_bytes([a, b, c, d]);
        let (value, rest) = match value_len {
            REMOVED => (None, rest),
            _ => {
                let (value, rest) = rest.split_at_checked(usize::try_from(value_len).ok()?)?;
                (Some(value), rest)
            }
        };
        if table >= STATE {
            return None;
        }
        writes.push(Write { table, key, value });
        batch = rest;
    }
    Some(writes)
}

fn checksum(table: u8, key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut state = Params::new().hash_length(CHECKSUM_BYTES).to_state();
    state
        .update(&[table, key.len() as u8])
        .update(key)
        .update(value);
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(state.finalize().as_bytes());
    sum
}

/// A value as it is stored: behind its checksum. The base needs none: what stands there is compared
/// with the hashes that the trie is made of.
pub fn seal(table: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(CHECKSUM_BYTES + value.len());
    sealed.extend_from_slice(&checksum(table, key, value));
    sealed.extend_from_slice(value);
    sealed
}

/// The value that was stored, if it still is what it was.
pub fn unseal(table: u8, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, DbError> {
    match sealed.split_first_chunk::<CHECKSUM_BYTES>() {
        Some((sum, value)) if *sum == checksum(table, key, value) => Ok(value.to_vec()),
        _ => Err(DbError::damaged(format!(
            "damaged: {}",
            row_name(table, key)
        ))),
    }
}

fn row_name(table: u8, key: &[u8]) -> String {
    let table = TABLES
        .get(usize::from(table))
        .map_or_else(String::new, |table| {
            redb::TableHandle::name(table).to_owned()
        });
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("row 0x{hex} of table {table}")
}

/// Puts changes of rows into a transaction.
pub fn write(writing: &WriteTransaction, writes: &[Write<'_>]) -> Result<(), DbError> {
    for table in 0..STATE {
        let mut own = writes
            .iter()
            .filter(|write| write.table == table)
            .peekable();
        if own.peek().is_none() {
            continue;
        }
        let mut rows = writing.open_table(definition(table)?)?;
        for write in own {
            match write.value {
                Some(value) => {
                    rows.insert(write.key, &seal(table, write.key, value)[..])?;
                }
                None => {
                    rows.remove(write.key)?;
                }
            }
        }
    }
    Ok(())
}

/// Key of the row of a value.
pub fn value_key(key: &Key) -> Vec<u8> {
    [&key[..], &[VALUE_MARK]].concat()
}

/// Puts pages of a move of the base into a transaction.
pub fn write_piece(rows: &mut StateTable<'_>, piece: &Piece) -> Result<(), DbError> {
    let mut pages: Vec<_> = piece
        .pages()
        .map(|(place, bytes)| (place.to_bytes(), bytes))
        .collect();
    pages.sort_unstable();
    for (key, bytes) in pages {
        put(rows, &key, bytes)?;
    }
    Ok(())
}

/// Puts the values of a move of the base into a transaction.
pub fn write_values(rows: &mut StateTable<'_>, values: &Values) -> Result<(), DbError> {
    for (key, value) in values {
        put(rows, &value_key(key), value.as_ref().map(Leaf::value))?;
    }
    Ok(())
}

/// Puts what is to be remembered of the base into a transaction.
pub fn write_anchor(writing: &WriteTransaction, anchor: &[u8]) -> Result<(), DbError> {
    let mut meta = writing.open_table(definition(META)?)?;
    meta.insert(ANCHOR, &seal(META, ANCHOR, anchor)[..])?;
    Ok(())
}

fn put(rows: &mut StateTable<'_>, key: &[u8], bytes: Option<&[u8]>) -> Result<(), DbError> {
    match bytes {
        Some(bytes) => rows.insert(key, bytes)?,
        None => rows.remove(key)?,
    };
    Ok(())
}

/// Compares every row of a table with its checksum.
pub fn verify(
    database: &Database,
    table: u8,
    found: &mut Vec<String>,
    most: usize,
) -> Result<(), DbError> {
    let reading = database.begin_read()?;
    let rows = match reading.open_table(definition(table)?) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
        rows => rows?,
    };
    for row in rows.iter()? {
        let (key, value) = row?;
        if let Err(error) = unseal(table, key.value(), value.value()) {
            found.push(error.text);
        }
        if found.len() >= most {
            break;
        }
    }
    Ok(())
}
