"""Which states a session keeps, and how it keeps them in memory.

One rule holds wherever they are: a number of states, those used last. What is kept is a tree of
blocks, so what goes is a tip, or the first block once a single one follows on it; among these, the one
used longest ago. The newest block always stays.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final, NamedTuple, Protocol

from jamliquor.chain.importer import Imported
from jamliquor.state.state import State
from jamliquor.types.header import Header

KEPT_STATES: Final = 32
"""States that a session keeps; a line of blocks and its forks share what did not change."""


class Start(NamedTuple):
    """What a session begins with.

    Attributes:
        header_hash: Blake2b-256 of the header, 32 octets.
        octets: the encoded header.
        state: the state after that header's block.
        ancestors: (hash, slot) of the blocks that are known as ancestors, oldest first; the header's
            own is the last one.
    """

    header: Header
    header_hash: bytes
    octets: bytes
    state: State
    ancestors: tuple[tuple[bytes, int], ...]


class Chain(Protocol):
    """The states of a session. Every method may raise :class:`~jamliquor.errors.HostError`."""

    @property
    def first(self) -> State:
        """The state that the chain began with; of use until the first blocks were added."""

    def get(self, header_hash: bytes) -> State | None:
        """The state after a block, if it is kept; that is a use of it."""

    def keep(self, header_hash: bytes, state: State) -> None:
        """Nothing: an importer finds states here, :meth:`add` puts them."""

    def add(self, imported: Imported, octets: bytes) -> int | None:
        """Keep the state after an accepted block; if others went for it, the slot of the oldest left.

        A block that is kept already is only used once more.

        Args:
            octets: the encoded block.
        """

    def close(self) -> None:
        """Let go of everything."""


class Keeper(Protocol):
    """Makes the chains of sessions."""

    def start(self, start: Start, instead_of: Chain | None) -> Chain:
        """A new chain; the one that it takes the place of is closed when the new one is whole.

        Raises:
            HostError: this machine failed; the other chain is as it was.
        """


class Gone(NamedTuple):
    """Blocks whose states are no longer kept.

    Attributes:
        firsts: those that were the first one, oldest first.
        tips: those on which nothing followed.
    """

    firsts: list[bytes]
    tips: list[bytes]


class RecentTree:
    """The blocks whose states are kept, by their hashes, in order of their last use.

    Attributes:
        first: the block from which all others descend.
    """

    def __init__(self, first: bytes, limit: int) -> None:
        self.first = first
        self._limit = limit
        self._parents = OrderedDict({first: b""})
        self._children: Counter[bytes] = Counter()

    def __contains__(self, block_hash: bytes) -> bool:
        return block_hash in self._parents

    def use(self, block_hash: bytes) -> bool:
        """Note a use of a block; whether it is kept."""
        if block_hash not in self._parents:
            return False
        self._parents.move_to_end(block_hash)
        return True

    def add(self, block_hash: bytes, parent: bytes) -> Gone:
        """Keep a new block on a kept one; the blocks that go for it."""
        self._parents[block_hash] = parent
        self._children[parent] += 1
        gone = Gone([], [])
        while len(self._parents) > self._limit:
            doomed = self._dispensable(block_hash)
            above = self._parents.pop(doomed)
            self._children.pop(doomed, None)
            if doomed == self.first:
                self.first = next(it for it, parent in self._parents.items() if parent == doomed)
                gone.firsts.append(doomed)
            else:
                self._children[above] -= 1
                gone.tips.append(doomed)
        return gone

    def _dispensable(self, newest: bytes) -> bytes:
        """The one used longest ago without which the others still make a tree."""
        return next(
            block_hash
            for block_hash in self._parents
            if block_hash != newest and self._children[block_hash] == (block_hash == self.first)
        )


class MemoryChain:
    """A :class:`Chain` in memory."""

    def __init__(self, start: Start, limit: int = KEPT_STATES) -> None:
        self.first = start.state
        self._tree = RecentTree(start.header_hash, limit)
        self._kept = {start.header_hash: (start.header.slot, start.state)}

    def get(self, header_hash: bytes) -> State | None:
        """See :class:`Chain`."""
        return self._kept[header_hash][1] if self._tree.use(header_hash) else None

    def keep(self, header_hash: bytes, state: State) -> None:
        """See :class:`Chain`."""

    def add(self, imported: Imported, octets: bytes) -> int | None:
        """See :class:`Chain`."""
        del octets
        if self._tree.use(imported.hash):
            return None
        gone = self._tree.add(imported.hash, imported.parent)
        self._kept[imported.hash] = imported.slot, imported.state
        if not any(gone):
            return None
        for block_hash in (*gone.firsts, *gone.tips):
            del self._kept[block_hash]
        return min(slot for slot, _ in self._kept.values())

    def close(self) -> None:
        """See :class:`Chain`."""
        self._kept.clear()


class InMemory:
    """The :class:`Keeper` that leaves nothing behind."""

    def start(self, start: Start, instead_of: Chain | None) -> Chain:
        """See :class:`Keeper`."""
        chain = MemoryChain(start)
        if instead_of is not None:
            instead_of.close()
        return chain
