"""States that stay readable while their store goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.state.trie import Trie
from jamliquor.store._db import Pinned, Table
from jamliquor.store.rows import decode_record

__all__ = ["KeptState", "PinnedBase"]


class KeptState(NamedTuple):
    """A state that stays because a trie in memory does, or because nobody writes meanwhile."""

    record: BlockRecord
    trie: Trie
    record_of: Callable[[bytes], BlockRecord | None]

    def release(self) -> None:
        """Nothing is held."""


class PinnedBase:
    """The base of a database; see :class:`~jamliquor.store.interface.PinnedState`.

    Attributes:
        released: whether it can still be read.
    """

    def __init__(self, record: BlockRecord, view: Pinned) -> None:
        self.record = record
        self.trie = view.base()
        self.released = False
        self._view = view

    def record_of(self, block_hash: bytes, /) -> BlockRecord | None:
        """See :class:`~jamliquor.store.interface.StateView`."""
        row = self._view.get(Table.RECORDS, block_hash)
        return None if row is None else decode_record(block_hash, row)

    def release(self) -> None:
        """See :class:`~jamliquor.store.interface.PinnedState`."""
        self.released = True
        self._view.release()
