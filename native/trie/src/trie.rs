//! The trie value: lookup and the one way to change it.

use std::mem::size_of;
use std::sync::Arc;

use crate::draft::{Drafts, Side};
use crate::hash::{entry_hash, leaf_hashes, regular_leaf_hash, Hash, ZERO_HASH};
use crate::node::KEY_BYTES;
use crate::node::{bit, shared_bits, Branch, Edge, Key, Leaf, Node, StoredBranch, StoredLeaf};
use crate::page::Page;
use crate::source::{Reader, Source, SourceError};

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

/// An immutable map from 31-byte keys to values with the paper's Merkle root.
///
/// It lies in memory, or grows from a trie on disk: then it holds what changed, and references into
/// its source for the rest.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    pub(crate) root: Option<Edge>,
    len: usize,
    value_bytes: usize,
    generation: u32,
    source: Option<Arc<dyn Source>>,
}

/// A change that has an effect: the removal of a present key, or a new or different value.
struct Update<'a> {
    key: &'a Key,
    put: Option<(&'a Leaf, Hash)>,
}

/// An entry that was looked up; its value is not fetched when it is stored.
pub(crate) enum Found {
    Memory(Leaf),
    Stored(Arc<StoredLeaf>),
}

impl Found {
    pub fn value_len(&self) -> usize {
        match self {
            Found::Memory(leaf) => leaf.value().len(),
            Found::Stored(leaf) => leaf.value_len as usize,
        }
    }

    pub fn hash(&self) -> Hash {
        match self {
            Found::Memory(leaf) => entry_hash(leaf.key(), leaf.value()),
            Found::Stored(leaf) => regular_leaf_hash(&leaf.key, &leaf.value_hash),
        }
    }

    /// Whether an entry of the same key has the same value.
    fn is(&self, leaf: &Leaf, hash: &Hash) -> bool {
        match self {
            Found::Memory(own) => own.value() == leaf.value(),
            Found::Stored(_) => self.hash() == *hash,
        }
    }
}

