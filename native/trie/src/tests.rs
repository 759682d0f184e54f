//! Unit tests: sharing, sizes, edges. Roots are compared with the paper's own recursion.

use std::collections::BTreeMap;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::hash::{branch_hash, leaf_hashes};
use crate::node::{bit, Branch, Node, KEY_BITS};
use crate::*;

type Model = BTreeMap<Key, Vec<u8>>;

fn leaf(key: &Key, value: &[u8]) -> Leaf {
    Leaf::from_bytes(&[&key[..], value].concat()).unwrap()
}

fn put(key: &Key, value: &[u8]) -> Change {
    Change::Put(leaf(key, value))
}

fn key(parts: &[(usize, u8)]) -> Key {
    let mut key = [0; KEY_BYTES];
    for &(index, byte) in parts {
        key[index] = byte;
    }
    key
}

fn paper_root(entries: &[(&Key, &Vec<u8>)], depth: usize) -> Hash {
    match entries {
        [] => ZERO_HASH,
        [(key, value)] => leaf_hashes(&[&leaf(key, value)])[0],
        _ => {
            let (left, right): (Vec<_>, Vec<_>) =
                entries.iter().partition(|(key, _)| bit(key, depth) == 0);
            branch_hash(
                &paper_root(&left, depth + 1),
                &paper_root(&right, depth + 1),
            )
        }
    }
}

fn assert_same(trie: &Trie, model: &Model) {
    let entries: Vec<_> = model.iter().collect();
    assert_eq!(trie.root(), paper_root(&entries, 0));
    assert_eq!(trie.len(), model.len());
    let listed: Model = trie
        .entries_from(&[0; KEY_BYTES])
        .unwrap()
        .map(Result::unwrap)
        .map(|leaf| (*leaf.key(), leaf.value().to_vec()))
        .collect();
    assert_eq!(&listed, model);
    if model.is_empty() {
        assert_eq!(trie.memory(), 0);
    }
}

/// A page, and what it was read from.
type Read = (Vec<u8>, Arc<Page>);

/// A source in memory, and the trie that lies in it.
#[derive(Debug, Default)]
struct Shelf {
    generation: AtomicU32,
    pages: Mutex<BTreeMap<Place, Vec<u8>>>,
    values: Mutex<BTreeMap<Key, Leaf>>,
    base: Mutex<Base>,
    /// Pages that were read.
    read: Mutex<BTreeMap<Place, Read>>,
    /// Whether to read ahead at every chance.
    cold: AtomicBool,
}

impl Source for Shelf {
    fn generation(&self) -> u32 {
        self.generation.load(Ordering::SeqCst)
    }

    fn base(&self) -> Base {
        self.base.lock().unwrap().clone()
    }

    fn page(&self, place: &Place, _again: bool) -> Result<Arc<Page>, SourceError> {
        let pages = self.pages.lock().unwrap();
        let bytes = pages.get(place).ok_or(SourceError::Page(*place))?;
        let mut read = self.read.lock().unwrap();
        match read.get(place) {
            Some((from, page)) if from == bytes => Ok(Arc::clone(page)),
            _ => {
                let page = Page::from_bytes(&bytes[..], place).ok_or(SourceError::Page(*place))?;
                let page = Arc::new(page);
                read.insert(*place, (bytes.clone(), Arc::clone(&page)));
                Ok(page)
            }
        }
    }

    fn cached_page(&self, place: &Place) -> Option<Arc<Page>> {
        let read = self.read.lock().unwrap();
        read.get(place).map(|(_, page)| Arc::clone(page))
    }

    fn foresee_value(&self, key: &Key) -> Option<Leaf> {
        self.values.lock().unwrap().get(key).cloned()
    }

    fn is_cold(&self) -> bool {
        self.cold.load(Ordering::SeqCst)
    }

    fn value(&self, key: &Key, _again: bool) -> Result<Leaf, SourceError> {
        let values = self.values.lock().unwrap();
        values.get(key).cloned().ok_or(SourceError::Value(*key))
    }

    fn misses(&self) -> u64 {
        0
    }

    fn count_lookup(&self, _hit: bool) {}
}

impl Shelf {
    fn empty(self: &Arc<Shelf>) -> Trie {
        Trie::from_anchor(&Trie::default().to_anchor().unwrap(), self.clone()).unwrap()
    }

