"""Blocks that must wait: for their parent, or for their slot. Bounded by number and by octets."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_MAX_BLOCKS = 256
DEFAULT_MAX_OCTETS = 8 << 20


class Held(NamedTuple):
    """A waiting block.

    Attributes:
        block: its encoding.
        source: who sent it, for the record.
    """

    hash: bytes
    parent: bytes
    slot: int
    block: bytes
    source: str


class WaitingBlocks:
    """Blocks by the parent they wait for.

    When there is no room, the block that waited longest goes: blocks come roughly in order, so what
    has waited longest has the least hope. Whoever adds a block gets those that had to go, to record
    it.

    Args:
        max_blocks: how many blocks may wait.
        max_octets: how many octets they may have together.
    """

    def __init__(
        self, max_blocks: int = DEFAULT_MAX_BLOCKS, max_octets: int = DEFAULT_MAX_OCTETS
    ) -> None:
        self._max_blocks = max_blocks
        self._max_octets = max_octets
        self._held: dict[bytes, Held] = {}
        self._by_parent: dict[bytes, list[bytes]] = {}
        self.octets = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, block_hash: object) -> bool:
        return block_hash in self._held

    def hold(self, held: Held) -> list[Held]:
        """Let a block wait; returns those that had to go for it, which may be the block itself."""
        if held.hash in self._held:
            return []
        if len(held.block) > self._max_octets or not self._max_blocks:
            return [held]
        self._held[held.hash] = held
        self._by_parent.setdefault(held.parent, []).append(held.hash)
        self.octets += len(held.block)
        gone: list[Held] = []
        while len(self._held) > self._max_blocks or self.octets > self._max_octets:
            gone.append(self._take(next(iter(self._held))))
        return gone

    def on(self, parent: bytes) -> list[Held]:
        """Take out the blocks that wait for a parent, in the order they came."""
        return [self._take(block_hash) for block_hash in list(self._by_parent.get(parent, ()))]

    def due(self, now: int) -> list[Held]:
        """Take out the blocks whose slot has begun by ``now``, the lowest slot first."""
        ready = sorted(
            (held for held in self._held.values() if held.slot <= now), key=lambda held: held.slot
        )
        return [self._take(held.hash) for held in ready]

    def roots(self) -> list[bytes]:
        """Hashes of the parents that are waited for and do not wait themselves, ascending."""
        return sorted(parent for parent in self._by_parent if parent not in self._held)

    def branch(self, parent: bytes) -> list[Held]:
        """Take out all blocks that descend from a parent, parents first: it was refused."""
        taken = self.on(parent)
        for held in taken:
            taken += self.on(held.hash)
        return taken

    def clear(self) -> list[Held]:
        """Take out everything, in the order it came."""
        return [self._take(block_hash) for block_hash in list(self._held)]

    def _take(self, block_hash: bytes) -> Held:
        held = self._held.pop(block_hash)
        siblings = self._by_parent[held.parent]
        siblings.remove(block_hash)
        if not siblings:
            del self._by_parent[held.parent]
        self.octets -= len(held.block)
        return held
