//! Walks over a trie in key order, and over two tries at once.

use std::sync::Arc;

use crate::node::{bit, shared_bits, Branch, Edge, Key, Leaf, Node, KEY_BITS};
use crate::source::{Reader, SourceError};
use crate::trie::Trie;

/// The entries of a trie from some key on, in key order. Holds at most one node a level; after an
/// error it ends.
#[derive(Debug)]
pub struct Entries<'a> {
    reader: Reader<'a>,
    pending: Vec<Edge>,
}

impl Entries<'_> {
    /// The next entry as a node: its value is not fetched when it is stored.
    fn next_node(&mut self) -> Result<Option<Node>, SourceError> {
        while let Some(edge) = self.pending.pop() {
            let Some(branch) = edge.branch(self.reader)? else {
                return Ok(Some(edge.node));
            };
            let [left, right] = &branch.edges;
            self.pending.push(right.clone());
            self.pending.push(left.clone());
        }
        Ok(None)
    }

    fn next_leaf(&mut self) -> Result<Option<Leaf>, SourceError> {
        Ok(match self.next_node()? {
            Some(Node::Leaf(leaf, _)) => Some(leaf),
            Some(Node::StoredLeaf(stored)) => Some(self.reader.leaf(&stored)?),
            _ => None,
        })
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Leaf, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_leaf();
        if next.is_err() {
            self.pending.clear();
        }
        next.transpose()
    }
}

impl Trie {
    /// All entries whose key is `start` or a later one.
    pub fn entries_from(&self, start: &Key) -> Result<Entries<'_>, SourceError> {
        let reader = self.reader();
        let mut pending = Vec::new();
        if let Some(root) = &self.root {
            let parting = shared_bits(&nearest_key(root, start, reader)?, start);
            let mut edge = root.clone();
            while edge.node.bit() <= parting {
                let Some(branch) = edge.branch(reader)? else {
                    break;
                };
                let side = bit(start, usize::from(branch.bit));
                if side == 0 {
                    pending.push(branch.edges[1].clone());
                }
                edge = branch.edges[side].clone();
            }
            // All keys below agree with `start` before the parting bit and differ from it there.
            if parting == KEY_BITS || bit(start, parting) == 0 {
                pending.push(edge);
            }
        }
        Ok(Entries { reader, pending })
    }

    /// The keys whose values differ between two tries, or that only one of them has, in key order.
    ///
    /// Sub-tries of equal hash are not entered, so the cost follows the difference.
    pub fn changed_keys(&self, other: &Trie) -> Result<Vec<Key>, SourceError> {
        let mut keys = Vec::new();
        self.each_changed(other, usize::MAX, &mut |stretch| {
            keys.extend(stretch);
            Ok(())
        })?;
        Ok(keys)
    }

    /// The same keys, in stretches of `most` or a few more: what a stretch leads through is still in
    /// the source's cache when it is handed over.
    pub(crate) fn each_changed(
        &self,
        other: &Trie,
        most: usize,
        take: &mut Take<'_>,
    ) -> Result<(), SourceError> {
        let mut pair = Pair {
            readers: [self.reader(), other.reader()],
            keys: Vec::new(),
            most,
            take,
        };
        match (&self.root, &other.root) {
            (Some(a), Some(b)) => pair.differences(a, b, 0, 0)?,
            (Some(edge), None) => pair.collect(edge, 0)?,
            (None, Some(edge)) => pair.collect(edge, 1)?,
            (None, None) => {}
        }
        pair.hand_over()
    }
}

/// Key of the entry that the bits of `key` lead to: the only one below that can have this key.
fn nearest_key(edge: &Edge, key: &Key, reader: Reader<'_>) -> Result<Key, SourceError> {
    let mut edge = edge.clone();
    while let Some(branch) = edge.branch(reader)? {
        edge = branch.edges[bit(key, usize::from(branch.bit))].clone();
    }
    Ok(edge.node.first_key())
}

/// Who takes keys that were found.
pub(crate) type Take<'a> = dyn FnMut(Vec<Key>) -> Result<(), SourceError> + 'a;

/// Two tries that are compared, and the keys found since some were handed over.
struct Pair<'a, 'b> {
    readers: [Reader<'a>; 2],
    keys: Vec<Key>,
    most: usize,
    take: &'a mut Take<'b>,
}

impl Pair<'_, '_> {
    fn found(&mut self, key: Key) -> Result<(), SourceError> {
        self.keys.push(key);
        if self.keys.len() >= self.most {
            self.hand_over()?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), SourceError> {
        let keys = std::mem::take(&mut self.keys);
        (self.take)(keys)
    }

    /// Takes all keys of a sub-trie of the first trie (0) or the second (1).
    fn collect(&mut self, edge: &Edge, of: usize) -> Result<(), SourceError> {
        let mut entries = Entries {
            reader: self.readers[of],
            pending: vec![edge.clone()],
        };
        while let Some(node) = entries.next_node()? {
            self.found(node.first_key())?;
        }
        Ok(())
    }

    /// Compares a sub-trie of trie `of` with one of the other trie; all their keys agree before depth
    /// `top`.
    fn differences(
        &mut self,
        a: &Edge,
        b: &Edge,
        of: usize,
        top: usize,
    ) -> Result<(), SourceError> {
        // Equal hashes mean equal entries even where the links start at different depths.
        if a.hash == b.hash {
            return Ok(());
        }
        let (at_a, at_b) = (a.node.bit(), b.node.bit());
        if at_a.min(at_b) > top {
            let (key_a, key_b) = (a.node.first_key(), b.node.first_key());
            let shared = shared_bits(&key_a, &key_b);
            if shared < at_a.min(at_b) {
                let [first, second] = match bit(&key_a, shared) {
                    0 => [(a, of), (b, 1 - of)],
                    _ => [(b, 1 - of), (a, of)],
                };
                self.collect(first.0, first.1)?;
                return self.collect(second.0, second.1);
            }
        }
        match at_a.cmp(&at_b) {
            std::cmp::Ordering::Less => self.one_sided(a, b, of),
            std::cmp::Ordering::Greater => self.one_sided(b, a, 1 - of),
            std::cmp::Ordering::Equal => {
                let branches = (self.branch(a, of)?, self.branch(b, 1 - of)?);
                let (Some(x), Some(y)) = branches else {
                    return self.found(a.node.first_key());
                };
                self.differences(&x.edges[0], &y.edges[0], of, at_a + 1)?;
                self.differences(&x.edges[1], &y.edges[1], of, at_a + 1)
            }
        }
    }

    /// Differences between a branch and a sub-trie that lies wholly on one of its sides.
    fn one_sided(&mut self, branch: &Edge, other: &Edge, of: usize) -> Result<(), SourceError> {
        let Some(branch) = self.branch(branch, of)? else {
            return Ok(());
        };
        let [left, right] = &branch.edges;
        let at = usize::from(branch.bit);
        match bit(&other.node.first_key(), at) {
            0 => {
                self.differences(left, other, of, at + 1)?;
                self.collect(right, of)
            }
            _ => {
                self.collect(left, of)?;
                self.differences(right, other, of, at + 1)
            }
        }
    }

    fn branch(&self, edge: &Edge, of: usize) -> Result<Option<Arc<Branch>>, SourceError> {
        edge.branch(self.readers[of])
    }
}
