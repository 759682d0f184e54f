//! Pages: the form that a trie has on disk.
//!
//! The trie is cut every [`PAGE_BITS`] bits of depth. The branches between two cuts that share the
//! bits of their keys before the upper cut are one page; its [`Place`] is the number of that cut and
//! those bits. Keys below a branch alone decide where it lies, so the same sub-trie lies at the
//! same places whatever surrounds it. A level of which no branch is part has no page.
//!
//! A page is a table of branches, parents first, followed by its records: the entries and the links
//! to other pages that hang from them. Values stand in the records of their entries as long as they
//! are not large, so that one read finds what stands at the bottom of the trie. No hash that the rest of the page determines is written: all
//! are computed when it is read, and comparing one with a reference checks everything below it.

use std::fmt;
use std::sync::Arc;

use crate::hash::{branch_hash, entry_hashes, lift, Hash, ZERO_HASH};
use crate::node::{bit, cut, shared_bits, turned, Branch, Edge, Key, Node, StoredBranch};
use crate::node::{StoredLeaf, KEY_BITS, KEY_BYTES};
use crate::record::{append_record, Record};
use crate::source::{Reader, SourceError};

/// Depth of a page in bits. State keys alternate octets of a service's number with octets of a hash
/// (appendix D.1): cut at octets, a state with one large service is as shallow as any other. A
/// million entries then have some 65 000 pages of 15 at the bottom and few above, which stay in memory.
pub const PAGE_BITS: usize = 8;

/// Up to so many entries of a page have their values in it. A page is written as a whole, so one that
/// many entries hang from would grow costly to change.
const INLINE_ENTRIES: usize = 32;

/// Branches that fit in a page.
const MOST_BRANCHES: usize = (1 << PAGE_BITS) - 1;

const ROW_BYTES: usize = 5;
/// Marks a child that is a branch of the same page.
const INSIDE: usize = 0x8000;

/// Where a page lies: the cut at which it starts, and the bits of all its keys before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    level: u8,
    prefix: Key,
}

impl Place {
    /// The place of a branch at `bit` over keys that agree with `key` before it.
    pub(crate) fn of(key: &Key, bit: usize) -> Place {
        let level = bit / PAGE_BITS;
        Place {
            level: level as u8,
            prefix: cut(key, level * PAGE_BITS),
        }
    }

    /// The first bit at which branches of this page can stand.
    pub(crate) fn start(&self) -> usize {
        usize::from(self.level) * PAGE_BITS
    }

    /// The first and the last key that agree with the place's bits.
    pub(crate) fn span(&self) -> (Key, Key) {
        let mut last = self.prefix;
        let (whole, rest) = (self.start() / 8, self.start() % 8);
        last[whole] |= 0xff >> rest;
        last[whole + 1..].fill(0xff);
        (self.prefix, last)
    }

    /// The place as a key of a table: the bits, then the number of the cut. In the order of such
    /// keys a page stands near the entries below it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.prefix[..self.start().div_ceil(8)].to_vec();
        bytes.push(self.level);
        bytes
    }

    /// The place that [`Place::to_bytes`] gave these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Place> {
        let (&level, prefix) = bytes.split_last()?;
        let mut key = [0; KEY_BYTES];
        key.get_mut(..prefix.len())?.copy_from_slice(prefix);
        let place = Place { level, prefix: key };
        (place.start() < KEY_BITS && place.to_bytes() == bytes).then_some(place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A page in memory: its bytes, and the hash of each branch at its own bit.
#[derive(Debug)]
pub struct Page {
    bytes: Box<[u8]>,
    hashes: Box<[Hash]>,
    inner: bool,
}

/// What hangs from a branch of a page.
enum Child<'a> {
    Inside(usize),
    Outside(Record<'a>),
}

/// The bytes of a page, and how many branches it has.
#[derive(Clone, Copy)]
struct Table<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl Child<'_> {
    fn is_link(&self) -> bool {
        matches!(self, Child::Outside(record) if record.is_link())
    }
}

