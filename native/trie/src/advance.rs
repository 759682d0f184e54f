//! What a source must write to become the home of a younger trie.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::node::{bit, shared_bits, Edge, Key, Leaf, Node, KEY_BYTES};
use crate::page::{Page, Place};
use crate::record::{append_record, INLINE_MAX};
use crate::source::{Base, Source, SourceError};
use crate::trie::Trie;

/// Pages that change when the base moves to another trie: some that lie near each other.
#[derive(Debug, Default)]
pub struct Piece {
    /// Where the bytes of each page lie in `bytes`; `None` where there is no page any more.
    pages: Vec<(Place, Option<Range<usize>>)>,
    bytes: Vec<u8>,
    /// New pages that the source keeps in memory: those that lead on to pages, and those that it had
    /// there as they were. Of these and earlier pieces, as nobody asks any more for what they were.
    pub kept: Vec<(Place, Page)>,
}

impl Piece {
    /// The pages with their bytes; `None` where there is no page any more.
    pub fn pages(&self) -> impl Iterator<Item = (&Place, Option<&[u8]>)> {
        self.pages.iter().map(|(place, range)| {
            let bytes = range.clone().map(|range| &self.bytes[range]);
            (place, bytes)
        })
    }

    fn add(&mut self, place: Place, page: Option<&Page>) {
        let range = page.map(|page| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(page.bytes());
            start..self.bytes.len()
        });
        self.pages.push((place, range));
    }
}

/// Who takes pieces to write them.
type TakePiece<'a> = dyn FnMut(Piece) -> Result<(), SourceError> + 'a;

/// Values that stand in no page and change with a move; `None` where there is none any more.
pub type Values = BTreeMap<Key, Option<Leaf>>;

/// Hands over what turns the pages of `old` into those of `new`, piece by piece, so that what one leads
/// through is still in memory while it is written. Parts that both tries share are not visited.
///
/// The source must go on giving the pages of `old` meanwhile, but for those that it was told to keep.
pub fn advance(old: &Trie, new: &Trie, take: &mut TakePiece<'_>) -> Result<Values, SourceError> {
    let mut making = Making {
        old,
        new,
        take,
        places: HashSet::new(),
        kept: Vec::new(),
        changed: HashSet::new(),
        before: old.root_row(),
        after: new.root_row(),
        ahead: new.young_keys(old.generation()),
    };
    making.read_ahead(&[0; KEY_BYTES]);
    old.each_changed(new, STRETCH, &mut |keys| making.add(keys))?;
    making.finish()
}

/// Keys whose pages are read, compared and written together.
const STRETCH: usize = 128;

/// What the pages of a stretch take in a large state, about.
const PIECE_BYTES: usize = 1 << 20;

/// A move in the making.
struct Making<'a, 'b> {
    old: &'a Trie,
    new: &'a Trie,
    take: &'a mut TakePiece<'b>,
    /// The pages that change, as far as they are known.
    places: HashSet<Place>,
    /// New pages whose former ones may still be asked for.
    kept: Vec<(Place, Page)>,
    changed: HashSet<Key>,
    /// Keys of values that were rows, in the pages that were looked at, and of those that will be.
    before: HashSet<Key>,
    after: HashSet<Key>,
    /// Keys that will turn out to be changed, in order, as far as they are known.
    ahead: Vec<Key>,
}

impl Making<'_, '_> {
    /// Builds the pages that lead to some changed keys, which come in order.
    fn add(&mut self, keys: Vec<Key>) -> Result<(), SourceError> {
        let Some(last) = keys.last() else {
            return Ok(());
        };
        let mut piece = Piece::default();
        piece.bytes.reserve(PIECE_BYTES);
        for key in &keys {
            for trie in [self.old, self.new] {
                for place in trie.places_towards(key)? {
                    if self.places.insert(place) {
                        self.build(place, key, &mut piece)?;
                    }
                }
            }
        }
        let passed = |(place, _): &(Place, Page)| place.span().1 <= *last;
        (piece.kept, self.kept) = self.kept.drain(..).partition(passed);
        (self.take)(piece)?;
        self.read_ahead(last);
        self.changed.extend(keys);
        Ok(())
    }

    fn build(&mut self, place: Place, key: &Key, piece: &mut Piece) -> Result<(), SourceError> {
        let before = self.old.top_of(&place, key)?;
        if let Some(top) = before.and_then(|edge| edge.stored()) {
            self.before.extend(self.old.reader().locate(&top)?.0.rows());
        }
        let page = match self.new.top_of(&place, key)? {
            Some(top) => Some(Page::build(&top, self.new.reader())?),
            None => None,
        };
        self.after.extend(page.iter().flat_map(Page::rows));
        let known = self
            .new
            .reader()
            .0
            .and_then(|source| source.cached_page(&place));
        let kept = known.is_some() || page.as_ref().is_some_and(Page::is_inner);
        piece.add(place, page.as_ref());
        let page = page.filter(|_| kept).map(|page| (place, page));
        self.kept.extend(page);
        Ok(())
    }

