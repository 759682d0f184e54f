//! Rows of tables: their encoding in a batch, their checksums, their parts, their way into a transaction.
//!
//! The file has pages of powers of two, and a value a little larger than one takes the next. So blocks
//! and change sets are cut into parts that fill a page: the first is the row of the key, the others
//! follow it under the key and their numbers. The checksum in the first is that of the whole value.

use blake2b_simd::Params;
use jamliquor_trie::{Key, Leaf, Piece, Values};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, Table, WriteTransaction};

use crate::{definition, DbError, Rows, ANCHOR, BLOCKS, CHANGES, META, STATE, TABLES, VALUE_MARK};

const CHECKSUM_BYTES: usize = 8;

/// Bytes of a part that is not the last: with its key and the page's head they take 16 KiB.
const PART_BYTES: usize = (16 << 10) - 64;

/// The length that stands for the removal of a row.
const REMOVED: u32 = u32::MAX;

/// A table in a transaction that changes it.
pub type OpenTable<'a> = Table<'a, &'static [u8], &'static [u8]>;

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

/// Length of the keys of a table whose values are cut into parts.
fn key_bytes(table: u8) -> Option<usize> {
    match table {
        BLOCKS => Some(32),
        CHANGES => Some(40),
        _ => None,
    }
}

/// Whether a key is that of a row, and not of a further part of one.
pub fn is_row(table: u8, key: &[u8]) -> bool {
    key_bytes(table).is_none_or(|len| key.len() <= len)
}

/// Whether parts may follow on a first one.
fn may_go_on(table: u8, first: &[u8]) -> bool {
    key_bytes(table).is_some() && first.len() == PART_BYTES
}

/// Key of a part of a row, from 1 on for those behind the first.
fn part_key(key: &[u8], number: u16) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}

/// First and last key that a part of a row may have, but for the first part.
fn further_parts(key: &[u8]) -> [Vec<u8>; 2] {
    [1, u16::MAX].map(|number| part_key(key, number))
}

/// A table as a transaction sees it; `None` while nothing was ever written to it.
pub fn opened(reading: &ReadTransaction, table: u8) -> Result<Option<Rows>, DbError> {
    match reading.open_table(definition(table)?) {
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        rows => Ok(Some(rows?)),
    }
}

/// The value of a row, as a transaction sees it.
pub fn read(reading: &ReadTransaction, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
    let Some(rows) = opened(reading, table)? else {
        return Ok(None);
    };
    let first = rows.get(key)?;
    first
        .map(|first| whole(&rows, table, key, first.value()))
        .transpose()
}

/// The value of a row, of which this is the first part.
pub fn whole(rows: &Rows, table: u8, key: &[u8], first: &[u8]) -> Result<Vec<u8>, DbError> {
    if !may_go_on(table, first) {
        return unseal(table, key, first);
    }
    let mut sealed = first.to_vec();
    let [begin, end] = further_parts(key);
    for part in rows.range(&begin[..]..=&end[..])? {
        sealed.extend_from_slice(part?.1.value());
    }
    unseal(table, key, &sealed)
}

/// Puts the value of a row, or removes it.
fn put_whole(
    rows: &mut OpenTable<'_>,
    table: u8,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), DbError> {
    let sealed = value.map_or_else(Vec::new, |value| seal(table, key, value));
    let most = key_bytes(table).map_or(usize::MAX, |_| PART_BYTES);
    let mut parts = sealed.chunks(most);
    let before = match parts.next() {
        Some(first) => rows.insert(key, first)?,
        None => rows.remove(key)?,
    };
    let went_on = before.is_some_and(|before| may_go_on(table, before.value()));
    if went_on {
        let [begin, end] = further_parts(key);
        rows.retain_in(&begin[..]..=&end[..], |_, _| false)?;
    }
    for (number, part) in (1..).zip(parts) {
        rows.insert(&part_key(key, number)[..], part)?;
    }
    Ok(())
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
            put_whole(&mut rows, table, write.key, write.value)?;
        }
    }
    Ok(())
}

/// Key of the row of a value.
pub fn value_key(key: &Key) -> Vec<u8> {
    [&key[..], &[VALUE_MARK]].concat()
}

