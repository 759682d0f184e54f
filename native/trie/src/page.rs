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

use crate::hash::{blake2b, branch_hash, embedded_leaf_hash, leaf_hashes, lift, regular_leaf_hash};
use crate::hash::{Hash, EMBEDDED_MAX, ZERO_HASH};
use crate::node::{bit, shared_bits, Branch, Edge, Key, Leaf, Node, StoredBranch, StoredLeaf};
use crate::node::{KEY_BITS, KEY_BYTES};
use crate::source::{Reader, SourceError};

/// Depth of a page in bits. State keys alternate octets of a service's number with octets of a hash
/// (appendix D.1): cut at octets, a state with one large service is as shallow as any other. A
/// million entries then have some 65 000 pages of 15 at the bottom and few above, which stay in memory.
pub const PAGE_BITS: usize = 8;

/// Values up to this length stand in the page of their entry, if few entries hang from that; each
/// other one is a row of its own.
pub(crate) const INLINE_MAX: usize = 512;

/// Up to so many entries of a page have their values in it. A page is written as a whole, so one that
/// many entries hang from would grow costly to change.
const INLINE_ENTRIES: usize = 32;

/// Branches that fit in a page.
const MOST_BRANCHES: usize = (1 << PAGE_BITS) - 1;

const ROW_BYTES: usize = 5;
/// Marks a child that is a branch of the same page.
const INSIDE: u16 = 0x8000;

const LINK: u8 = 0xb0;
const REGULAR: u8 = 0xc0;
const INLINE: u8 = 0xd0;

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

/// The first `bits` bits of a key, the others zero.
fn cut(key: &Key, bits: usize) -> Key {
    let mut out = [0; KEY_BYTES];
    let (whole, rest) = (bits / 8, bits % 8);
    out[..whole].copy_from_slice(&key[..whole]);
    if rest > 0 {
        out[whole] = key[whole] & !(0xff >> rest);
    }
    out
}

/// A page in memory: its bytes, and the hash of each branch at its own bit.
#[derive(Debug)]
pub struct Page {
    bytes: Box<[u8]>,
    hashes: Box<[Hash]>,
    inner: bool,
}

/// What hangs from a branch of a page.
enum Child {
    Inside(usize),
    Outside(Node),
}

impl Child {
    fn is_link(&self) -> bool {
        matches!(self, Child::Outside(Node::StoredBranch(_)))
    }
}