    /// Reads what the next stretch behind a key leads through.
    fn read_ahead(&self, key: &Key) {
        let next = self.ahead.partition_point(|known| known <= key);
        let end = self.ahead.len().min(next + STRETCH);
        self.old.fetch(&self.ahead[next..end]);
    }

    /// Hands over what is left; gives the rows of values. Those that pages gave up go, those that are
    /// new or changed come. Where an entry hangs may change without the entry.
    fn finish(mut self) -> Result<Values, SourceError> {
        let kept = std::mem::take(&mut self.kept);
        (self.take)(Piece {
            kept,
            ..Piece::default()
        })?;
        let gone = self.before.difference(&self.after).map(|key| (*key, None));
        let mut values: Values = gone.collect();
        for key in &self.after {
            if !self.before.contains(key) || self.changed.contains(key) {
                values.insert(*key, self.new.get(key)?);
            }
        }
        Ok(values)
    }
}

impl Trie {
    /// What a source has to remember of its base beside pages and values.
    pub fn to_anchor(&self) -> Result<Vec<u8>, SourceError> {
        let mut bytes = self.generation().to_le_bytes().to_vec();
        bytes.extend_from_slice(&(self.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.value_bytes() as u64).to_le_bytes());
        if let Some(edge) = &self.root {
            let node = self.reader().near(&edge.node)?;
            append_record(&mut bytes, &node, &edge.own_hash(0), true);
        }
        Ok(bytes)
    }

    /// The base of a source as a trie of references, from what [`Trie::to_anchor`] gave.
    pub fn from_anchor(anchor: &[u8], source: Arc<dyn Source>) -> Option<Trie> {
        let (generation, rest) = anchor.split_first_chunk::<4>()?;
        let (len, rest) = rest.split_first_chunk::<8>()?;
        let (value_bytes, _) = rest.split_first_chunk::<8>()?;
        let root = Base::from_anchor(anchor)?.into_root();
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        let value_bytes = usize::try_from(u64::from_le_bytes(*value_bytes)).ok()?;
        let generation = u32::from_le_bytes(*generation);
        Some(Trie::of_parts(
            root,
            len,
            value_bytes,
            generation,
            Some(source),
        ))
    }

    /// The generation that [`Trie::to_anchor`] wrote.
    pub fn anchor_generation(anchor: &[u8]) -> Option<u32> {
        anchor
            .first_chunk::<4>()
            .map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// Keys of the entries that were put after a generation.
    fn young_keys(&self, generation: u32) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut pending: Vec<&Node> = self.root.iter().map(|edge| &edge.node).collect();
        while let Some(node) = pending.pop() {
            match node {
                Node::Branch(branch) if branch.birth > generation => {
                    pending.extend(branch.edges.iter().map(|edge| &edge.node));
                }
                Node::Leaf(leaf, birth) if *birth > generation => keys.push(*leaf.key()),
                _ => {}
            }
        }
        keys.sort_unstable();
        keys
    }

    /// The key of a trie's only entry, if its value is a row of its own.
    fn root_row(&self) -> HashSet<Key> {
        let root = self.root.as_ref().map(|edge| &edge.node);
        let large = match root {
            Some(Node::Leaf(leaf, _)) if leaf.value().len() > INLINE_MAX => Some(*leaf.key()),
            Some(Node::StoredLeaf(leaf)) if leaf.value_len as usize > INLINE_MAX => Some(leaf.key),
            _ => None,
        };
        large.into_iter().collect()
    }

    /// Places of the pages of the branches that the bits of a key lead through.
    fn places_towards(&self, key: &Key) -> Result<Vec<Place>, SourceError> {
        let mut places = Vec::new();
        let mut edge = self.root.clone();
        while let Some(here) = edge.filter(|edge| edge.node.is_branch()) {
            let place = Place::of(key, here.node.bit());
            if places.last() != Some(&place) {
                places.push(place);
            }
            edge = self.below(&here, key)?;
        }
        Ok(places)
    }

    /// The top branch of the page at a place on the way to a key, if there is such a page.
    pub(crate) fn top_of(&self, place: &Place, key: &Key) -> Result<Option<Edge>, SourceError> {
        let mut edge = self.root.clone();
        while let Some(here) = edge.filter(|edge| edge.node.is_branch()) {
            let at = here.node.bit();
            if at >= place.start() {
                let first = here.node.key_towards(key);
                let same = shared_bits(&first, key) >= place.start();
                return Ok((same && Place::of(&first, at) == *place).then_some(here));
            }
            edge = self.below(&here, key)?;
        }
        Ok(None)
    }

    /// What the bits of a key lead to from a branch: a child in memory, or what hangs from the page of
    /// a stored one if that is a branch. Nothing from an entry.
    fn below(&self, edge: &Edge, key: &Key) -> Result<Option<Edge>, SourceError> {
        if let Node::Branch(branch) = &edge.node {
            return Ok(Some(
                branch.edges[bit(key, usize::from(branch.bit))].clone(),
            ));
        }
        let Some(stored) = edge.stored() else {
            return Ok(None);
        };
        let (page, index) = self.reader().locate(&stored)?;
        let link = page.descend(index, key).link();
        Ok(link.map(|link| Edge::to_stored(link, usize::from(link.bit))))
    }
}