/// Puts pages of a move of the base into a transaction.
pub fn write_piece(rows: &mut OpenTable<'_>, piece: &Piece) -> Result<(), DbError> {
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
pub fn write_values(rows: &mut OpenTable<'_>, values: &Values) -> Result<(), DbError> {
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

fn put(rows: &mut OpenTable<'_>, key: &[u8], bytes: Option<&[u8]>) -> Result<(), DbError> {
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
    let Some(rows) = opened(&reading, table)? else {
        return Ok(());
    };
    for row in rows.iter()? {
        let (key, value) = row?;
        let key = key.value();
        if !is_row(table, key) {
            continue;
        }
        if let Err(error) = whole(&rows, table, key, value.value()) {
            found.push(error.text);
        }
        if found.len() >= most {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Db, Fault, Trial};

    const KEY: [u8; 40] = [7; 40];
    const SIZES: [usize; 9] = [
        0,
        1,
        PART_BYTES - CHECKSUM_BYTES - 1,
        PART_BYTES - CHECKSUM_BYTES,
        PART_BYTES - CHECKSUM_BYTES + 1,
        2 * PART_BYTES - CHECKSUM_BYTES,
        3 * PART_BYTES,
        100_000,
        5,
    ];

    fn opened(name: &str) -> (std::path::PathBuf, Db) {
        let name = format!("jamliquor-rows-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let db = Db::open(&path, 1 << 20, 1 << 20, Trial::default()).unwrap();
        (path, db)
    }

    fn value(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 + len) as u8).collect()
    }

    fn put(db: &Db, key: &[u8], value: Option<&[u8]>) {
        let table = CHANGES;
        let write = Write { table, key, value };
        db.commit(&[write], None, false).unwrap();
    }

    /// Changes the table of change sets behind the database's back.
    fn change(db: &Db, change: impl FnOnce(&mut OpenTable<'_>)) {
        let written = db.shared.read(|database| {
            let writing = database.begin_write()?;
            change(&mut writing.open_table(definition(CHANGES)?)?);
            Ok(writing.commit()?)
        });
        written.unwrap();
    }

    /// Rows of the file, further parts among them.
    fn stored(db: &Db) -> Vec<(usize, usize)> {
        let rows = db.shared.read(|database| {
            let rows = database.begin_read()?.open_table(definition(CHANGES)?)?;
            let rows = rows.range::<&[u8]>(..)?;
            Ok(rows
                .map(|row| row.map(|(key, value)| (key.value().len(), value.value().len())))
                .collect::<Result<_, _>>()?)
        });
        rows.unwrap()
    }

    #[test]
    fn a_value_of_any_size_comes_back_and_goes_whole() {
        let (path, db) = opened("sizes");
        let (before, after) = ([6; 40], [8; 40]);
        put(&db, &before, Some(&value(70_000)));
        put(&db, &after, Some(&value(40_000)));
        for first in SIZES {
            for second in SIZES {
                for len in [first, second] {
                    put(&db, &KEY, Some(&value(len)));
                    assert_eq!(db.get(CHANGES, &KEY).unwrap(), Some(value(len)));
                }
                let rows = db.range(CHANGES, &[], &[0xff; 64], 9, 1 << 20).unwrap();
                let sizes: Vec<usize> = rows.iter().map(|row| row.1.len()).collect();
                assert_eq!(sizes, [70_000, second, 40_000]);
                let keys = db.keys(CHANGES, &[], &[0xff; 64], 2).unwrap();
                assert_eq!(keys, [before, KEY]);
                put(&db, &KEY, None);
                assert_eq!(db.get(CHANGES, &KEY).unwrap(), None);
            }
        }
        assert!(stored(&db).iter().all(|&(_, len)| len <= PART_BYTES));
        put(&db, &before, None);
        put(&db, &after, None);
        assert_eq!(stored(&db), []);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_value_that_lies_there_in_one_part_is_read_and_replaced() {
        let (path, db) = opened("whole");
        for len in [PART_BYTES - CHECKSUM_BYTES, 50_000] {
            let old = seal(CHANGES, &KEY, &value(len));
            change(&db, |rows| drop(rows.insert(&KEY[..], &old[..]).unwrap()));
            assert_eq!(db.get(CHANGES, &KEY).unwrap(), Some(value(len)));
            assert_eq!(db.verify(9).unwrap(), [""; 0]);
            put(&db, &KEY, Some(&value(60_000)));
            assert_eq!(db.get(CHANGES, &KEY).unwrap(), Some(value(60_000)));
            put(&db, &KEY, None);
            assert_eq!(stored(&db), []);
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_part_that_is_missing_or_another_is_told_of() {
        let (path, db) = opened("damaged");
        let part = part_key(&KEY, 2);
        for other in [None, Some(&b"other"[..])] {
            put(&db, &KEY, Some(&value(60_000)));
            change(&db, |rows| match other {
                Some(other) => drop(rows.insert(&part[..], other).unwrap()),
                None => drop(rows.remove(&part[..]).unwrap()),
            });
            assert_eq!(db.get(CHANGES, &KEY).unwrap_err().fault, Fault::Damaged);
            let named = db.verify(9).unwrap();
            assert!(named.len() == 1 && named[0].contains("of table changes"));
        }
        std::fs::remove_file(&path).unwrap();
    }
}
