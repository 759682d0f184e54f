//! The inner pages of the database that were read or written lately.
//!
//! The database itself keeps what it has read, but little of what it has written, and lets rows that are
//! read once push out the pages that lead to all rows: after a move of the base these would come from the
//! disk one by one. Inner pages have the smallest size of a page and begin with their kind. If that ever
//! changes, other pages are kept, or none: whatever is kept is what the file holds.

use std::collections::{HashMap, VecDeque};

/// Bytes of the pages that are kept.
const SMALL: usize = 4096;

/// What inner pages begin with.
const INNER: u8 = 2;

/// Bytes that a page takes beside its content.
const ENTRY_BYTES: usize = 64;

#[derive(Debug)]
struct Entry {
    bytes: Box<[u8]>,
    used: bool,
}

/// A bounded number of pages by their offsets: when it is full, a page goes unless it was used since its
/// last turn.
#[derive(Debug)]
pub struct Recent {
    most: usize,
    entries: HashMap<u64, Entry>,
    /// Every page in order of their turns; also offsets of pages that are gone.
    turns: VecDeque<u64>,
    writes: u64,
}

/// How many writes there had been when a page was looked for in vain: what is read of the file then may
/// be outdated when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed(u64);

impl Recent {
    /// For so many bytes of memory; for 0 nothing is kept.
    pub fn new(limit: usize) -> Recent {
        Recent {
            most: limit / (SMALL + ENTRY_BYTES),
            entries: HashMap::new(),
            turns: VecDeque::new(),
            writes: 0,
        }
    }

    /// Copies what stands at an offset, if it is known.
    pub fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Missed> {
        match self.entries.get_mut(&offset) {
            Some(entry) if entry.bytes.len() == out.len() => {
                entry.used = true;
                out.copy_from_slice(&entry.bytes);
                Ok(())
            }
            _ => Err(Missed(self.writes)),
        }
    }

    /// Keeps a page that was read, unless something was written since it was missed.
    pub fn keep(&mut self, offset: u64, bytes: &[u8], missed: Missed) {
        if missed == Missed(self.writes) && bytes.len() == SMALL && bytes[0] == INNER {
            self.put(offset, bytes);
        }
    }

    /// Takes note of what stands at an offset by now.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.writes += 1;
        if bytes.len() == SMALL && bytes[0] == INNER {
            return self.put(offset, bytes);
        }
        let end = offset + bytes.len() as u64;
        // Pages are aligned to their sizes, but the header is not a page.
        let first = offset / SMALL as u64 * SMALL as u64;
        for offset in (first..end).step_by(SMALL) {
            self.entries.remove(&offset);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.writes += 1;
        self.entries.clear();
        self.turns.clear();
    }

    fn put(&mut self, offset: u64, bytes: &[u8]) {
        if self.most == 0 {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&offset) {
            entry.bytes.copy_from_slice(bytes);
            return;
        }
        while self.entries.len() >= self.most || self.turns.len() >= 2 * self.most {
            self.turn();
        }
        let (bytes, used) = (bytes.into(), false);
        self.entries.insert(offset, Entry { bytes, used });
        self.turns.push_back(offset);
    }

    fn turn(&mut self) {
        let Some(offset) = self.turns.pop_front() else {
            return;
        };
        match self.entries.get_mut(&offset) {
            Some(entry) if entry.used => {
                entry.used = false;
                self.turns.push_back(offset);
            }
            _ => {
                self.entries.remove(&offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(byte: u8) -> Vec<u8> {
        let mut page = vec![byte; SMALL];
        page[0] = INNER;
        page
    }

    fn read(recent: &mut Recent, offset: u64) -> Option<u8> {
        let mut out = page(0);
        recent.read(offset, &mut out).ok().map(|()| out[SMALL - 1])
    }

    #[test]
    fn it_gives_what_was_written_last() {
        let mut recent = Recent::new(1 << 20);
        let missed = recent.read(4096, &mut page(0)).unwrap_err();
        recent.keep(4096, &page(1), missed);
        assert_eq!(read(&mut recent, 4096), Some(1));
        recent.write(4096, &page(2));
        assert_eq!(read(&mut recent, 4096), Some(2));
        recent.keep(4096, &page(1), missed);
        recent.keep(8192, &page(1), missed);
        assert_eq!(read(&mut recent, 4096), Some(2));
        assert_eq!(read(&mut recent, 8192), None);
    }

    #[test]
    fn what_another_page_covers_is_forgotten() {
        let mut recent = Recent::new(1 << 20);
        for number in 0..6 {
            recent.write(number * 4096, &page(9));
        }
        recent.write(8192, &[7; 8192]);
        recent.write(0, &[7; 320]);
        recent.write(16384, &[1; SMALL]);
        let known: Vec<_> = (0..6)
            .map(|number| read(&mut recent, number * 4096))
            .collect();
        assert_eq!(known, [None, Some(9), None, None, None, Some(9)]);
    }

    #[test]
    fn it_stays_below_its_limit_and_keeps_what_is_used() {
        let mut recent = Recent::new(10 * (SMALL + ENTRY_BYTES));
        for number in 0..200 {
            recent.write(number * 4096, &page(number as u8));
            assert_eq!(read(&mut recent, 0), Some(0));
            assert!(recent.entries.len() <= 10 && recent.turns.len() <= 20);
        }
        assert_eq!(read(&mut recent, 199 * 4096), Some(199));
        assert_eq!(read(&mut recent, 100 * 4096), None);
        let mut none = Recent::new(0);
        none.write(0, &page(1));
        assert_eq!(read(&mut none, 0), None);
    }
}