impl<'a> Table<'a> {
    fn of(bytes: &'a [u8]) -> Option<Table<'a>> {
        let count = usize::from(*bytes.first()?);
        let whole = (1..=MOST_BRANCHES).contains(&count) && bytes.len() > count * ROW_BYTES;
        whole.then_some(Table { bytes, count })
    }

    fn bit(&self, index: usize) -> usize {
        usize::from(self.bytes[1 + index * ROW_BYTES])
    }

    fn row(&self, index: usize, side: usize) -> usize {
        let at = 2 + index * ROW_BYTES + side * 2;
        usize::from(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]))
    }

    fn child(&self, index: usize, side: usize) -> Option<Child<'a>> {
        let row = self.row(index, side);
        if row & INSIDE != 0 {
            return Some(Child::Inside(row & !INSIDE));
        }
        let records = &self.bytes[1 + self.count * ROW_BYTES..];
        Record::read(records.get(row..)?).map(Child::Outside)
    }
}

impl Page {
    /// Reads a page and computes its hashes; `None` when the bytes are no page of this place.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>, place: &Place) -> Option<Page> {
        let bytes = bytes.into();
        let table = Table::of(&bytes)?;
        let mut children = Vec::with_capacity(table.count);
        for index in 0..table.count {
            children.push([table.child(index, 0)?, table.child(index, 1)?]);
        }
        let links = children.iter().flatten().filter(|child| child.is_link());
        // As many ends as branches and one more: a page is a tree.
        let inner = is_inner(links.count(), table.count + 1);
        let hashes = branch_hashes(table, &children, place)?;
        let hashes = hashes.into();
        Some(Page {
            bytes,
            hashes,
            inner,
        })
    }

    /// The page at the top of which this branch stands.
    pub(crate) fn build(top: &Edge, reader: Reader<'_>) -> Result<Page, SourceError> {
        let mut builder = Builder {
            level: top.node.bit() / PAGE_BITS,
            reader,
            rows: Vec::new(),
            hashes: Vec::new(),
            hung: Vec::new(),
            links: 0,
        };
        builder.add(top, None)?;
        builder.page()
    }

    /// The bytes that go to disk.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory that the page takes.
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.hashes.len() * 32 + size_of::<Page>()
    }

    /// Whether the page mostly leads on to other pages.
    pub fn is_inner(&self) -> bool {
        self.inner
    }

    /// Hash of the top branch at its own bit.
    pub fn hash(&self) -> &Hash {
        &self.hashes[0]
    }

    /// The places that the page links to, each with the hash of the branch that is meant.
    pub(crate) fn links(&self) -> Vec<StoredBranch> {
        self.records().filter_map(|record| record.link()).collect()
    }

    /// The entries of this page whose values lie elsewhere.
    pub(crate) fn stored_leaves(&self) -> Vec<Arc<StoredLeaf>> {
        let far = self.records().filter(Record::is_far);
        far.filter_map(|record| match record.entry() {
            Some(Node::StoredLeaf(leaf)) => Some(leaf),
            _ => None,
        })
        .collect()
    }

    /// Keys of the entries of this page whose values are rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Key> + '_ {
        let far = self.records().filter(Record::is_far);
        far.map(|record| record.first_key())
    }

    /// What hangs from the branches of the page outside it.
    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.hashes.len() * 2).filter_map(|number| self.side(number / 2, number % 2).err())
    }

    /// Index of the branch at this bit on the way to this key, if it has this hash.
    pub(crate) fn locate(&self, key: &Key, at: u8, hash: &Hash) -> Option<usize> {
        let table = self.table();
        let mut index = 0;
        while table.bit(index) < usize::from(at) {
            match table.row(index, bit(key, table.bit(index))) {
                row if row & INSIDE != 0 => index = row & !INSIDE,
                _ => return None,
            }
        }
        (self.hashes[index] == *hash).then_some(index)
    }

    /// What the bits of a key lead to from the branch at `index`: an entry, or a branch of another
    /// page.
    pub(crate) fn descend(&self, mut index: usize, key: &Key) -> Record<'_> {
        loop {
            match self.child(index, bit(key, self.bit(index))) {
                Child::Inside(child) => index = child,
                Child::Outside(record) => return record,
            }
        }
    }

    /// A branch as one in memory, with references to the branches below it.
    pub(crate) fn branch(&self, index: usize) -> Branch {
        let own = self.bit(index);
        let edges = [0, 1].map(|side| match self.child(index, side) {
            Child::Inside(child) => self.edge(child, own + 1),
            Child::Outside(record) => record.edge(own + 1),
        });
        let bit = own as u8;
        let birth = 0;
        Branch { edges, birth, bit }
    }

    /// The bit at which the keys below a branch part.
    pub(crate) fn bit(&self, index: usize) -> usize {
        self.table().bit(index)
    }

    /// The branch of this page on one side of a branch, or else what hangs there.
    pub(crate) fn side(&self, index: usize, side: usize) -> Result<usize, Record<'_>> {
        match self.child(index, side) {
            Child::Inside(child) => Ok(child),
            Child::Outside(record) => Err(record),
        }
    }

    /// A link from depth `top` to a branch, as a reference.
    pub(crate) fn edge(&self, index: usize, top: usize) -> Edge {
        Edge::to_stored(self.stored(index), top)
    }

    /// A branch as a reference.
    pub(crate) fn stored(&self, index: usize) -> StoredBranch {
        StoredBranch {
            hash: self.hashes[index],
            key: self.key_below(index),
            bit: self.bit(index) as u8,
        }
    }

    /// A branch on the other side of one that parts at bit `from`, as a reference; `key` leads to that
    /// one. Where nothing lies between, this tells all that is needed of its keys.
    pub(crate) fn stored_beside(&self, index: usize, from: usize, key: &Key) -> StoredBranch {
        match self.bit(index) {
            bit if bit == from + 1 => StoredBranch {
                hash: self.hashes[index],
                key: turned(*key, from),
                bit: bit as u8,
            },
            _ => self.stored(index),
        }
    }

    /// Some key below a branch, as far as the branch's bit.
    pub(crate) fn key_below(&self, mut index: usize) -> Key {
        loop {
            match self.child(index, 0) {
                Child::Inside(child) => index = child,
                Child::Outside(record) => return record.first_key(),
            }
        }
    }

    fn table(&self) -> Table<'_> {
        Table {
            bytes: &self.bytes,
            count: self.hashes.len(),
        }
    }

    fn child(&self, index: usize, side: usize) -> Child<'_> {
        let child = self.table().child(index, side);
        child.expect("a page is checked when it is made")
    }
}

