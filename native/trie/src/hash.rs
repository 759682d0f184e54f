//! Node encodings (functions B and L of appendix D) and their Blake2b-256 hashes.

use blake2b_simd::many::{hash_many, HashManyJob};
use blake2b_simd::Params;

use crate::node::{bit, Key, Leaf, KEY_BYTES};

/// A Blake2b-256 hash.
pub type Hash = [u8; 32];

/// The identity of the empty trie.
pub const ZERO_HASH: Hash = [0; 32];

/// Length of a node's encoding.
pub(crate) const NODE_BYTES: usize = 64;
/// Values up to this length stand in the leaf itself.
pub(crate) const EMBEDDED_MAX: usize = 32;
const EMBEDDED_LEAF: u8 = 0b1000_0000;
const REGULAR_LEAF: u8 = 0b1100_0000;

/// Leaves hashed in one go: enough to fill every SIMD lane, small enough to stay in cache.
const BATCH: usize = 32;

fn params() -> Params {
    let mut params = Params::new();
    params.hash_length(32);
    params
}

/// Blake2b with a digest of 32 octets.
pub fn blake2b(data: &[u8]) -> Hash {
    let mut out = ZERO_HASH;
    out.copy_from_slice(params().hash(data).as_bytes());
    out
}

/// Hash of the branch over two sub-tries, function B: the first bit of the left one is dropped.
pub(crate) fn branch_hash(left: &Hash, right: &Hash) -> Hash {
    blake2b(&branch_node(left, right))
}

/// The node itself, function B.
pub(crate) fn branch_node(left: &Hash, right: &Hash) -> [u8; NODE_BYTES] {
    let mut node = [0; NODE_BYTES];
    node[..32].copy_from_slice(left);
    node[0] &= 0b0111_1111;
    node[32..].copy_from_slice(right);
    node
}

/// Hash of the sub-trie at depth `top` whose keys all agree with `key` before bit `from`, where the
/// sub-trie with `hash` hangs: one branch with an empty other side for every bit between.
pub(crate) fn lift(mut hash: Hash, key: &Key, from: usize, top: usize) -> Hash {
    for depth in (top..from).rev() {
        hash = blake2b(&lift_node(&hash, key, depth));
    }
    hash
}

/// The branch at `depth` over a sub-trie whose keys all agree with `key` there.
pub(crate) fn lift_node(hash: &Hash, key: &Key, depth: usize) -> [u8; NODE_BYTES] {
    match bit(key, depth) {
        0 => branch_node(hash, &ZERO_HASH),
        _ => branch_node(&ZERO_HASH, hash),
    }
}

/// Hashes of many nodes, several at once where the processor can.
pub(crate) fn hash_nodes(nodes: impl Iterator<Item = [u8; NODE_BYTES]>) -> Vec<Hash> {
    let mut nodes = nodes.peekable();
    let mut hashes = Vec::with_capacity(nodes.size_hint().0);
    let mut batch = Vec::with_capacity(BATCH);
    while nodes.peek().is_some() {
        batch.clear();
        batch.extend(nodes.by_ref().take(BATCH));
        match batch.as_slice() {
            [node] => hashes.push(blake2b(node)),
            nodes => hashes.extend(hash_all(nodes.iter().map(|node| &node[..]))),
        }
    }
    hashes
}

/// Hashes of many values, several at once where the processor can.
pub(crate) fn value_hashes(values: &[&[u8]]) -> Vec<Hash> {
    let batches = values.chunks(BATCH);
    batches
        .flat_map(|batch| hash_all(batch.iter().copied()))
        .collect()
}

/// Hashes of many leaves (function L), several at once where the processor can.
pub(crate) fn leaf_hashes(leaves: &[&Leaf]) -> Vec<Hash> {
    let entries: Vec<&[u8]> = leaves.iter().map(|leaf| leaf.entry()).collect();
    entry_hashes(&entries)
}

/// The same for entries as their keys, each with its value behind it.
pub(crate) fn entry_hashes(entries: &[&[u8]]) -> Vec<Hash> {
    let mut hashes = Vec::with_capacity(entries.len());
    let mut nodes = Vec::with_capacity(BATCH.min(entries.len()));
    for chunk in entries.chunks(BATCH) {
        nodes.clear();
        nodes.extend(chunk.iter().map(|entry| leaf_node(entry)));
        let large = chunk
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.len() > KEY_BYTES + EMBEDDED_MAX);
        let values = large.clone().map(|(_, entry)| &entry[KEY_BYTES..]);
        for ((index, _), hash) in large.zip(hash_all(values)) {
            nodes[index][1 + KEY_BYTES..].copy_from_slice(&hash);
        }
        hashes.extend(hash_all(nodes.iter().map(|node| &node[..])));
    }
    hashes
}

/// The entry's node, with the place of a large value's hash still empty.
fn leaf_node(entry: &[u8]) -> [u8; NODE_BYTES] {
    let mut node = [0; NODE_BYTES];
    let (key, value) = entry.split_at(KEY_BYTES);
    node[1..1 + KEY_BYTES].copy_from_slice(key);
    if value.len() <= EMBEDDED_MAX {
        node[0] = EMBEDDED_LEAF | value.len() as u8;
        node[1 + KEY_BYTES..][..value.len()].copy_from_slice(value);
    } else {
        node[0] = REGULAR_LEAF;
    }
    node
}

/// Hash of the leaf of a value that stands in it.
fn embedded_leaf_hash(key: &Key, value: &[u8]) -> Hash {
    let mut node = [0; NODE_BYTES];
    node[0] = EMBEDDED_LEAF | value.len() as u8;
    node[1..1 + KEY_BYTES].copy_from_slice(key);
    node[1 + KEY_BYTES..][..value.len()].copy_from_slice(value);
    blake2b(&node)
}

/// The hash of an entry, whatever its size (function L).
pub(crate) fn entry_hash(key: &Key, value: &[u8]) -> Hash {
    match value.len() {
        0..=EMBEDDED_MAX => embedded_leaf_hash(key, value),
        _ => regular_leaf_hash(key, &blake2b(value)),
    }
}

/// Hash of the leaf of a value that it names by its hash.
pub(crate) fn regular_leaf_hash(key: &Key, value_hash: &Hash) -> Hash {
    blake2b(&regular_leaf_node(key, value_hash))
}

/// The node of a leaf that names its value by its hash.
pub(crate) fn regular_leaf_node(key: &Key, value_hash: &Hash) -> [u8; NODE_BYTES] {
    let mut node = [0; NODE_BYTES];
    node[0] = REGULAR_LEAF;
    node[1..1 + KEY_BYTES].copy_from_slice(key);
    node[1 + KEY_BYTES..].copy_from_slice(value_hash);
    node
}

/// The node of an entry, whatever its size (function L).
pub(crate) fn whole_leaf_node(leaf: &Leaf) -> [u8; NODE_BYTES] {
    match leaf.value().len() {
        0..=EMBEDDED_MAX => leaf_node(leaf.entry()),
        _ => regular_leaf_node(leaf.key(), &blake2b(leaf.value())),
    }
}

fn hash_all<'a>(inputs: impl Iterator<Item = &'a [u8]>) -> Vec<Hash> {
    let params = params();
    let mut jobs: Vec<HashManyJob> = inputs.map(|data| HashManyJob::new(&params, data)).collect();
    hash_many(jobs.iter_mut());
    jobs.iter()
        .map(|job| {
            let mut out = ZERO_HASH;
            out.copy_from_slice(job.to_hash().as_bytes());
            out
        })
        .collect()
}
