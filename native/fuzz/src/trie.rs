//! Batches of changes: what decodes is applied like to a map, and the root is that of a trie made
//! anew. Pages and partial tries of any octets: read, or refused.

#![no_main]

use std::collections::BTreeMap;

use jamliquor_trie::{
    append_entry, decode_changes, open_partial, Change, Key, Page, Place, Trie, KEY_BYTES,
};
use libfuzzer_sys::fuzz_target;

/// Nothing here lies in a file.
const MEMORY: &str = "all of it is in memory";

type Model = BTreeMap<Key, Vec<u8>>;

/// Changes over few keys that share beginnings, drawn from octets: key, place of its bit, value.
fn drawn(data: &[u8]) -> Vec<u8> {
    let mut batch = Vec::new();
    for part in data.chunks_exact(3) {
        let mut key = [0; KEY_BYTES];
        key[usize::from(part[0]) % KEY_BYTES] = 1 << (part[1] % 8);
        key[usize::from(part[1]) % KEY_BYTES] ^= part[0];
        if part[2] < 64 {
            batch.extend(u32::MAX.to_le_bytes());
            batch.extend(key);
        } else {
            batch.extend(u32::from(part[2] - 64).to_le_bytes());
            batch.extend(key);
            batch.extend(std::iter::repeat_n(part[2], usize::from(part[2] - 64)));
        }
    }
    batch
}

/// Applies a batch to both, unless it names a key twice.
fn apply(trie: &Trie, model: &mut Model, batch: &[u8]) -> Trie {
    let changes = match decode_changes(batch) {
        Ok(changes) => changes,
        Err(error) => {
            let _ = error.to_string();
            return trie.clone();
        }
    };
    let Ok(next) = trie.apply(changes.clone()) else {
        return trie.clone();
    };
    let mut keys: Vec<_> = changes.iter().map(|change| *change.key()).collect();
    for change in changes {
        match change {
            Change::Put(leaf) => drop(model.insert(*leaf.key(), leaf.value().to_vec())),
            Change::Remove(key) => drop(model.remove(&key)),
        }
    }
    keys.sort_unstable();
    let changed = trie.changed_keys(&next).expect(MEMORY);
    assert!(changed.iter().all(|key| keys.binary_search(key).is_ok()));
    assert_eq!(changed, next.changed_keys(trie).expect(MEMORY));
    next
}

/// What comes from a stranger, or from a disk that lies.
fn foreign(data: &[u8]) {
    if let Ok(trie) = open_partial(data) {
        let _ = (trie.root(), trie.len(), trie.get(&[0; KEY_BYTES]));
        if let Ok(entries) = trie.entries_from(&[0; KEY_BYTES]) {
            entries.take_while(Result::is_ok).for_each(drop);
        }
        if let Ok(changes) = decode_changes(&drawn(data)) {
            let _ = jamliquor_trie::apply_partial(&trie, changes);
        }
    }
    let (head, body) = data.split_at(data.len().min(2));
    if let Some(place) = Place::from_bytes(head) {
        let _ = Page::from_bytes(body, &place).map(|page| *page.hash());
    }
}

fuzz_target!(|data: &[u8]| {
    foreign(data);
    let mut model = Model::new();
    let trie = apply(&Trie::default(), &mut model, data);
    let half = data.len() / 2;
    let trie = apply(&trie, &mut model, &drawn(&data[..half]));
    let trie = apply(&trie, &mut model, &drawn(&data[half..]));
    let entries = trie.entries_from(&[0; KEY_BYTES]).expect(MEMORY);
    let listed: Vec<_> = entries.map(|leaf| leaf.expect(MEMORY)).collect();
    assert!(listed
        .iter()
        .map(|leaf| (leaf.key(), leaf.value()))
        .eq(model.iter().map(|(key, value)| (key, value.as_slice()))));
    let mut batch = Vec::new();
    listed
        .iter()
        .for_each(|leaf| append_entry(&mut batch, leaf.key(), Some(leaf)));
    let anew = Trie::default()
        .apply(decode_changes(&batch).expect("our own batch"))
        .expect("once");
    assert_eq!(anew.root(), trie.root());
    assert_eq!((anew.len(), anew.memory()), (trie.len(), trie.memory()));
    let shown = open_partial(&trie.partial(&[]).expect(MEMORY)).expect("our own partial trie");
    assert_eq!(shown.root(), trie.root());
});