/// The hash of each branch of a page at its own bit; `None` where they are no tree of this place.
fn branch_hashes(
    table: Table<'_>,
    children: &[[Child<'_>; 2]],
    place: &Place,
) -> Option<Vec<Hash>> {
    let outside = outside_hashes(children);
    let mut hashes = vec![ZERO_HASH; table.count];
    let mut seen = [false; MOST_BRANCHES];
    // The first key below each branch.
    let mut keys = vec![[0; KEY_BYTES]; table.count];
    let bits = place.start()..(place.start() + PAGE_BITS).min(KEY_BITS);
    for index in (0..table.count).rev() {
        let own = table.bit(index);
        if !bits.contains(&own) {
            return None;
        }
        let mut sides = [[0; 32]; 2];
        for (side, hash) in sides.iter_mut().enumerate() {
            let (below, key, at) = match &children[index][side] {
                &Child::Inside(child) => {
                    if child <= index || child >= table.count || seen[child] {
                        return None;
                    }
                    seen[child] = true;
                    (hashes[child], keys[child], table.bit(child))
                }
                Child::Outside(record) => (outside[index][side], record.first_key(), record.bit()),
            };
            if at <= own || bit(&key, own) != side {
                return None;
            }
            *hash = lift_branch(below, &key, at, own + 1);
            if side == 0 {
                keys[index] = key;
            } else if shared_bits(&keys[index], &key) < own {
                return None;
            }
        }
        hashes[index] = branch_hash(&sides[0], &sides[1]);
    }
    let whole = seen[1..table.count].iter().all(|&seen| seen);
    (whole && cut(&keys[0], place.start()) == place.prefix).then_some(hashes)
}

/// Hashes of what hangs from the branches of a page outside it, many entries at once.
fn outside_hashes(children: &[[Child<'_>; 2]]) -> Vec<[Hash; 2]> {
    let mut entries = Vec::with_capacity(children.len() + 1);
    entries.extend(children.iter().flatten().filter_map(|child| match child {
        Child::Outside(Record::Entry(entry)) => Some(*entry),
        _ => None,
    }));
    let mut of_entries = entry_hashes(&entries).into_iter();
    let mut hash = |child: &Child<'_>| match child {
        Child::Inside(_) => ZERO_HASH,
        Child::Outside(Record::Entry(_)) => of_entries.next().unwrap_or_default(),
        Child::Outside(record) => record.own_hash(),
    };
    children
        .iter()
        .map(|[left, right]| [hash(left), hash(right)])
        .collect()
}

fn lift_branch(hash: Hash, key: &Key, from: usize, top: usize) -> Hash {
    match from {
        KEY_BITS => hash,
        _ => lift(hash, key, from, top),
    }
}

/// What hangs from the branches of a page that is made.
enum Hung {
    /// A node, with its hash at its own bit.
    Made(Node, Hash),
    /// What hangs from a branch on a side of a page as it was.
    Kept(Arc<Page>, usize, usize),
}

/// Gathers the branches of one page.
struct Builder<'a> {
    level: usize,
    reader: Reader<'a>,
    /// Branches with their children: another branch, or the number of a record.
    rows: Vec<(u8, [usize; 2])>,
    hashes: Vec<Hash>,
    hung: Vec<Hung>,
    /// Links among what hangs.
    links: usize,
}

impl Builder<'_> {
    /// Adds a branch of the page with what hangs from it; gives its index.
    fn add(&mut self, edge: &Edge, own: Option<Hash>) -> Result<usize, SourceError> {
        if let Some(stored) = edge.stored() {
            let (page, index) = self.reader.locate(&stored)?;
            return Ok(self.copy(&page, index));
        }
        let Node::Branch(branch) = &edge.node else {
            unreachable!("called for branches");
        };
        let index = self.begin(branch.bit, own.unwrap_or_else(|| branch.hash()));
        let top = usize::from(branch.bit) + 1;
        for (side, edge) in branch.edges.iter().enumerate() {
            let own = edge.own_hash(top);
            let at = edge.node.bit();
            self.rows[index].1[side] = if at < KEY_BITS && at / PAGE_BITS == self.level {
                INSIDE | self.add(edge, Some(own))?
            } else {
                self.hang(Hung::Made(edge.node.clone(), own), edge.node.is_branch())
            };
        }
        Ok(index)
    }

    /// Adds a branch of the page as it was, which did not change, with what hangs from it.
    fn copy(&mut self, page: &Arc<Page>, from: usize) -> usize {
        let index = self.begin(page.bit(from) as u8, page.hashes[from]);
        for side in 0..2 {
            self.rows[index].1[side] = match page.side(from, side) {
                Ok(child) => INSIDE | self.copy(page, child),
                Err(record) => {
                    let link = record.is_link();
                    self.hang(Hung::Kept(Arc::clone(page), from, side), link)
                }
            };
        }
        index
    }

    fn begin(&mut self, bit: u8, hash: Hash) -> usize {
        self.rows.push((bit, [0; 2]));
        self.hashes.push(hash);
        self.rows.len() - 1
    }

    fn hang(&mut self, hung: Hung, link: bool) -> usize {
        self.hung.push(hung);
        self.links += usize::from(link);
        self.hung.len() - 1
    }

    fn page(self) -> Result<Page, SourceError> {
        let near = self.hung.len() - self.links <= INLINE_ENTRIES;
        let mut records = Vec::new();
        let mut offsets = Vec::with_capacity(self.hung.len());
        for hung in &self.hung {
            offsets.push(records.len());
            let (node, own) = match hung {
                Hung::Made(node, own) => (node.clone(), *own),
                Hung::Kept(page, index, side) => match page.side(*index, *side) {
                    Err(record) if record.stands(near) => {
                        record.append(&mut records);
                        continue;
                    }
                    // Only the record of a link says its hash, and it stands as it is.
                    Err(record) => match record.entry() {
                        Some(node) => (node, ZERO_HASH),
                        None => unreachable!("a link stands as it is"),
                    },
                    Ok(_) => unreachable!("hung as a record"),
                },
            };
            match near {
                true => append_record(&mut records, &self.reader.near(&node)?, &own, true),
                false => append_record(&mut records, &node, &own, false),
            }
        }
        let mut bytes = Vec::with_capacity(1 + self.rows.len() * ROW_BYTES + records.len());
        bytes.push(self.rows.len() as u8);
        for (bit, children) in &self.rows {
            bytes.push(*bit);
            for &child in children {
                let inside = child & INSIDE != 0;
                let child = if inside { child } else { offsets[child] };
                bytes.extend_from_slice(&(child as u16).to_le_bytes());
            }
        }
        bytes.extend_from_slice(&records);
        Ok(Page {
            bytes: bytes.into(),
            hashes: self.hashes.into(),
            inner: is_inner(self.links, self.hung.len()),
        })
    }
}

/// Whether a page leads on to other pages, rather than to entries.
fn is_inner(links: usize, records: usize) -> bool {
    links * 2 > records
}
