//! The one way to change a trie.

use crate::draft::{Drafts, Side};
use crate::hash::{leaf_hashes, Hash};
use crate::node::{bit, shared_bits, Edge, Key, Leaf, StoredBranch};
use crate::page::Page;
use crate::source::{Reader, SourceError};
use crate::trie::{Found, Trie};

/// What to do with one key.
#[derive(Clone, Debug)]
pub enum Change {
    /// Insert the entry, or replace the value of its key.
    Put(Leaf),
    /// Remove the key; nothing happens when it is absent.
    Remove(Key),
}

impl Change {
    /// The key in question.
    pub fn key(&self) -> &Key {
        match self {
            Change::Put(leaf) => leaf.key(),
            Change::Remove(key) => key,
        }
    }
}

/// Why a trie could not be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// The changes name this key twice.
    DuplicateKey(Key),
    /// A node that the changes meet could not be read.
    Source(SourceError),
}

impl From<SourceError> for ApplyError {
    fn from(error: SourceError) -> Self {
        ApplyError::Source(error)
    }
}

/// A new value for a key, with the hash of its leaf; or the key's removal.
struct Update<'a> {
    key: &'a Key,
    put: Option<(&'a Leaf, Hash)>,
}

impl Update<'_> {
    /// Whether it changes what a lookup of its key found.
    fn tells(&self, old: Option<&Found>) -> bool {
        match (old, &self.put) {
            (Some(old), Some((leaf, hash))) => !old.is(leaf, hash),
            (old, put) => old.is_some() || put.is_some(),
        }
    }
}

impl Trie {
    /// The trie with these changes, given in any order.
    ///
    /// Changes without effect are left out, so a trie that ends up equal shares all its nodes.
    pub fn apply(&self, mut changes: Vec<Change>) -> Result<Trie, ApplyError> {
        changes.sort_unstable_by(|a, b| a.key().cmp(b.key()));
        if let Some(pair) = changes
            .windows(2)
            .find(|pair| pair[0].key() == pair[1].key())
        {
            return Err(ApplyError::DuplicateKey(*pair[0].key()));
        }
        let keys: Vec<Key> = changes.iter().map(|change| *change.key()).collect();
        self.fetch(&keys);
        let updates = hashed(&changes);
        match self.updated(&updates)? {
            Some(child) => Ok(child),
            // Which ones have no effect is not looked for before: mostly all have one.
            None => {
                let mut telling = Vec::with_capacity(updates.len());
                for update in updates {
                    if update.tells(self.find(update.key)?.as_ref()) {
                        telling.push(update);
                    }
                }
                Ok(self.updated(&telling)?.expect("all have an effect"))
            }
        }
    }

    /// The trie with some updates; `None` when one of them has no effect.
    fn updated(&self, updates: &[Update<'_>]) -> Result<Option<Trie>, SourceError> {
        let mut child = self.clone();
        child.generation += 1;
        if updates.is_empty() {
            return Ok(Some(child));
        }
        let mut work = Work {
            reader: self.reader(),
            base: self.reader().base(),
            birth: child.generation,
            drafts: Drafts::for_updates(updates.len()),
            tally: Tally::default(),
        };
        let side = match &self.root {
            Some(edge) => work.update(edge, 0, updates)?,
            None => work.put_all(updates, 0),
        };
        let Work { drafts, tally, .. } = work;
        if tally.idle {
            return Ok(None);
        }
        child.len = child.len + tally.come - tally.gone;
        child.value_bytes = child.value_bytes + tally.bytes_come - tally.bytes_gone;
        child.root = side.map(|side| drafts.finish(side, child.generation));
        Ok(Some(child))
    }
}

fn hashed(changes: &[Change]) -> Vec<Update<'_>> {
    let leaves: Vec<&Leaf> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Put(leaf) => Some(leaf),
            Change::Remove(_) => None,
        })
        .collect();
    let mut new = leaves.iter().copied().zip(leaf_hashes(&leaves));
    changes
        .iter()
        .map(|change| Update {
            key: change.key(),
            put: match change {
                Change::Put(_) => new.next(),
                Change::Remove(_) => None,
            },
        })
        .collect()
}

type Changed = Result<Option<Side>, SourceError>;

/// What updates do to the number of entries and to the bytes of their values.
#[derive(Debug, Default)]
struct Tally {
    come: usize,
    gone: usize,
    bytes_come: usize,
    bytes_gone: usize,
    /// Whether an update has no effect.
    idle: bool,
}

impl Tally {
    /// Counts an update of a key that has no entry.
    fn insert(&mut self, update: &Update<'_>) {
        self.come += 1;
        match update.put {
            Some((leaf, _)) => self.bytes_come += leaf.value().len(),
            None => self.idle = true,
        }
    }