    /// Moves the base, and compares all pages with those that the same entries have from scratch.
    fn advance(self: &Arc<Shelf>, old: &Trie, new: &Trie) -> Trie {
        let mut pieces = Vec::new();
        let moved = advance(old, new, &mut |piece| {
            pieces.push(piece);
            Ok(())
        });
        let kept: Vec<_> = pieces.iter().flat_map(|piece| &piece.kept).collect();
        let anchor = new.to_anchor().unwrap();
        *self.base.lock().unwrap() = Base::from_anchor(&anchor).unwrap();
        let mut pages = self.pages.lock().unwrap();
        for (place, page) in &kept {
            let read = Page::from_bytes(page.bytes(), place).unwrap();
            assert_eq!(read.hash(), page.hash());
        }
        let changed = pieces.iter().flat_map(Piece::pages);
        for (place, bytes) in changed {
            assert_eq!(Place::from_bytes(&place.to_bytes()), Some(*place));
            let kept = kept.iter().find(|(kept, _)| kept == place);
            assert!(kept.is_none_or(|(_, page)| Some(page.bytes()) == bytes));
            match bytes {
                Some(bytes) => pages.insert(*place, bytes.to_vec()),
                None => pages.remove(place),
            };
        }
        let mut values = self.values.lock().unwrap();
        for (key, value) in moved.unwrap() {
            match value {
                Some(leaf) => values.insert(key, leaf),
                None => values.remove(&key),
            };
        }
        self.generation.store(new.generation(), Ordering::SeqCst);
        Trie::from_anchor(&anchor, self.clone()).unwrap()
    }

    fn assert_canonical(self: &Arc<Shelf>, model: &Model) {
        let fresh = Arc::new(Shelf::default());
        let changes = model.iter().map(|(key, value)| put(key, value)).collect();
        let all = fresh.empty().apply(changes).unwrap();
        fresh.advance(&fresh.empty(), &all);
        assert_eq!(*fresh.pages.lock().unwrap(), *self.pages.lock().unwrap());
        assert_eq!(*fresh.values.lock().unwrap(), *self.values.lock().unwrap());
    }
}

/// A small generator of numbers that repeat from run to run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

#[test]
fn nodes_are_compact() {
    if size_of::<usize>() == 8 {
        assert_eq!(size_of::<Node>(), 24);
        assert_eq!(size_of::<Branch>(), 120);
    }
}

#[test]
fn random_changes_match_the_paper() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut trie = Trie::default();
    let mut model = Model::new();
    for _ in 0..60 {
        let (before, before_model) = (trie.clone(), model.clone());
        let mut changes = BTreeMap::new();
        for _ in 0..1 + random.below(8) {
            let at = [0, 1, 15, 30][random.below(4) as usize];
            let key = key(&[(at, random.below(4) as u8), (30, 1 << random.below(8))]);
            let value = vec![random.below(3) as u8; random.below(40) as usize];
            let change = (random.below(3) > 0).then_some(value);
            match &change {
                Some(value) => model.insert(key, value.clone()),
                None => model.remove(&key),
            };
            changes.insert(key, change);
        }
        let batch = changes.iter().rev().map(|(key, change)| match change {
            Some(value) => put(key, value),
            None => Change::Remove(*key),
        });
        trie = trie.apply(batch.collect()).unwrap();
        assert_same(&trie, &model);
        assert_same(&before, &before_model);
        let differing: Vec<Key> = changes
            .keys()
            .filter(|key| before_model.get(*key) != model.get(*key))
            .copied()
            .collect();
        assert_eq!(before.changed_keys(&trie).unwrap(), differing);
        assert_eq!(trie.changed_keys(&before).unwrap(), differing);
    }
}

#[test]
fn a_stored_trie_matches_the_paper() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for few in [false, true] {
        let shelf = Arc::new(Shelf::default());
        shelf.cold.store(few, Ordering::SeqCst);
        let mut model = Model::new();
        let mut base = shelf.empty();
        let mut window = vec![(base.clone(), model.clone())];
        for _ in 0..80 {
            let mut trie = window.last().unwrap().0.clone();
            let mut changes = BTreeMap::new();
            for _ in 0..1 + random.below(8) {
                let at = [0, 1, 15, 30][random.below(4) as usize];
                let mut key = key(&[(at, random.below(4) as u8), (30, 1 << random.below(8))]);
                if !few {
                    key[0] ^= random.below(256) as u8;
                }
                let size = [0, 0, 0, 33, 200, 500, 530][random.below(7) as usize];
                let value = vec![random.below(3) as u8; size + random.below(33) as usize];
                let change = (random.below(3) > 0).then_some(value);
                match &change {
                    Some(value) => model.insert(key, value.clone()),
                    None => model.remove(&key),
                };
                changes.insert(key, change);
            }
            let batch = changes.iter().map(|(key, change)| match change {
                Some(value) => put(key, value),
                None => Change::Remove(*key),
            });
            trie = trie.apply(batch.collect()).unwrap();
            window.push((trie, model.clone()));
            if window.len() > 5 {
                window.drain(..1 + random.below(3) as usize);
                base = shelf.advance(&base, &window[0].0);
                shelf.assert_canonical(&window[0].1);
                assert_same(&base, &window[0].1);
                assert!(verify(&base, 1).errors.is_empty());
            }
            for (trie, model) in &window {
                assert_same(trie, model);
                assert_eq!(base.changed_keys(trie), window[0].0.changed_keys(trie));
            }
        }
    }
}

