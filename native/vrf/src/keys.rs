//! Decoded public keys of late signatures: a validator of a small set signs block after block.
//!
//! The cache holds [`MOST_KEYS`] keys and forgets the one that was used least recently. A key gets a
//! table of multiples when it is used again while it is still here, so that the keys of a large
//! set, each of which is used once in a long while, cost no tables.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ark_ed_on_bls12_381_bandersnatch::EdwardsAffine;

use crate::bandersnatch::POINT;
use crate::curve::{decode_point, FixedBase, KEY_WINDOW};

/// Keys that are kept, with tables 8 KB each.
pub const MOST_KEYS: usize = 32;
/// Calls that need the key before it gets a table: making one costs as much as three save.
const CALLS_BEFORE_TABLE: usize = 2;

/// A public key, and its multiples once it recurs.
pub struct Key {
    pub point: EdwardsAffine,
    table: OnceLock<FixedBase>,
}

impl Key {
    /// The multiples, if the key has been used often enough.
    pub fn table(&self) -> Option<&FixedBase> {
        self.table.get()
    }
}

struct Entry {
    encoding: [u8; POINT],
    key: Arc<Key>,
    calls: usize,
}

/// Keys, the most recently used last.
#[derive(Default)]
struct Cache {
    entries: Vec<Entry>,
    hits: u64,
    misses: u64,
}

/// Figures of the cache since the process began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCounters {
    /// Signatures whose key was kept.
    pub hits: u64,
    /// Signatures whose key had to be decoded, keys that are none among them.
    pub misses: u64,
    /// Keys kept now.
    pub kept: u64,
}

impl Cache {
    fn find(&mut self, encoding: &[u8; POINT]) -> Option<(Arc<Key>, usize)> {
        let Some(at) = self
            .entries
            .iter()
            .rposition(|entry| entry.encoding == *encoding)
        else {
            self.misses += 1;
            return None;
        };
        self.hits += 1;
        let mut entry = self.entries.remove(at);
        entry.calls += 1;
        let found = (entry.key.clone(), entry.calls);
        self.entries.push(entry);
        Some(found)
    }

    fn add(&mut self, encoding: &[u8; POINT], key: Arc<Key>) {
        if self.entries.len() == MOST_KEYS {
            self.entries.remove(0);
        }
        self.entries.push(Entry {
            encoding: *encoding,
            key,
            calls: 1,
        });
    }
}

static CACHE: Mutex<Cache> = Mutex::new(Cache {
    entries: Vec::new(),
    hits: 0,
    misses: 0,
});

fn lock() -> MutexGuard<'static, Cache> {
    // A panic elsewhere cannot leave the list half changed in a way that matters.
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Figures of the cache.
pub fn counters() -> KeyCounters {
    let cache = lock();
    KeyCounters {
        hits: cache.hits,
        misses: cache.misses,
        kept: cache.entries.len() as u64,
    }
}

/// The key that 32 bytes encode, if they encode a point of the prime-order subgroup.
pub fn key(encoding: &[u8; POINT]) -> Option<Arc<Key>> {
    let found = lock().find(encoding);
    if let Some((key, calls)) = found {
        if calls > CALLS_BEFORE_TABLE {
            key.table
                .get_or_init(|| FixedBase::new(&key.point, KEY_WINDOW));
        }
        return Some(key);
    }
    let key = Arc::new(Key {
        point: decode_point(encoding)?,
        table: OnceLock::new(),
    });
    lock().add(encoding, key.clone());
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u8) -> ([u8; POINT], Arc<Key>) {
        let key = Key {
            point: EdwardsAffine::default(),
            table: OnceLock::new(),
        };
        ([number; POINT], Arc::new(key))
    }

    #[test]
    fn the_least_recently_used_key_is_forgotten() {
        let mut cache = Cache::default();
        for number in 0..MOST_KEYS as u8 {
            let (encoding, key) = entry(number);
            cache.add(&encoding, key);
        }
        assert!(cache.find(&[0; POINT]).is_some());
        let (encoding, key) = entry(200);
        cache.add(&encoding, key);
        assert_eq!(cache.entries.len(), MOST_KEYS);
        assert!(cache.find(&[1; POINT]).is_none());
        assert_eq!(cache.find(&[0; POINT]).map(|(_, calls)| calls), Some(3));
        assert_eq!((cache.hits, cache.misses), (2, 1));
    }

    #[test]
    fn a_key_that_recurs_gets_its_table() {
        let generator = crate::bandersnatch::Secret::from_seed(b"keys").public();
        let tables: Vec<bool> = (0..4)
            .map(|_| key(&generator).is_some_and(|key| key.table().is_some()))
            .collect();
        assert_eq!(tables, [false, false, true, true]);
        assert!(key(&[0xff; POINT]).is_none());
    }
}
