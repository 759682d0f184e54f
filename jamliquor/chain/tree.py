"""The tree of accepted blocks that are not final yet, on top of the last final one.

The root is the finalised block. Everything else descends from it, so any two blocks have a common
ancestor in the tree. Blocks are values: two blocks on one parent are two children, and dropping a
branch forgets its handles. The tree also remembers which slots have seen two valid blocks, because
that condemns every branch through either of them (section 19), even after one of them was dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import TreeFull, UnknownParent

DEFAULT_MAX_BLOCKS = 4096


@dataclass(slots=True, eq=False)
class Node:
    """A block in the tree.

    Attributes:
        ticketed: how many blocks of its branch above the root, itself included, a ticket sealed.
        audited: whether the block is considered audited (section 17).
    """

    record: BlockRecord
    parent: Node | None
    ticketed: int
    audited: bool = True
    children: list[Node] = field(default_factory=list)


class Route(NamedTuple):
    """The way from one head to another.

    Attributes:
        ancestor: the last block that both branches share.
        left: blocks of the old branch above the ancestor, the highest first.
        entered: blocks of the new branch above the ancestor, the lowest first.
    """

    ancestor: bytes
    left: tuple[bytes, ...]
    entered: tuple[bytes, ...]


class Finalised(NamedTuple):
    """What finalising a block took out of the tree.

    Attributes:
        settled: blocks that are final now, the lowest first, the new root last.
        dropped: blocks of side branches, every one after its descendants.
    """

    settled: tuple[BlockRecord, ...]
    dropped: tuple[BlockRecord, ...]


class BlockTree:
    """Accepted blocks from the finalised one upwards, found by hash at once.

    Args:
        root: the finalised block.
        remembered: what :attr:`remembered` was of the tree that this one continues.
        max_blocks: how many blocks above the root are held; a further one is refused until
            finality takes some out.
    """

    def __init__(
        self,
        root: BlockRecord,
        *,
        remembered: Iterable[tuple[int, bytes]] = (),
        max_blocks: int = DEFAULT_MAX_BLOCKS,
    ) -> None:
        self._root = Node(root, None, 0)
        self._nodes = {root.hash: self._root}
        self._max_blocks = max_blocks
        # The one valid block seen in a slot, or None once there were two.
        self._seen = {slot: sole if any(sole) else None for slot, sole in remembered}

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, block_hash: object) -> bool:
        return block_hash in self._nodes

    def __iter__(self) -> Iterator[BlockRecord]:
        """All blocks, parents before children, siblings in the order of their arrival."""
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            yield node.record
            waiting.extend(reversed(node.children))

    @property
    def root(self) -> BlockRecord:
        """The finalised block."""
        return self._root.record

    @property
    def leaves(self) -> list[bytes]:
        """Hashes of the blocks without children, in ascending order."""
        return sorted(node.record.hash for node in self._nodes.values() if not node.children)

    @property
    def equivocated(self) -> list[int]:
        """Slots above the root's with two valid blocks, ascending."""
        return sorted(slot for slot, sole in self._seen.items() if sole is None)

    @property
    def remembered(self) -> list[tuple[int, bytes]]:
        """What the blocks of the tree do not tell of the slots above the root's, ascending.

        For a slot with two valid blocks the zero hash, for one with a single block that was dropped
        its hash: a further block of that slot is a second one.
        """
        return sorted(
            (slot, bytes(32) if sole is None else sole)
            for slot, sole in self._seen.items()
            if sole not in self._nodes
        )

    def node(self, block_hash: bytes) -> Node:
        """A block's node.

        Raises:
            KeyError: the block is not in the tree.
        """
        return self._nodes[block_hash]

    def record(self, block_hash: bytes) -> BlockRecord | None:
        """A block's record, or None if it is not in the tree."""
        node = self._nodes.get(block_hash)
        return None if node is None else node.record

    def children(self, block_hash: bytes) -> list[bytes]:
        """Hashes of a block's children in the order of their arrival."""
        return [child.record.hash for child in self._nodes[block_hash].children]

    def demand_room(self) -> None:
        """Raises :class:`TreeFull` if no block may be added."""
        if len(self._nodes) > self._max_blocks:
            raise TreeFull(self._max_blocks)

    def add(self, record: BlockRecord, *, audited: bool = True) -> Node:
        """Put a block on its parent; one that is there already stays as it is.

        Raises:
            UnknownParent: the parent is not in the tree.
            TreeFull: finality is too far behind.
        """
        known = self._nodes.get(record.hash)
        if known is not None:
            return known
        parent = self._nodes.get(record.parent)
        if parent is None:
            raise UnknownParent(record.parent)
        self.demand_room()
        node = Node(record, parent, parent.ticketed + record.ticketed, audited)
        parent.children.append(node)
        self._nodes[record.hash] = node
        sole = self._seen.setdefault(record.slot, record.hash)
        if sole != record.hash:
            self._seen[record.slot] = None
        return node

    def has_seen(self, slot: int) -> bool:
        """Whether a valid block of a slot above the root's was seen."""
        return slot in self._seen

    def is_equivocated(self, slot: int) -> bool:
        """Whether two valid blocks of a slot above the root's were seen."""
        return slot in self._seen and self._seen[slot] is None

    def is_ancestor(self, ancestor: bytes, block_hash: bytes) -> bool:
        """Whether one block of the tree is the other or precedes it."""
        node: Node | None = self._nodes[block_hash]
        least = self._nodes[ancestor].record.number
        while node is not None and node.record.number > least:
            node = node.parent
        return node is not None and node.record.hash == ancestor

    def ancestor(self, block_hash: bytes, distance: int) -> bytes | None:
        """The block that many generations before a block, or None if that is below the root."""
        node: Node | None = self._nodes[block_hash]
        for _ in range(distance):
            if node is None:
                return None
            node = node.parent
        return None if node is None else node.record.hash

    def route(self, old: bytes, new: bytes) -> Route:
        """The way from one block of the tree to another."""
        left: list[bytes] = []
        entered: list[bytes] = []
        a, b = self._nodes[old], self._nodes[new]
        while a is not b:
            if a.record.number >= b.record.number:
                left.append(a.record.hash)
                a = _parent(a)
            else:
                entered.append(b.record.hash)
                b = _parent(b)
        return Route(a.record.hash, tuple(left), tuple(reversed(entered)))

    def preview(self, block_hash: bytes) -> Finalised:
        """What :meth:`finalise` would take out, with nothing changed.

        Raises:
            KeyError: the block is not in the tree, so it cannot become final.
        """
        settled = [self._nodes[block_hash]]
        while (parent := settled[-1].parent) is not None:
            settled.append(parent)
        settled.reverse()
        dropped: list[BlockRecord] = []
        for below, kept in itertools.pairwise(settled):
            for child in below.children:
                if child is not kept:
                    dropped += _descendants_first(child)
        return Finalised(tuple(node.record for node in settled[1:]), tuple(dropped))

    def finalise(self, block_hash: bytes) -> Finalised:
        """Make a block the root and drop what does not descend from it.

        Raises:
            KeyError: the block is not in the tree, so it cannot become final.
        """
        found = self.preview(block_hash)
        if not found.settled:
            return found
        # Without their children they form no cycles, and are freed at once.
        self._nodes.pop(self._root.record.hash).children.clear()
        for record in (*found.settled[:-1], *found.dropped):
            self._nodes.pop(record.hash).children.clear()
        self._become_root(self._nodes[block_hash])
        return found

    def digest(self) -> bytes:
        """A commitment to all blocks, their states and what is remembered of slots: 32 octets.

        Two nodes that accepted the same blocks and finalised the same one have the same digest, in
        whatever order the blocks came.
        """
        parts = [self.root.hash]
        parts += sorted(node.record.hash + node.record.state_root for node in self._nodes.values())
        parts += [slot.to_bytes(4, "little") + sole for slot, sole in self.remembered]
        return blake2b(b"".join(parts))

    def _become_root(self, root: Node) -> None:
        self._root = root
        root.parent = None
        base = root.ticketed
        waiting = [root] if base else []
        while waiting:
            node = waiting.pop()
            node.ticketed -= base
            waiting += node.children
        least = root.record.slot
        for slot in [slot for slot in self._seen if slot <= least]:
            del self._seen[slot]


def _parent(node: Node) -> Node:
    assert node.parent is not None, "all blocks of a tree descend from its root"
    return node.parent


def _descendants_first(top: Node) -> list[BlockRecord]:
    found: list[BlockRecord] = []
    waiting = [top]
    while waiting:
        node = waiting.pop()
        found.append(node.record)
        waiting += node.children
    found.reverse()
    return found
