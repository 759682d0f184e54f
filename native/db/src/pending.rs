//! Writes that wait for the next sync.
//!
//! A large commit of the database writes each page twice: first without the checksums of what lies below
//! it, and again with them, by when its own buffer has long passed it on. Where memory is short the
//! system would bring both to the disk. Nothing depends on a write before the sync behind it, so
//! writes wait here, and the second takes the place of the first.

use std::collections::BTreeMap;

/// Memory that is kept from one commit to the next: what a block needs.
const KEPT_BYTES: usize = 1 << 20;

/// Writes by their offsets; none overlaps another.
#[derive(Debug, Default)]
pub struct Pending {
    writes: BTreeMap<u64, Waiting>,
    /// The bytes of all of them in one piece, that goes as one.
    bytes: Vec<u8>,
}

/// One write. Pages are often half empty, so the zeros at its end are left out.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    len: usize,
    start: usize,
    used: usize,
}

/// Part of what is asked for waits, or more than that: it has to be written first.
#[derive(Debug, PartialEq, Eq)]
pub struct Overlaps;

impl Pending {
    /// Bytes of memory that are in use.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Copies what waits for an offset; false where nothing does.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> Result<bool, Overlaps> {
        match self.writes.get(&offset) {
            Some(waiting) if waiting.len == out.len() => {
                let (used, rest) = out.split_at_mut(waiting.used);
                used.copy_from_slice(self.used(waiting));
                rest.fill(0);
                Ok(true)
            }
            _ if self.touches(offset, out.len()) => Err(Overlaps),
            _ => Ok(false),
        }
    }

    /// Takes a write in the place of one of the same bytes.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Overlaps> {
        let len = bytes.len();
        let used = bytes.iter().rposition(|&byte| byte != 0);
        let used = used.map_or(0, |last| last + 1);
        let before = self.writes.get(&offset).filter(|before| before.len == len);
        if before.is_none() && self.touches(offset, len) {
            return Err(Overlaps);
        }
        let start = match before.filter(|before| before.used >= used) {
            Some(before) => {
                self.bytes[before.start..before.start + used].copy_from_slice(&bytes[..used]);
                before.start
            }
            None => {
                self.bytes.extend_from_slice(&bytes[..used]);
                self.bytes.len() - used
            }
        };
        self.writes.insert(offset, Waiting { len, start, used });
        Ok(())
    }

    /// Hands out everything.
    pub fn take(&mut self) -> Pending {
        std::mem::take(self)
    }

    /// Takes back the memory of what was handed out, for the next writes, unless it is much.
    pub fn reuse(&mut self, mut taken: Pending) {
        if taken.bytes.capacity() <= KEPT_BYTES {
            taken.bytes.clear();
            self.bytes = taken.bytes;
        }
    }

    /// Shows all writes in order of their offsets, until one fails.
    pub fn each<E>(&self, mut show: impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut whole = Vec::new();
        for (&offset, waiting) in &self.writes {
            whole.clear();
            whole.extend_from_slice(self.used(waiting));
            whole.resize(waiting.len, 0);
            show(offset, &whole)?;
        }
        Ok(())
    }

    fn used(&self, waiting: &Waiting) -> &[u8] {
        &self.bytes[waiting.start..waiting.start + waiting.used]
    }

    fn touches(&self, offset: u64, len: usize) -> bool {
        let before = self.writes.range(..offset + len as u64).next_back();
        before.is_some_and(|(start, waiting)| start + waiting.len as u64 > offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_takes_the_place_of_one_of_the_same_bytes() {
        let mut pending = Pending::default();
        pending.write(8, &[1, 0, 0, 0]).unwrap();
        pending.write(8, &[2, 2, 2, 0]).unwrap();
        pending.write(8, &[0, 3, 0, 0]).unwrap();
        pending.write(0, &[0; 4]).unwrap();
        let mut out = [9; 4];
        assert_eq!(pending.read(8, &mut out), Ok(true));
        assert_eq!(out, [0, 3, 0, 0]);
        let taken = pending.take();
        let mut all = Vec::new();
        let shown = taken.each(|offset, bytes| {
            all.push((offset, bytes.to_vec()));
            Ok::<(), ()>(())
        });
        assert_eq!(shown, Ok(()));
        assert_eq!(all, [(0, vec![0; 4]), (8, vec![0, 3, 0, 0])]);
        assert_eq!((pending.bytes(), pending.read(8, &mut out)), (0, Ok(false)));
    }

    #[test]
    fn other_bytes_that_overlap_have_to_be_written_first() {
        let mut pending = Pending::default();
        pending.write(8, &[1; 8]).unwrap();
        for (offset, len) in [(8, 4), (8, 16), (4, 5), (15, 1), (0, 64)] {
            let mut out = vec![0; len];
            assert_eq!(pending.read(offset, &mut out), Err(Overlaps));
            assert_eq!(pending.write(offset, &out), Err(Overlaps));
        }
        for (offset, len) in [(0, 8), (16, 8)] {
            assert_eq!(pending.read(offset, &mut vec![0; len]), Ok(false));
        }
    }
}