/// Pages with few entries hold their values, others do not: entries come and go around that number.
#[test]
fn values_move_in_and_out_of_pages() {
    let mut random = Random(0xfeed_5678_9abc_def1);
    let shelf = Arc::new(Shelf::default());
    let mut model = Model::new();
    let mut base = shelf.empty();
    let (mut most, mut least) = (0, usize::MAX);
    for round in 0..150 {
        let mut changes = BTreeMap::new();
        for _ in 0..1 + random.below(6) {
            let key = key(&[(29, random.below(2) as u8), (30, random.below(64) as u8)]);
            let size = [10, 33, 300, 512, 513][random.below(5) as usize];
            let value = vec![random.below(256) as u8; size];
            // Now they grow in number, now they shrink.
            let keep = random.below(4) > if round / 50 == 1 { 2 } else { 0 };
            changes.insert(key, keep.then_some(value));
        }
        for (key, change) in &changes {
            match change {
                Some(value) => model.insert(*key, value.clone()),
                None => model.remove(key),
            };
        }
        let batch = changes.iter().map(|(key, change)| match change {
            Some(value) => put(key, value),
            None => Change::Remove(*key),
        });
        let young = base.apply(batch.collect()).unwrap();
        assert_same(&young, &model);
        // What it was made from is left behind, but what it did not change it still finds.
        base = shelf.advance(&base, &young);
        assert_same(&young, &model);
        shelf.assert_canonical(&model);
        assert_same(&base, &model);
        let rows = shelf.values.lock().unwrap().len();
        if round > 20 {
            (most, least) = (most.max(rows), least.min(rows));
        }
    }
    assert!(most > 40 && least < 20, "{least} to {most} rows");
}

#[test]
fn what_is_foreseen_is_in_memory_afterwards() {
    let shelf = Arc::new(Shelf::default());
    let keys = |last: u8| (0..120).map(move |index| key(&[(0, index), (9, index), (12, last)]));
    let model: Model = keys(0).map(|key| (key, vec![key[0]; 300])).collect();
    let batch = model.iter().map(|(key, value)| put(key, value)).collect();
    let trie = shelf.advance(&shelf.empty(), &shelf.empty().apply(batch).unwrap());
    shelf.read.lock().unwrap().clear();
    let mut foresight = Foresight::new(&trie);
    let first = key(&[(0, 7), (9, 7)]);
    assert_eq!(foresight.get(&first), Peek::Unknown);
    for key in keys(0).chain(keys(0)).chain(keys(1)) {
        let known = foresight.get(&key);
        assert!(known == Peek::Unknown || known == Peek::Known(trie.get(&key).unwrap()));
    }
    foresight.wait();
    for key in keys(0).chain(keys(1)) {
        assert_eq!(trie.peek(&key), Peek::Known(trie.get(&key).unwrap()));
    }
    assert_eq!(
        trie.get(&key(&[(0, 5), (9, 5)])).unwrap().unwrap().value(),
        [5; 300]
    );
    // The entry beside a changed one is known by its key and its hash, and its value is not.
    let changed = trie.apply(vec![put(&key(&[(0, 6), (9, 6)]), b"new")]);
    let changed = changed.unwrap();
    shelf.read.lock().unwrap().clear();
    let mut foresight = Foresight::new(&changed);
    assert_eq!(foresight.get(&first), Peek::Unknown);
    foresight.wait();
    assert_eq!(
        changed.peek(&first),
        Peek::Known(changed.get(&first).unwrap())
    );
    // Going there before changes nothing, whatever is in memory.
    let mut wanted: Vec<Key> = keys(0).chain(keys(1)).rev().collect();
    for trie in [&trie, &changed, &shelf.empty(), &Trie::default()] {
        let root = trie.root();
        trie.warm(&mut wanted);
        trie.warm(&mut []);
        assert_eq!(trie.root(), root);
        assert!(wanted.is_sorted());
    }
    // What cannot be read is left to the lookup that matters.
    shelf.pages.lock().unwrap().clear();
    shelf.read.lock().unwrap().clear();
    let mut foresight = Foresight::new(&trie);
    keys(0).for_each(|key| drop(foresight.get(&key)));
    foresight.wait();
    assert!(matches!(
        trie.get(&key(&[(0, 5), (9, 5)])),
        Err(SourceError::Page(_))
    ));
}