impl Page {
    /// Reads a page and computes its hashes; `None` when the bytes are no page of this place.
    pub fn from_bytes(bytes: &[u8], place: &Place) -> Option<Page> {
        let count = usize::from(*bytes.first()?);
        if !(1..=MOST_BRANCHES).contains(&count) || bytes.len() < 1 + count * ROW_BYTES {
            return None;
        }
        let mut page = Page {
            bytes: bytes.into(),
            hashes: vec![ZERO_HASH; count].into(),
            inner: false,
        };
        let children: Option<Vec<_>> = (0..count)
            .map(|index| Some([page.child(index, 0)?, page.child(index, 1)?]))
            .collect();
        let children = children?;
        let links = children.iter().flatten().filter(|child| child.is_link());
        // As many ends as branches and one more: a page is a tree.
        page.inner = is_inner(links.count(), count + 1);
        let outside = outside_hashes(&children);
        let mut seen = [false; MOST_BRANCHES];
        let mut keys = [[0; KEY_BYTES]; MOST_BRANCHES];
        let mut own_bits = [0; MOST_BRANCHES];
        for index in (0..count).rev() {
            let own = page.bit(index);
            if own < place.start() || own >= (place.start() + PAGE_BITS).min(KEY_BITS) {
                return None;
            }
            let mut sides = [[0; 32]; 2];
            for (side, hash) in sides.iter_mut().enumerate() {
                let (below, key, at) = match &children[index][side] {
                    &Child::Inside(child) => {
                        if child <= index || child >= count || seen[child] {
                            return None;
                        }
                        seen[child] = true;
                        (page.hashes[child], keys[child], own_bits[child])
                    }
                    Child::Outside(node) => (outside[index][side], *node.first_key(), node.bit()),
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
            own_bits[index] = own;
            page.hashes[index] = branch_hash(&sides[0], &sides[1]);
        }
        let whole = seen[1..count].iter().all(|&seen| seen);
        (whole && cut(&keys[0], place.start()) == place.prefix).then_some(page)
    }

    /// The page at the top of which this branch stands.
    pub(crate) fn build(top: &Node, reader: Reader<'_>) -> Result<Page, SourceError> {
        let mut builder = Builder {
            level: top.bit() / PAGE_BITS,
            reader,
            rows: Vec::new(),
            hashes: Vec::new(),
            records: Vec::new(),
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
    pub(crate) fn links(&self) -> Vec<Arc<StoredBranch>> {
        let mut links = Vec::new();
        for index in 0..self.hashes.len() {
            for side in 0..2 {
                if let Some(Child::Outside(Node::StoredBranch(link))) = self.child(index, side) {
                    links.push(link);
                }
            }
        }
        links
    }

    /// The entries of this page whose values lie elsewhere.
    pub(crate) fn stored_leaves(&self) -> Vec<Arc<StoredLeaf>> {
        let mut leaves = Vec::new();
        for index in 0..self.hashes.len() {
            for side in 0..2 {
                if let Some(Child::Outside(Node::StoredLeaf(leaf))) = self.child(index, side) {
                    leaves.push(leaf);
                }
            }
        }
        leaves
    }

    /// Keys of the entries of this page whose values are rows.
    pub(crate) fn rows(&self) -> Vec<Key> {
        self.stored_leaves().iter().map(|leaf| leaf.key).collect()
    }

    /// Index of the branch at this bit on the way to this key, if it has this hash.
    pub(crate) fn locate(&self, key: &Key, at: u8, hash: &Hash) -> Option<usize> {
        let mut index = 0;
        while self.bit(index) < usize::from(at) {
            match self.row(index, bit(key, self.bit(index))) {
                row if row & INSIDE != 0 => index = usize::from(row & !INSIDE),
                _ => return None,
            }
        }
        (self.hashes[index] == *hash).then_some(index)
    }

    /// What the bits of a key lead to from the branch at `index`: an entry, or a branch of another
    /// page.
    pub(crate) fn descend(&self, mut index: usize, key: &Key) -> Node {
        loop {
            match self.known_child(index, bit(key, self.bit(index))) {
                Child::Inside(child) => index = child,
                Child::Outside(node) => return node,
            }
        }
    }

    /// A branch as one in memory. Links to branches have hashes only on the `hashed` sides.
    pub(crate) fn branch(&self, index: usize, hashed: [bool; 2]) -> Branch {
        let own = self.bit(index);
        let edges = [0, 1].map(|side| match self.known_child(index, side) {
            Child::Inside(child) => {
                let stored = StoredBranch {
                    hash: self.hashes[child],
                    key: self.key_below(child),
                    bit: self.bit(child) as u8,
                };
                let own_hash = stored.hash;
                let node = Node::StoredBranch(Arc::new(stored));
                match hashed[side] {
                    true => Edge::lifted(node, own_hash, own + 1),
                    false => Edge::unhashed(node),
                }
            }
            Child::Outside(node) if node.is_branch() && !hashed[side] => Edge::unhashed(node),
            Child::Outside(node) => {
                let own_hash = outside_hash(&node);
                Edge::lifted(node, own_hash, own + 1)
            }
        });
        let birth = 0;
        Branch {
            edges,
            birth,
            bit: own as u8,
        }
    }

    fn bit(&self, index: usize) -> usize {
        usize::from(self.bytes[1 + index * ROW_BYTES])
    }

    fn row(&self, index: usize, side: usize) -> u16 {
        let at = 2 + index * ROW_BYTES + side * 2;
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    fn key_below(&self, mut index: usize) -> Key {
        loop {
            match self.known_child(index, 0) {
                Child::Inside(child) => index = child,
                Child::Outside(node) => return *node.first_key(),
            }
        }
    }

    fn known_child(&self, index: usize, side: usize) -> Child {
        self.child(index, side)
            .expect("a page is checked when it is made")
    }

    fn child(&self, index: usize, side: usize) -> Option<Child> {
        let row = self.row(index, side);
        if row & INSIDE != 0 {
            return Some(Child::Inside(usize::from(row & !INSIDE)));
        }
        read_record(self.records().get(usize::from(row)..)?).map(Child::Outside)
    }

    fn records(&self) -> &[u8] {
        &self.bytes[1 + self.hashes.len() * ROW_BYTES..]
    }
}

/// Hash of what a record stands for: of a branch at its own bit, of an entry at any depth.
pub(crate) fn outside_hash(node: &Node) -> Hash {
    match node {
        Node::StoredBranch(branch) => branch.hash,
        Node::StoredLeaf(leaf) => regular_leaf_hash(&leaf.key, &leaf.value_hash),
        Node::Leaf(leaf, _) if leaf.value().len() <= EMBEDDED_MAX => {
            embedded_leaf_hash(leaf.key(), leaf.value())
        }
        Node::Leaf(leaf, _) => regular_leaf_hash(leaf.key(), &blake2b(leaf.value())),
        Node::Branch(branch) => branch.hash(),
    }
}

/// Hashes of what hangs from the branches of a page outside it, many leaves at once.
fn outside_hashes(children: &[[Child; 2]]) -> Vec<[Hash; 2]> {
    let leaves: Vec<&Leaf> = children
        .iter()
        .flatten()
        .filter_map(|child| match child {
            Child::Outside(Node::Leaf(leaf, _)) => Some(leaf),
            _ => None,
        })
        .collect();
    let mut of_leaves = leaf_hashes(&leaves).into_iter();
    let mut hash = |child: &Child| match child {
        Child::Inside(_) => ZERO_HASH,
        Child::Outside(Node::Leaf(..)) => of_leaves.next().unwrap_or_default(),
        Child::Outside(node) => outside_hash(node),
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

/// Appends the record of an entry or of a link to a branch with this hash at its own bit; with `near`
/// a value stands in the record unless it is large.
pub(crate) fn append_record(records: &mut Vec<u8>, node: &Node, own: &Hash, near: bool) {
    match node {
        Node::Leaf(leaf, _) if leaf.value().len() <= EMBEDDED_MAX => {
            records.push(leaf.value().len() as u8);
            records.extend_from_slice(leaf.key());
            records.extend_from_slice(leaf.value());
        }
        Node::Leaf(leaf, _) if near && leaf.value().len() <= INLINE_MAX => {
            records.push(INLINE);
            records.extend_from_slice(&(leaf.value().len() as u16).to_le_bytes());
            records.extend_from_slice(leaf.key());
            records.extend_from_slice(leaf.value());
        }
        Node::Leaf(leaf, _) => {
            let value_hash = blake2b(leaf.value());
            append_regular(records, leaf.key(), &value_hash, leaf.value().len() as u32);
        }
        Node::StoredLeaf(leaf) => {
            append_regular(records, &leaf.key, &leaf.value_hash, leaf.value_len);
        }
        Node::Branch(_) | Node::StoredBranch(_) => {
            records.extend_from_slice(&[LINK, node.bit() as u8]);
            records.extend_from_slice(own);
            let key = cut(node.first_key(), node.bit());
            records.extend_from_slice(&key[..node.bit().div_ceil(8)]);
        }
    }
}

fn append_regular(records: &mut Vec<u8>, key: &Key, value_hash: &Hash, value_len: u32) {
    records.push(REGULAR);
    records.extend_from_slice(key);
    records.extend_from_slice(&value_len.to_le_bytes());
    records.extend_from_slice(value_hash);
}

/// Reads the record at the start of some bytes.
pub(crate) fn read_record(bytes: &[u8]) -> Option<Node> {
    let (&kind, rest) = bytes.split_first()?;
    match kind {
        LINK => {
            let (&bit, rest) = rest.split_first()?;
            let (hash, rest) = rest.split_first_chunk::<32>()?;
            let prefix = rest.get(..usize::from(bit).div_ceil(8))?;
            let mut key = [0; KEY_BYTES];
            key.get_mut(..prefix.len())?.copy_from_slice(prefix);
            let hash = *hash;
            let whole = usize::from(bit) < KEY_BITS && cut(&key, usize::from(bit)) == key;
            whole.then(|| Node::StoredBranch(Arc::new(StoredBranch { hash, key, bit })))
        }
        REGULAR => {
            let (key, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
            let (value_len, rest) = rest.split_first_chunk::<4>()?;
            let (value_hash, _) = rest.split_first_chunk::<32>()?;
            Some(Node::StoredLeaf(Arc::new(StoredLeaf {
                key: *key,
                value_hash: *value_hash,
                value_len: u32::from_le_bytes(*value_len),
            })))
        }
        INLINE => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_le_bytes(*length));
            let entry = rest.get(..KEY_BYTES + length)?;
            let fits = (EMBEDDED_MAX + 1..=INLINE_MAX).contains(&length);
            Some(Node::Leaf(fits.then(|| Leaf::from_bytes(entry))??, 0))
        }
        length if usize::from(length) <= EMBEDDED_MAX => {
            let entry = rest.get(..KEY_BYTES + usize::from(length))?;
            Some(Node::Leaf(Leaf::from_bytes(entry)?, 0))
        }
        _ => None,
    }
}

/// Gathers the branches of one page.
struct Builder<'a> {
    level: usize,
    reader: Reader<'a>,
    /// Branches with their children: another branch, or the number of a record.
    rows: Vec<(u8, [u16; 2])>,
    hashes: Vec<Hash>,
    /// What hangs from the branches, with its hash at its own bit.
    records: Vec<(Node, Hash)>,
}

impl Builder<'_> {
    /// Adds a branch of the page with what hangs from it; gives its index.
    fn add(&mut self, node: &Node, own: Option<Hash>) -> Result<u16, SourceError> {
        if let Node::StoredBranch(stored) = node {
            let (page, index) = self.reader.locate(stored)?;
            return Ok(self.copy(&page, index));
        }
        let branch = node
            .branch(self.reader)?
            .expect("a page starts at a branch");
        let index = self.rows.len();
        self.rows.push((branch.bit, [0; 2]));
        self.hashes.push(own.unwrap_or_else(|| branch.hash()));
        let top = usize::from(branch.bit) + 1;
        for (side, edge) in branch.edges.iter().enumerate() {
            let own = edge.own_hash(top);
            let at = edge.node.bit();
            self.rows[index].1[side] = if at < KEY_BITS && at / PAGE_BITS == self.level {
                INSIDE | self.add(&edge.node, Some(own))?
            } else {
                self.hang(edge.node.clone(), own)
            };
        }
        Ok(index as u16)
    }

    /// Adds a branch of the page as it was, which did not change, with what hangs from it.
    fn copy(&mut self, page: &Page, from: usize) -> u16 {
        let index = self.rows.len();
        self.rows.push((page.bit(from) as u8, [0; 2]));
        self.hashes.push(page.hashes[from]);
        for side in 0..2 {
            self.rows[index].1[side] = match page.known_child(from, side) {
                Child::Inside(child) => INSIDE | self.copy(page, child),
                Child::Outside(node) => {
                    // Only the record of a link says its hash.
                    let own = match &node {
                        Node::StoredBranch(branch) => branch.hash,
                        _ => ZERO_HASH,
                    };
                    self.hang(node, own)
                }
            };
        }
        index as u16
    }

    fn hang(&mut self, node: Node, own: Hash) -> u16 {
        self.records.push((node, own));
        self.records.len() as u16 - 1
    }

    fn page(self) -> Result<Page, SourceError> {
        let links = self.records.iter().filter(|(node, _)| node.is_branch());
        let (links, all) = (links.count(), self.records.len());
        let near = all - links <= INLINE_ENTRIES;
        let mut records = Vec::new();
        let mut offsets = Vec::with_capacity(all);
        for (node, own) in &self.records {
            offsets.push(records.len() as u16);
            match near {
                true => append_record(&mut records, &self.reader.near(node)?, own, true),
                false => append_record(&mut records, node, own, false),
            }
        }
        let mut bytes = vec![self.rows.len() as u8];
        for (bit, children) in &self.rows {
            bytes.push(*bit);
            bytes.extend(children.iter().flat_map(|&child| {
                let inside = child & INSIDE != 0;
                let child = if inside {
                    child
                } else {
                    offsets[usize::from(child)]
                };
                child.to_le_bytes()
            }));
        }
        bytes.extend_from_slice(&records);
        Ok(Page {
            bytes: bytes.into(),
            hashes: self.hashes.into(),
            inner: is_inner(links, all),
        })
    }
}

/// Whether a page leads on to other pages, rather than to entries.
fn is_inner(links: usize, records: usize) -> bool {
    links * 2 > records
}
