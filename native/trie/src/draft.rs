//! Branches in the making: they are put together first, and hashed later, many at once.
//!
//! A processor with wide registers hashes several nodes in little more than the time of one, and the
//! branches of one height do not depend on each other.

use std::sync::Arc;

use crate::hash::{
    branch_node, hash_nodes, lift_node, regular_leaf_node, value_hashes, Hash, ZERO_HASH,
};
use crate::node::{Branch, Edge, Key, Node, StoredBranch};

/// Branches above an entry in a trie of a million, about.
const USUAL_DEPTH: usize = 16;

/// One side of a branch in the making.
#[derive(Debug)]
pub(crate) enum Side {
    /// A link that is whole.
    Done(Edge),
    /// The number of a branch in the making.
    Young(usize),
    /// The number of a stored branch.
    Stored(usize),
    /// The number of a stored entry.
    Entry(usize),
}

/// A branch in the making.
#[derive(Debug)]
struct Young {
    sides: [Side; 2],
    /// Some key below, as far as the branch's bit.
    key: Key,
    bit: usize,
    /// The depth that it will be linked from.
    top: usize,
    /// How many branches in the making lie one below the other here.
    height: usize,
}

/// A hash on its way up along a run of bits that all keys below share.
#[derive(Debug)]
struct Lift<'a> {
    hash: Hash,
    key: &'a Key,
    depth: usize,
    top: usize,
}

/// All branches in the making, children before parents.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    young: Vec<Young>,
    /// Stored branches beside them, each with the depth that it will be linked from.
    stored: Vec<(StoredBranch, usize)>,
    /// Stored entries beside them: keys, each with where its value ends among the values.
    entries: Vec<(Key, usize)>,
    values: Vec<u8>,
}

/// What has been made of drafts; each is taken once.
struct Made {
    young: Vec<Option<Edge>>,
    stored: Vec<Option<Edge>>,
    entries: Vec<Option<Edge>>,
}

impl Drafts {
    /// With room for the branches that so many updates change in a large trie.
    pub fn for_updates(updates: usize) -> Drafts {
        Drafts {
            young: Vec::with_capacity(updates * USUAL_DEPTH),
            stored: Vec::with_capacity(updates),
            ..Drafts::default()
        }
    }

    /// What remains of two sides that part at bit `bit`, each linked from depth `bit + 1`, for a link
    /// from depth `top`; all keys below agree with `key` before the bit.
    pub fn join(
        &mut self,
        sides: [Option<Side>; 2],
        key: &Key,
        bit: usize,
        top: usize,
    ) -> Option<Side> {
        match sides {
            [Some(left), Some(right)] => {
                let young = Young {
                    key: *key,
                    height: 1 + self.height(&left).max(self.height(&right)),
                    sides: [left, right],
                    bit,
                    top,
                };
                self.young.push(young);
                Some(Side::Young(self.young.len() - 1))
            }
            [Some(side), None] | [None, Some(side)] => Some(self.moved(side, top)),
            [None, None] => None,
        }
    }

    /// A link from depth `top` to a stored branch.
    pub fn hang(&mut self, stored: StoredBranch, top: usize) -> Side {
        if usize::from(stored.bit) == top {
            return Side::Done(Edge::to_stored(stored, top));
        }
        self.stored.push((stored, top));
        Side::Stored(self.stored.len() - 1)
    }

    /// A link to a stored entry, which leaves the value where it is.
    pub fn refer(&mut self, key: &Key, value: &[u8]) -> Side {
        self.values.extend_from_slice(value);
        self.entries.push((*key, self.values.len()));
        Side::Entry(self.entries.len() - 1)
    }

    /// The link with all branches made.
    pub fn finish(self, side: Side, birth: u32) -> Edge {
        let mut made = Made {
            young: Vec::with_capacity(self.young.len()),
            stored: self.hang_all(),
            entries: self.refer_all(),
        };
        let hashes = self.hashes(&made);
        for (young, hash) in self.young.into_iter().zip(hashes) {
            let edges = young.sides.map(|side| made.take(side));
            let bit = u8::try_from(young.bit).expect("a bit of a key is below 248");
            let node = Node::Branch(Arc::new(Branch { edges, birth, bit }));
            made.young.push(Some(Edge { hash, node }));
        }
        made.take(side)
    }