#[test]
fn a_state_that_the_base_left_gives_errors() {
    let shelf = Arc::new(Shelf::default());
    let keys: Vec<Key> = (0..200).map(|byte| key(&[(0, byte)])).collect();
    let many = keys.iter().map(|key| put(key, &[1; 40])).collect();
    let first = shelf.advance(&shelf.empty(), &shelf.empty().apply(many).unwrap());
    let second = first.apply(vec![put(&keys[7], &[2; 40])]).unwrap();
    shelf.advance(&first, &second);
    assert!(matches!(first.get(&keys[7]), Err(SourceError::Page(_))));
    assert_eq!(second.get(&keys[7]).unwrap().unwrap().value(), [2; 40]);
    assert_eq!(second.get(&keys[8]).unwrap().unwrap().value(), [1; 40]);
}

#[test]
fn any_flipped_bit_of_a_page_is_noticed() {
    let shelf = Arc::new(Shelf::default());
    let keys: Vec<Key> = (0..40)
        .map(|byte| key(&[(0, byte * 5), (9, byte)]))
        .collect();
    let sizes = keys.iter().enumerate();
    let many = sizes.map(|(size, key)| put(key, &vec![1; size])).collect();
    let base = shelf.advance(&shelf.empty(), &shelf.empty().apply(many).unwrap());
    let pages = shelf.pages.lock().unwrap().clone();
    for (place, bytes) in &pages {
        // Every byte, and every bit of a byte somewhere.
        for flip in (0..bytes.len() * 8).step_by(7) {
            let mut bad = bytes.clone();
            bad[flip / 8] ^= 1 << (flip % 8);
            shelf.pages.lock().unwrap().insert(*place, bad);
            assert!(
                !verify(&base, 9).errors.is_empty(),
                "page {place}, bit {flip}"
            );
        }
        shelf.pages.lock().unwrap().insert(*place, bytes.clone());
    }
}

fn mended(spot: Spot, base: &Trie, model: &Model) -> Option<Mended> {
    let (first, last) = spot.span();
    let leaves: Vec<Leaf> = model
        .range(first..=last)
        .map(|(key, value)| leaf(key, value))
        .collect();
    let mut mender = Mender::new(spot);
    // In portions that end anywhere.
    for portion in leaves.chunks(7) {
        mender.push(&portion.iter().collect::<Vec<_>>()).unwrap();
    }
    mender.finish(base).unwrap()
}

#[test]
fn any_page_or_value_is_made_anew_from_the_entries_below_it() {
    let shelf = Arc::new(Shelf::default());
    let mut model = Model::new();
    for byte in 0..=255 {
        let size = usize::from(byte % 3) * 20;
        model.insert(key(&[(0, byte), (1, byte % 5)]), vec![byte; size]);
        model.insert(key(&[(0, 7), (29, byte)]), vec![byte; size]);
        for last in 0..40 * (byte % 16 / 15) {
            model.insert(key(&[(0, byte), (29, last)]), vec![last; size]);
        }
    }
    let many = model.iter().map(|(key, value)| put(key, value)).collect();
    let base = shelf.advance(&shelf.empty(), &shelf.empty().apply(many).unwrap());
    let pages = shelf.pages.lock().unwrap().clone();
    assert!(pages.len() > 10);
    for (place, bytes) in pages {
        shelf.pages.lock().unwrap().remove(&place);
        let spot = Spot::of(&verify(&base, 1).errors[0]).unwrap();
        assert_eq!(spot, Spot::Page(place));
        match mended(spot, &base, &model) {
            Some(Mended::Page(there, page)) => assert_eq!((there, page.bytes()), (place, &*bytes)),
            other => panic!("{other:?}"),
        }
        let mut other = model.clone();
        *other.range_mut(spot.span().0..).next().unwrap().1 = vec![9; 50];
        assert!(mended(spot, &base, &other).is_none());
        assert!(mended(spot, &base, &Model::new()).is_none());
        shelf.pages.lock().unwrap().insert(place, bytes);
    }
    let values = shelf.values.lock().unwrap().clone();
    for (key, value) in values {
        shelf.values.lock().unwrap().remove(&key);
        let spot = Spot::of(&verify(&base, 1).errors[0]).unwrap();
        match mended(spot, &base, &model) {
            Some(Mended::Value(leaf)) => assert_eq!(leaf, value),
            other => panic!("{other:?}"),
        }
        let other = Model::from([(key, vec![3; 41])]);
        assert!(mended(spot, &base, &other).is_none());
        shelf.values.lock().unwrap().insert(key, value);
    }
}

