"""The headers that a chain knows, and which of them precede a given one (equation 5.3).

Each block remembers its parent and one far ancestor, chosen so that an ancestor at any depth is
found in a number of steps that grows with the logarithm of the depth.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple


class Ancestor(NamedTuple):
    """A known header: its hash, slot, parent's hash, distance from the first, and a far ancestor."""

    hash: bytes
    slot: int
    parent: bytes
    depth: int
    jump: bytes


class Ancestry:
    """Known headers by hash; whoever adds them says which are old enough to :meth:`forget`."""

    def __init__(self) -> None:
        self._known: dict[bytes, Ancestor] = {}
        self._by_slot: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return len(self._known)

    def add(self, header_hash: bytes, slot: int, parent: bytes) -> None:
        """Remember a header; its parent may be unknown, then nothing precedes it."""
        if header_hash in self._known:
            return
        above = self._known.get(parent)
        depth = 0 if above is None else above.depth + 1
        jump = parent if above is None else self._jump(above)
        self._known[header_hash] = Ancestor(header_hash, slot, parent, depth, jump)
        heapq.heappush(self._by_slot, (slot, header_hash))

    def forget(self, before: int) -> None:
        """Forget all headers of slots before ``before``."""
        while self._by_slot and self._by_slot[0][0] < before:
            del self._known[heapq.heappop(self._by_slot)[1]]

    def _jump(self, above: Ancestor) -> bytes:
        far = self._known.get(above.jump)
        further = None if far is None else self._known.get(far.jump)
        if far and further and above.depth - far.depth == far.depth - further.depth:
            return further.hash
        return above.hash

    def contains(self, head: bytes, header_hash: bytes, slot: int) -> bool:
        """Whether the header with that hash and slot is ``head`` or precedes it."""
        step = self._known.get(head)
        while step is not None and step.slot > slot:
            far = self._known.get(step.jump)
            step = far if far is not None and far.slot >= slot else self._known.get(step.parent)
        return step is not None and step.hash == header_hash and step.slot == slot