    fn moved(&mut self, side: Side, top: usize) -> Side {
        match side {
            Side::Done(edge) => Side::Done(edge.moved(top)),
            Side::Entry(_) => side,
            Side::Young(number) => {
                self.young[number].top = top;
                side
            }
            Side::Stored(number) => {
                self.stored[number].1 = top;
                side
            }
        }
    }

    fn height(&self, side: &Side) -> usize {
        match side {
            Side::Done(_) | Side::Stored(_) | Side::Entry(_) => 0,
            Side::Young(number) => self.young[*number].height,
        }
    }

    /// Links to the stored branches.
    fn hang_all(&self) -> Vec<Option<Edge>> {
        let lifts = self.stored.iter().map(|(stored, top)| Lift {
            hash: stored.hash,
            key: &stored.key,
            depth: usize::from(stored.bit),
            top: *top,
        });
        let hashes = lifted(lifts.collect());
        let links = self.stored.iter().zip(hashes);
        links
            .map(|((stored, _), hash)| {
                let node = Node::Far(Arc::new(*stored));
                Some(Edge { hash, node })
            })
            .collect()
    }

    /// Links to the stored entries.
    fn refer_all(&self) -> Vec<Option<Edge>> {
        let starts = [0]
            .into_iter()
            .chain(self.entries.iter().map(|&(_, end)| end));
        let values: Vec<&[u8]> = starts
            .zip(&self.entries)
            .map(|(start, &(_, end))| &self.values[start..end])
            .collect();
        let own = value_hashes(&values);
        let keyed = || self.entries.iter().map(|(key, _)| key).zip(&own);
        let hashes = hash_nodes(keyed().map(|(key, own)| regular_leaf_node(key, own)));
        keyed()
            .zip(values)
            .zip(hashes)
            .map(|(((key, own), value), hash)| {
                Some(Edge::to_stored_leaf(*key, value.len(), *own, hash))
            })
            .collect()
    }

    /// The hash of each branch at the depth that it is linked from.
    fn hashes(&self, made: &Made) -> Vec<Hash> {
        let mut hashes = vec![ZERO_HASH; self.young.len()];
        let mut levels: Vec<Vec<usize>> = Vec::new();
        for (number, young) in self.young.iter().enumerate() {
            levels.resize_with(levels.len().max(young.height), Vec::new);
            levels[young.height - 1].push(number);
        }
        for level in levels {
            let nodes = level.iter().map(|&number| {
                let [left, right] = self.young[number].sides.each_ref().map(|side| match side {
                    Side::Done(edge) => &edge.hash,
                    Side::Young(number) => &hashes[*number],
                    Side::Stored(number) => hash_of(&made.stored[*number]),
                    Side::Entry(number) => hash_of(&made.entries[*number]),
                });
                branch_node(left, right)
            });
            let mut lifts = Vec::new();
            for (&number, hash) in level.iter().zip(hash_nodes(nodes)) {
                let young = &self.young[number];
                hashes[number] = hash;
                if young.bit > young.top {
                    let lift = Lift {
                        hash,
                        key: &young.key,
                        depth: young.bit,
                        top: young.top,
                    };
                    lifts.push((number, lift));
                }
            }
            let (numbers, lifts): (Vec<_>, Vec<_>) = lifts.into_iter().unzip();
            for (number, hash) in numbers.into_iter().zip(lifted(lifts)) {
                hashes[number] = hash;
            }
        }
        hashes
    }
}

/// The hashes at the top of each run, taken up bit by bit.
fn lifted(mut lifts: Vec<Lift<'_>>) -> Vec<Hash> {
    loop {
        let mut left: Vec<_> = lifts.iter_mut().filter(|one| one.depth > one.top).collect();
        if left.is_empty() {
            return lifts.into_iter().map(|one| one.hash).collect();
        }
        let nodes = left
            .iter()
            .map(|one| lift_node(&one.hash, one.key, one.depth - 1));
        for (hash, one) in hash_nodes(nodes).into_iter().zip(&mut left) {
            one.hash = hash;
            one.depth -= 1;
        }
    }
}

impl Made {
    fn take(&mut self, side: Side) -> Edge {
        let found = match side {
            Side::Done(edge) => Some(edge),
            Side::Young(number) => self.young[number].take(),
            Side::Stored(number) => self.stored[number].take(),
            Side::Entry(number) => self.entries[number].take(),
        };
        found.expect("each has one parent")
    }
}

fn hash_of(made: &Option<Edge>) -> &Hash {
    &made.as_ref().expect("taken later").hash
}