impl Trie {
    pub(crate) fn of_parts(
        root: Option<Edge>,
        len: usize,
        value_bytes: usize,
        generation: u32,
        source: Option<Arc<dyn Source>>,
    ) -> Trie {
        Trie {
            root,
            len,
            value_bytes,
            generation,
            source,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of all values together.
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// One more than that of the trie it was made from by [`Trie::apply`].
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The Merkle root, function M of appendix D over all entries.
    pub fn root(&self) -> Hash {
        self.root.as_ref().map_or(ZERO_HASH, |edge| edge.hash)
    }

    /// Bytes of memory that this trie would take alone, nothing shared and nothing stored; the
    /// allocator's own bookkeeping is estimated.
    pub fn memory(&self) -> usize {
        const COUNTS: usize = 2 * size_of::<usize>();
        const ALLOCATOR: usize = 2 * size_of::<usize>();
        let leaf = KEY_BYTES + COUNTS + ALLOCATOR;
        let branch = size_of::<Branch>() + COUNTS + ALLOCATOR;
        self.value_bytes + self.len * leaf + self.len.saturating_sub(1) * branch
    }

    /// The entry of `key`.
    pub fn get(&self, key: &Key) -> Result<Option<Leaf>, SourceError> {
        let missed = self.source.as_ref().map(|source| source.misses());
        let leaf = match self.find(key)? {
            Some(Found::Memory(leaf)) => Some(leaf),
            Some(Found::Stored(stored)) => Some(self.reader().leaf(&stored)?),
            None => None,
        };
        if let Some(source) = &self.source {
            source.count_lookup(missed == Some(source.misses()));
        }
        Ok(leaf)
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader(self.source.as_deref())
    }

    pub(crate) fn find(&self, key: &Key) -> Result<Option<Found>, SourceError> {
        self.find_by(self.reader(), key)
    }

    /// Looks a key up; what is not in memory comes from `reader`.
    pub(crate) fn find_by(
        &self,
        reader: Reader<'_>,
        key: &Key,
    ) -> Result<Option<Found>, SourceError> {
        let Some(root) = self.root.as_ref() else {
            return Ok(None);
        };
        Ok(match reader.descend(root, key)? {
            Some(Node::Leaf(leaf, _)) => Some(Found::Memory(leaf)),
            Some(Node::StoredLeaf(leaf)) => Some(Found::Stored(leaf)),
            Some(Node::Branch(_) | Node::Near { .. } | Node::Far(_)) | None => None,
        })
    }

    /// The trie with these changes, given in any order.
    ///
    /// Changes without effect are dropped first, so a trie that ends up equal shares all its nodes.
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
        let mut child = self.clone();
        child.generation += 1;
        let mut updates = Vec::with_capacity(changes.len());
        for update in hashed(&changes) {
            if child.account(self.find(update.key)?, &update) {
                updates.push(update);
            }
        }
        if !updates.is_empty() {
            let mut work = Work {
                reader: self.reader(),
                base: self.reader().base(),
                birth: child.generation,
                drafts: Drafts::for_updates(updates.len()),
            };
            let side = match &self.root {
                Some(edge) => work.update(edge, 0, &updates)?,
                None => work.put_all(&updates, 0),
            };
            let drafts = work.drafts;
            child.root = side.map(|side| drafts.finish(side, child.generation));
        }
        Ok(child)
    }

    /// Counts one change against the entry it meets; false when it has no effect.
    fn account(&mut self, old: Option<Found>, update: &Update<'_>) -> bool {
        let new = update.put.as_ref();
        let same = match (&old, new) {
            (Some(old), Some((leaf, hash))) => old.is(leaf, hash),
            (None, None) => true,
            _ => false,
        };
        if same {
            return false;
        }
        self.len = self.len + usize::from(new.is_some()) - usize::from(old.is_some());
        let size = new.map_or(0, |(leaf, _)| leaf.value().len());
        let gone = old.as_ref().map_or(0, Found::value_len);
        self.value_bytes = self.value_bytes + size - gone;
        true
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

/// What the making of one trie needs everywhere.
struct Work<'a> {
    reader: Reader<'a>,
    base: Option<u32>,
    birth: u32,
    drafts: Drafts,
}

impl Work<'_> {
    fn puts(&self, updates: &[Update<'_>]) -> Vec<Edge> {
        updates
            .iter()
            .filter_map(|update| update.put)
            .map(|(leaf, hash)| Edge::to_leaf(leaf.clone(), hash, self.birth))
            .collect()
    }

    /// The sub-trie of the entries of updates alone.
    fn put_all(&mut self, updates: &[Update<'_>], top: usize) -> Option<Side> {
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
        let own = edge.node.bit();
        let from = parting_bit(|| edge.node.first_key(), own, top, updates);
        let (left, right) = parted(updates, from);
        if from < own {
            return self.part(edge, from, top, left, right);
        }
        let branch = edge.branch(self.reader)?.expect("checked above");
        let sides = [
            self.updated(&branch.edges[0], own + 1, left)?,
            self.updated(&branch.edges[1], own + 1, right)?,
        ];
        Ok(self.drafts.join(sides, own, top))
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
        let (left, right) = parted(updates, from);
        if from < own {
            return self.part(&Edge::to_stored(*stored, top), from, top, left, right);
        }
        let (page, index) = self.reader.locate(stored)?;
        let sides = self.sides_stored(&page, index, left, right)?;
        Ok(self.drafts.join(sides, own, top))
    }

    /// The same below a branch of a page, which is not looked for again at each of its branches.
    fn update_stored(
        &mut self,
        page: &Page,
        index: usize,
        top: usize,
        updates: &[Update<'_>],
    ) -> Changed {
        let own = page.bit(index);
        let from = parting_bit(|| page.key_below(index), own, top, updates);
        let (left, right) = parted(updates, from);
        if from < own {
            return self.part(&page.edge(index, own), from, top, left, right);
        }
        let sides = self.sides_stored(page, index, left, right)?;
        Ok(self.drafts.join(sides, own, top))
    }

    /// Both sides of a branch of a page with the updates that fall on them.
    fn sides_stored(
        &mut self,
        page: &Page,
        index: usize,
        left: &[Update<'_>],
        right: &[Update<'_>],
    ) -> Result<[Option<Side>; 2], SourceError> {
        let left = self.side_stored(page, index, 0, left)?;
        Ok([left, self.side_stored(page, index, 1, right)?])
    }

    fn side_stored(
        &mut self,
        page: &Page,
        index: usize,
        side: usize,
        updates: &[Update<'_>],
    ) -> Changed {
        let top = page.bit(index) + 1;
        match (page.side(index, side), updates) {
            (Ok(child), []) => Ok(Some(self.drafts.hang(page.stored(child), top))),
            (Ok(child), _) => self.update_stored(page, child, top, updates),
            (Err(record), _) if !record.is_link() && has(updates, &record.first_key()) => {
                Ok(self.put_all(updates, top))
            }
            (Err(record), _) => match (record.link(), updates) {
                (Some(link), []) => Ok(Some(self.drafts.hang(link, top))),
                (Some(link), _) => self.update_link(&link, top, updates),
                (None, []) => Ok(Some(Side::Done(record.reference(top)))),
                (None, _) => self.update(&record.reference(top), top, updates),
            },
        }
    }

    /// A branch with updates that part from all its keys at an earlier bit.
    fn part(
        &mut self,
        edge: &Edge,
        from: usize,
        top: usize,
        left: &[Update<'_>],
        right: &[Update<'_>],
    ) -> Changed {
        // Removals name present keys, so what lies beside the branch is all new.
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
        Ok(self.drafts.join(sides, from, top))
    }

    /// A child with the updates of its side; when there are none it is shared, or shed.
    fn updated(&mut self, edge: &Edge, top: usize, updates: &[Update<'_>]) -> Changed {
        match updates {
            [] => Ok(Some(Side::Done(edge.shed(top, self.base)))),
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
    fn beside(&self, leaf: &Edge, updates: &[Update<'_>]) -> Vec<Edge> {
        let mut entries = self.puts(updates);
        let key = leaf.node.first_key();
        if let Err(place) = updates.binary_search_by(|update| update.key.cmp(&key)) {
            // Every update is a put then: a removal here could only name the leaf's own key.
            entries.insert(place, leaf.clone());
        }
        entries
    }

    /// A sub-trie of sorted entries, linked from depth `top`; all keys agree before `top`.
    fn build(&mut self, entries: &[Edge], top: usize) -> Option<Side> {
        match entries {
            [] => None,
            [edge] => Some(Side::Done(edge.clone())),
            [first, .., last] => {
                let from = shared_bits(&first.node.first_key(), &last.node.first_key());
                let middle = entries.partition_point(|edge| bit(&edge.node.first_key(), from) == 0);
                let (left, right) = entries.split_at(middle);
                let sides = [self.build(left, from + 1), self.build(right, from + 1)];
                self.drafts.join(sides, from, top)
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
