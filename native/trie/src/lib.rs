//! The Merkle trie of appendix D as an immutable value with cheap children.
//!
//! A [`Trie`] maps 31-byte keys to values. [`Trie::apply`] makes a new trie and leaves the old one
//! as it was; the two share every node that did not change, so a fork costs its own changes alone.
//!
//! The paper's trie has a node for every bit that two keys share. Here a run of such one-child
//! nodes is one link: a branch stands only where keys part, and the hashes of the run are computed
//! into the hash that the link carries (see [`node`]). The root is the paper's.
//!
//! A trie may lie on disk: a [`Source`] holds one trie, the base, as pages and values, and tries that
//! descend from it hold references for whatever they did not change (see [`source`] and [`page`]). A
//! branch holds the hashes of both children, so hashing a changed path never reads what lies beside
//! it. When a trie is changed, nodes off the changed paths that the base has by now become references
//! again: memory follows what changed since the base, not the size of the trie. [`advance`] is how a
//! source moves its base on.
//!
//! Recursion (update, difference, drop) goes one level a branch, and branches on a path have
//! growing bits below 248: whatever keys an adversary picks, the depth stays below 248 calls (twice
//! that for a difference, which descends two tries).

mod advance;
mod ahead;
mod batch;
mod draft;
mod hash;
mod mend;
mod node;
mod page;
mod partial;
mod proof;
mod record;
mod root;
mod source;
mod trie;
mod update;
mod verify;
mod walk;
mod warm;

pub use advance::{advance, Piece, Values};
pub use ahead::{Foresight, Peek};
pub use batch::{append_entry, decode_changes, BatchError, REMOVED};
pub use hash::{blake2b, Hash, ZERO_HASH};
pub use mend::{Mended, Mender, Spot};
pub use node::{Key, Leaf, KEY_BYTES};
pub use page::{Page, Place, PAGE_BITS};
pub use partial::{apply_partial, open_partial, Need, PartialError};
pub use root::{RootBuilder, RootError};
pub use source::{Base, Source, SourceError};
pub use trie::Trie;
pub use update::{ApplyError, Change};
pub use verify::{verify, Damage};
pub use walk::Entries;

#[cfg(test)]
mod tests;
