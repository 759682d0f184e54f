//! The Merkle trie of appendix D as an immutable value with cheap children.
//!
//! A [`Trie`] maps 31-byte keys to values. [`Trie::apply`] makes a new trie and leaves the old one
//! as it was; the two share every node that did not change, so a fork costs its own changes alone.
//!
//! The paper's trie has a node for every bit that two keys share. Here a run of such one-child
//! nodes is one link: a branch stands only where keys part, and the hashes of the run are computed
//! into the hash that the link carries (see [`node`]). The root is the paper's.
//!
//! A branch holds the hashes of both children, so hashing a changed path never visits the nodes
//! beside it, and entries leave this crate as owned handles, never as borrows of a node: both hold
//! when nodes come from a file one day.
//!
//! Recursion (update, difference, drop) goes one level a branch, and branches on a path have
//! growing bits below 248: whatever keys an adversary picks, the depth stays below 248 calls (twice
//! that for a difference, which descends two tries).

mod batch;
mod hash;
mod node;
mod trie;
mod walk;

pub use batch::{append_entry, decode_changes, BatchError, REMOVED};
pub use hash::{Hash, ZERO_HASH};
pub use node::{Key, Leaf, KEY_BYTES};
pub use trie::{Change, DuplicateKey, Trie};
pub use walk::Entries;

#[cfg(test)]
mod tests;
