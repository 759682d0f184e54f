"""Reads what every format of the database has in common: blocks, records, slots.

Only the layout of the state may differ between formats; it is not looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from jamliquor.chain.record import BlockRecord
from jamliquor.errors import StoreDamaged
from jamliquor.store._db import Database, Table, Trial, Write
from jamliquor.store.rows import LAST_SLOT, SLOT_BYTES, decode_record, slot_key

FORMAT: Final = b"format"
"""Row of the meta table that names the format."""

_FINALISED: Final = b"finalised"

# Rows of the meta table that say how far blocks were pruned.
_PRUNED: Final = (b"bodies_until", b"records_before")

_CACHE_BYTES: Final = 1 << 20
_COPIED_AT_ONCE: Final = 64


class PastDatabase:
    """The blocks of a database of any format; rows that are damaged count as missing.

    Use it as a context manager.

    Args:
        path: the file; its directory is locked by the caller.

    Raises:
        StoreError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _CACHE_BYTES, _CACHE_BYTES, Trial())

    def __enter__(self) -> PastDatabase:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    @property
    def format(self) -> bytes | None:
        """What the file says its format is."""
        return self._get(Table.META, FORMAT)

    @property
    def finalised(self) -> BlockRecord | None:
        """The record of the last final block."""
        block_hash = self._get(Table.META, _FINALISED)
        return None if block_hash is None else self.record(block_hash)

    def record(self, block_hash: bytes) -> BlockRecord | None:
        """The record of a block."""
        row = self._get(Table.RECORDS, block_hash)
        return None if row is None else decode_record(block_hash, row)

    def block(self, block_hash: bytes) -> bytes | None:
        """An encoded block."""
        return self._get(Table.BLOCKS, block_hash)

    def hashes(self, first_slot: int, last_slot: int) -> Iterator[tuple[int, bytes]]:
        """Slots and hashes of the blocks from one slot to another, inclusive."""
        end = slot_key(last_slot + 1) if last_slot < LAST_SLOT else b"\xff" * 64
        for key in self._database.keys(Table.SLOTS, slot_key(first_slot), end):
            yield int.from_bytes(key[:SLOT_BYTES], "big"), key[SLOT_BYTES:]

    def copy_until(self, slot: int, path: Path) -> tuple[int, int]:
        """Copy all blocks up to a slot into another database file, which nobody else uses.

        Returns:
            How many were copied, and of how many the record was damaged.
        """
        copied = lost = 0
        target = Database(path, _CACHE_BYTES, _CACHE_BYTES, Trial())
        try:
            writes = [
                Write(Table.META, name, value)
                for name in _PRUNED
                if (value := self._get(Table.META, name)) is not None
            ]
            for number, block_hash in self.hashes(0, slot):
                record = self._get(Table.RECORDS, block_hash)
                if record is None:
                    lost += 1
                    continue
                copied += 1
                writes.append(Write(Table.RECORDS, block_hash, record))
                writes.append(Write(Table.SLOTS, slot_key(number, block_hash), b""))
                body = self.block(block_hash)
                if body is not None:
                    writes.append(Write(Table.BLOCKS, block_hash, body))
                if copied % _COPIED_AT_ONCE == 0:
                    target.commit(writes, durable=True)
                    writes = []
            target.commit(writes, durable=True)
        finally:
            target.close()
        return copied, lost

    def _get(self, table: Table, key: bytes) -> bytes | None:
        try:
            return self._database.get(table, key)
        except StoreDamaged:
            return None
