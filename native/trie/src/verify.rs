//! A walk over all that a source holds, to find what is damaged.

use crate::node::{Node, StoredBranch};
use crate::source::SourceError;
use crate::trie::Trie;

/// What is wrong with a trie on disk.
#[derive(Debug, Default)]
pub struct Damage {
    /// Pages that were read.
    pub pages: u64,
    /// Values that were read.
    pub values: u64,
    /// What could not be read, or is not what its reference says. What lies below a damaged page is
    /// not looked at.
    pub errors: Vec<SourceError>,
}

/// Reads every page and every value of the base `trie` and compares them with the root. Stops after
/// `most` errors.
pub fn verify(trie: &Trie, most: usize) -> Damage {
    let mut damage = Damage::default();
    let mut pending: Vec<StoredBranch> = Vec::new();
    let reader = trie.reader();
    if let Some(root) = &trie.root {
        pending.extend(root.stored());
        if let Node::StoredLeaf(leaf) = &root.node {
            damage.values += 1;
            damage.errors.extend(reader.leaf(leaf).err());
        }
    }
    while let Some(stored) = pending.pop() {
        damage.pages += 1;
        match reader.locate(&stored) {
            Ok((page, _)) => {
                for leaf in page.stored_leaves() {
                    damage.values += 1;
                    damage.errors.extend(reader.leaf(&leaf).err());
                }
                pending.extend(page.links().into_iter().rev());
            }
            Err(error) => damage.errors.push(error),
        }
        if damage.errors.len() >= most {
            break;
        }
    }
    damage
}