#[test]
fn one_branch_a_bit_is_the_deepest_trie() {
    let keys = (0..KEY_BITS).map(|index| key(&[(index / 8, 0x80 >> (index % 8))]));
    let mut model: Model = keys.map(|key| (key, vec![7; 33])).collect();
    model.insert([0; KEY_BYTES], vec![]);
    let changes = model.iter().map(|(key, value)| put(key, value));
    let full = Trie::default().apply(changes.collect()).unwrap();
    assert_same(&full, &model);
    let removals = model.keys().map(|key| Change::Remove(*key));
    let empty = full.apply(removals.collect()).unwrap();
    assert_same(&empty, &Model::new());
    assert_eq!(full.changed_keys(&empty).unwrap().len(), KEY_BITS + 1);
}

#[test]
fn changes_without_effect_share_everything() {
    let keys: Vec<Key> = (0..9).map(|byte| key(&[(3, byte)])).collect();
    let trie = Trie::default().apply(keys.iter().map(|key| put(key, b"same")).collect());
    let trie = trie.unwrap();
    let again = trie.apply(vec![put(&keys[1], b"same"), Change::Remove(key(&[(9, 9)]))]);
    match (&trie.root.unwrap().node, &again.unwrap().root.unwrap().node) {
        (Node::Branch(a), Node::Branch(b)) => assert!(std::sync::Arc::ptr_eq(a, b)),
        _ => panic!("nine entries make a branch"),
    }
}

#[test]
fn entries_start_anywhere() {
    let keys: Vec<Key> = [3, 4, 9, 200].map(|byte| key(&[(30, byte)])).to_vec();
    let trie = Trie::default().apply(keys.iter().map(|key| put(key, b"")).collect());
    let trie = trie.unwrap();
    for start in 0..=255 {
        let start = key(&[(30, start)]);
        let listed: Vec<Key> = trie
            .entries_from(&start)
            .unwrap()
            .map(|leaf| *leaf.unwrap().key())
            .collect();
        let wanted: Vec<Key> = keys.iter().filter(|key| **key >= start).copied().collect();
        assert_eq!(listed, wanted);
    }
    assert_eq!(trie.entries_from(&[255; KEY_BYTES]).unwrap().count(), 0);
}

#[test]
fn a_key_twice_is_refused() {
    let twice = vec![put(&[1; KEY_BYTES], b"a"), Change::Remove([1; KEY_BYTES])];
    let refused = Trie::default().apply(twice).unwrap_err();
    assert_eq!(refused, ApplyError::DuplicateKey([1; KEY_BYTES]));
}

#[test]
fn batches_are_read_back_or_refused() {
    let mut batch = Vec::new();
    append_entry(
        &mut batch,
        &[1; KEY_BYTES],
        Some(&leaf(&[1; KEY_BYTES], b"value")),
    );
    append_entry(&mut batch, &[2; KEY_BYTES], None);
    let changes = decode_changes(&batch).unwrap();
    assert!(matches!(&changes[0], Change::Put(leaf) if leaf.value() == b"value"));
    assert!(matches!(&changes[1], Change::Remove(key) if key == &[2; KEY_BYTES]));
    let boundary = 4 + KEY_BYTES + 5;
    for end in (1..batch.len()).filter(|&end| end != boundary) {
        let offset = if end < boundary { 0 } else { boundary };
        let refused = decode_changes(&batch[..end]).unwrap_err();
        assert_eq!(refused, BatchError::Truncated(offset));
    }
    let mut long = (REMOVED - 1).to_le_bytes().to_vec();
    long.extend([0; 64]);
    assert_eq!(
        decode_changes(&long).unwrap_err(),
        BatchError::ValueTooLong(0)
    );
}