    /// Counts updates beside an entry, of which one may replace it. Its value has so many bytes; `same`
    /// tells whether a leaf of this hash is that entry.
    fn over(
        &mut self,
        updates: &[Update<'_>],
        key: &Key,
        bytes: usize,
        same: impl Fn(&Leaf, &Hash) -> bool,
    ) {
        for update in updates {
            match update.key == key {
                true => self.replace(update, bytes, &same),
                false => self.insert(update),
            }
        }
    }

    /// Counts an update of the entry's own key.
    fn replace(&mut self, update: &Update<'_>, bytes: usize, same: impl Fn(&Leaf, &Hash) -> bool) {
        self.bytes_gone += bytes;
        match update.put {
            Some((leaf, hash)) => {
                self.bytes_come += leaf.value().len();
                self.idle |= same(leaf, &hash);
            }
            None => self.gone += 1,
        }
    }
}

/// What the making of one trie needs everywhere.
struct Work<'a> {
    reader: Reader<'a>,
    base: Option<u32>,
    birth: u32,
    drafts: Drafts,
    tally: Tally,
}

impl Work<'_> {
    fn puts(&self, updates: &[Update<'_>]) -> Vec<Edge> {
        updates
            .iter()
            .filter_map(|update| update.put)
            .map(|(leaf, hash)| Edge::to_leaf(leaf.clone(), hash, self.birth))
            .collect()
    }

    /// The sub-trie of updates of keys that have no entries.
    fn put_all(&mut self, updates: &[Update<'_>], top: usize) -> Option<Side> {
        updates.iter().for_each(|update| self.tally.insert(update));
        self.put_alone(updates, top)
    }

    /// The sub-trie of the entries of updates alone.
    fn put_alone(&mut self, updates: &[Update<'_>], top: usize) -> Option<Side> {
        let puts = self.puts(updates);
        self.build(&puts, top)
    }

    /// The sub-trie below `edge` with a non-empty sorted run of updates, linked from depth `top`;
    /// all keys agree before `top`. Of `edge` only the node counts, its hash may stand at another
    /// depth.
    fn update(&mut self, edge: &Edge, top: usize, updates: &[Update<'_>]) -> Changed {
        if !edge.node.is_branch() {
            let entries = self.beside(edge, updates);
            return Ok(self.build(&entries, top));
        }
        if let Some(stored) = edge.stored() {
            return self.update_link(&stored, top, updates);
        }
        let (own, key) = (edge.node.bit(), updates[0].key);
        let from = parting_bit(|| edge.node.key_towards(key), own, top, updates);
        if from < own {
            return self.part(edge, from, top, updates);
        }
        let (left, right) = parted(updates, own);
        let branch = edge.branch(self.reader)?.expect("checked above");
        let sides = [
            self.updated(&branch.edges[0], own + 1, left, key)?,
            self.updated(&branch.edges[1], own + 1, right, key)?,
        ];
        Ok(self.drafts.join(sides, key, own, top))
    }

    /// The same below a stored branch, of which no hash at depth `top` is made.
    fn update_link(
        &mut self,
        stored: &StoredBranch,
        top: usize,
        updates: &[Update<'_>],
    ) -> Changed {
        let own = usize::from(stored.bit);
        let from = parting_bit(|| stored.key, own, top, updates);
        if from < own {
            return self.part(&Edge::to_stored(*stored, top), from, top, updates);
        }
        let (page, index) = self.reader.locate(stored)?;
        self.join_stored(&page, index, top, updates)
    }

    /// The same below a branch of a page, which is not looked for again at each of its branches.
    fn update_stored(
        &mut self,
        page: &Page,
        index: usize,
        top: usize,
        updates: &[Update<'_>],
    ) -> Changed {
        let (own, key) = (page.bit(index), updates[0].key);
        let towards = || page.descend(index, key).first_key();
        let from = parting_bit(towards, own, top, updates);
        if from < own {
            return self.part(&page.edge(index, own), from, top, updates);
        }
        self.join_stored(page, index, top, updates)
    }

    /// A branch of a page with updates that agree with its keys before its bit.
    fn join_stored(
        &mut self,
        page: &Page,
        index: usize,
        top: usize,
        updates: &[Update<'_>],
    ) -> Changed {
        let (own, key) = (page.bit(index), updates[0].key);
        let (left, right) = parted(updates, own);
        let sides = [
            self.side_stored(page, index, 0, left, key)?,
            self.side_stored(page, index, 1, right, key)?,
        ];
        Ok(self.drafts.join(sides, key, own, top))
    }

    /// One side of a branch of a page; `key` is one of an update below the branch.
    fn side_stored(
        &mut self,
        page: &Page,
        index: usize,
        side: usize,
        updates: &[Update<'_>],
        key: &Key,
    ) -> Changed {
        let top = page.bit(index) + 1;
        match (page.side(index, side), updates) {
            (Ok(child), []) => {
                let stored = page.stored_beside(child, top - 1, key);
                Ok(Some(self.drafts.hang(stored, top)))
            }
            (Ok(child), _) => self.update_stored(page, child, top, updates),
            (Err(record), _) if !record.is_link() && has(updates, &record.first_key()) => {
                let same = |leaf: &Leaf, hash: &Hash| record.is(leaf, hash);
                self.tally
                    .over(updates, &record.first_key(), record.value_len(), same);
                Ok(self.put_alone(updates, top))
            }
            (Err(record), _) => match (record.link(), updates) {
                (Some(link), []) => Ok(Some(self.drafts.hang(link, top))),
                (Some(link), _) => self.update_link(&link, top, updates),
                (None, []) => Ok(Some(match record.heavy() {
                    Some((key, value)) => self.drafts.refer(key, value),
                    None => Side::Done(record.edge(top)),
                })),
                (None, _) => self.update(&record.reference(top), top, updates),
            },
        }
    }

    /// A branch with updates that part from all its keys at an earlier bit.
    fn part(&mut self, edge: &Edge, from: usize, top: usize, updates: &[Update<'_>]) -> Changed {
        let key = updates[0].key;
        let (left, right) = parted(updates, from);
        // What lies beside the branch is all new.
        let sides = match bit(&edge.node.first_key(), from) {
            0 => [
                self.inside(edge, from + 1, left)?,
                self.put_all(right, from + 1),
            ],
            _ => [
                self.put_all(left, from + 1),
                self.inside(edge, from + 1, right)?,
            ],
        };
        Ok(self.drafts.join(sides, key, from, top))
    }

    /// A child with the updates of its side; when there are none it is shared, or shed. `key` is one of
    /// an update below the branch.
    fn updated(&mut self, edge: &Edge, top: usize, updates: &[Update<'_>], key: &Key) -> Changed {
        match updates {
            [] => Ok(Some(Side::Done(edge.shed(top, self.base, key)))),
            _ => self.update(edge, top, updates),
        }
    }

    /// A sub-trie that moves down to depth `top`, with the updates that fall on its side.
    fn inside(&mut self, edge: &Edge, top: usize, updates: &[Update<'_>]) -> Changed {
        match updates {
            [] => Ok(Some(Side::Done(edge.clone().moved(top)))),
            _ => self.update(edge, top, updates),
        }
    }

    /// The entries that stand where there was one leaf, in key order.
    fn beside(&mut self, leaf: &Edge, updates: &[Update<'_>]) -> Vec<Edge> {
        let mut entries = self.puts(updates);
        let key = leaf.node.first_key();
        let same = |_: &Leaf, hash: &Hash| *hash == leaf.hash;
        self.tally.over(updates, &key, leaf.node.value_len(), same);
        if !has(updates, &key) {
            let before = entries.partition_point(|entry| entry.node.first_key() < key);
            entries.insert(before, leaf.clone());
        }
        entries
    }

    /// A sub-trie of sorted entries, linked from depth `top`; all keys agree before `top`.
    fn build(&mut self, entries: &[Edge], top: usize) -> Option<Side> {
        match entries {
            [] => None,
            [edge] => Some(Side::Done(edge.clone())),
            [first, .., last] => {
                let key = first.node.first_key();
                let from = shared_bits(&key, &last.node.first_key());
                let middle = entries.partition_point(|edge| bit(&edge.node.first_key(), from) == 0);
                let (left, right) = entries.split_at(middle);
                let sides = [self.build(left, from + 1), self.build(right, from + 1)];
                self.drafts.join(sides, &key, from, top)
            }
        }
    }
}

/// Whether a key is updated.
fn has(updates: &[Update<'_>], key: &Key) -> bool {
    let found = updates.binary_search_by(|update| update.key.cmp(key));
    found.is_ok()
}

/// The updates with a 0 and those with a 1 at a bit; all are sorted, and agree before it.
fn parted<'a, 'b>(updates: &'a [Update<'b>], at: usize) -> (&'a [Update<'b>], &'a [Update<'b>]) {
    updates.split_at(updates.partition_point(|update| bit(update.key, at) == 0))
}

/// The first bit at which a branch over this key and sorted updates part: the branch's own, or an
/// earlier one at which an update leaves the run of bits that all its keys share from `top` on.
fn parting_bit(key: impl Fn() -> Key, own: usize, top: usize, updates: &[Update<'_>]) -> usize {
    if own == top {
        return own;
    }
    let key = key();
    // Sorted: the update that parts first is the first or the last.
    [updates.first(), updates.last()]
        .into_iter()
        .flatten()
        .map(|update| shared_bits(&key, update.key))
        .fold(own, usize::min)
}
