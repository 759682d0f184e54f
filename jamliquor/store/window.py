"""The states that are kept: the base, what descends from it, and when the base moves on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.errors import StoreError
from jamliquor.params import ChainParams
from jamliquor.state.state import State

DEFAULT_KEEP_STATES = 16
"""States kept from the head backwards once their blocks are final."""


class Kept(NamedTuple):
    """A block whose state is kept."""

    record: BlockRecord
    state: State


class Window:
    """Kept states by block hash, with head, last finalised block and base among them.

    Args:
        keep_states: how many states to keep from the head backwards, its own included; states that
            are not final are kept whatever their number.
        stride: how many blocks the base moves at once, at least.
    """

    def __init__(self, keep_states: int, stride: int = 1) -> None:
        if keep_states < 1 or stride < 1:
            raise ValueError("at least one state is kept, and the base moves by one at least")
        self.keep_states = keep_states
        self.stride = stride
        self.head: bytes | None = None
        self.finalised: bytes | None = None
        self.base: bytes | None = None
        self._kept: dict[bytes, Kept] = {}

    def copy(self) -> Window:
        """Another window with the same content, to try a step on."""
        other = Window(self.keep_states, self.stride)
        other.head, other.finalised, other.base = self.head, self.finalised, self.base
        other._kept = dict(self._kept)
        return other

    def rehouse(self, block_hash: bytes, state: State) -> None:
        """Replace a kept state by an equal one."""
        self._kept[block_hash] = Kept(self._kept[block_hash].record, state)

    def start(self, record: BlockRecord, state: State) -> None:
        """The first state is base, head and final."""
        self._kept[record.hash] = Kept(record, state)
        self.base = self.head = self.finalised = record.hash

    def add(self, record: BlockRecord, state: State) -> None:
        """Keep the state after a block whose parent's state is kept."""
        self._kept[record.hash] = Kept(record, state)

    def state(self, block_hash: bytes) -> State | None:
        """The kept state after a block."""
        kept = self._kept.get(block_hash)
        return None if kept is None else kept.state

    def require(self, block_hash: bytes) -> Kept:
        """A kept block and its state.

        Raises:
            StoreError: the block's state is not kept.
        """
        kept = self._kept.get(block_hash)
        if kept is None:
            raise StoreError(f"the state of block 0x{block_hash.hex()} is not kept")
        return kept

    def check(self, record: BlockRecord, state: State) -> None:
        """Refuse a block that cannot be kept.

        Raises:
            StoreError: it is kept already, its parent is not, or record and state disagree.
        """
        parent = self.require(record.parent).record
        if record.hash in self._kept:
            raise StoreError(f"block 0x{record.hash.hex()} is kept already")
        if record.number != parent.number + 1:
            raise StoreError(f"block {record.number} cannot follow block {parent.number}")
        if record.state_root != state.root:
            raise StoreError(f"the record's state root is not that of block 0x{record.hash.hex()}")

    def set_head(self, block_hash: bytes) -> None:
        """Make a block the head.

        Raises:
            StoreError: its state is not kept, or it does not descend from the last finalised block.
        """
        assert self.finalised is not None, "a window is started before it has a head"
        self._line(block_hash, self.finalised)
        self.head = block_hash

    def finalise(self, block_hash: bytes, dropped: Iterable[bytes]) -> None:
        """Move finality on and drop the states of side branches.

        Raises:
            StoreError: the block's state is not kept, it does not descend from the last finalised one,
                the head does not descend from it, or one of these is to be dropped.
        """
        assert self.finalised is not None, "a window is started before anything is final"
        assert self.head is not None, "a window is started before anything is final"
        doomed = set(dropped)
        line = self._line(self.head, block_hash) + self._line(block_hash, self.finalised)
        if doomed.intersection(line):
            raise StoreError("the head, finalised blocks and those between them cannot be dropped")
        self.finalised = block_hash
        for one in doomed:
            self._kept.pop(one, None)

    def next_base(self) -> bytes | None:
        """The block whose state should be the base now, or None when it is."""
        if self.head is None or self.finalised is None or self.base is None:
            return None
        head, final = self.require(self.head).record, self.require(self.finalised).record
        wanted = min(final.number, head.number - self.keep_states + 1)
        if wanted < self.require(self.base).record.number + self.stride:
            return None
        return self._line(self.finalised, self.base)[final.number - wanted]

    def advance(self, base: bytes) -> list[Kept]:
        """Move the base to a kept block; returns the blocks whose states are no longer kept.

        States below the new base go, and so do all that do not descend from it.
        """
        kept = {base: self.require(base)}
        for one, entry in sorted(self._kept.items(), key=lambda item: item[1].record.number):
            if entry.record.parent in kept:
                kept[one] = entry
        gone = [entry for one, entry in self._kept.items() if one not in kept]
        self._kept = kept
        self.base = base
        return gone

    def prunable(self, params: ChainParams, bodies: int, records: int) -> tuple[int, int]:
        """Bounds for pruning that spare what the chain still needs (section 5, section 11.4)."""
        assert self.base is not None, "a window is started before anything is pruned"
        base = self.require(self.base).record.slot
        bodies = min(bodies, base)
        return bodies, max(0, min(records, bodies, base - params.max_lookup_anchor_age))

    def _line(self, block_hash: bytes, ancestor: bytes) -> list[bytes]:
        """Blocks from one down to an ancestor, both included."""
        line = [block_hash]
        while line[-1] != ancestor:
            parent = self.require(line[-1]).record.parent
            if parent not in self._kept:
                raise StoreError(
                    f"block 0x{block_hash.hex()} does not descend from block 0x{ancestor.hex()}"
                )
            line.append(parent)
        return line
