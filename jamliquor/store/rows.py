"""How records and change sets are written as rows of the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jamliquor.chain.record import BlockRecord
from jamliquor.state.trie import KEY_BYTES
from jamliquor.store._db import Table, Write

SLOT_BYTES = 4
NUMBER_BYTES = 8
HASH_BYTES = 32

LAST_SLOT = 2 ** (8 * SLOT_BYTES) - 1

_REMOVED = b"\xff\xff\xff\xff"


def encode_record(record: BlockRecord) -> bytes:
    """A record without its hash, which is the key of its row."""
    return b"".join(
        (
            record.parent,
            record.slot.to_bytes(SLOT_BYTES, "big"),
            record.number.to_bytes(NUMBER_BYTES, "big"),
            record.state_root,
            bytes([record.ticketed]),
            record.header,
        )
    )


def decode_record(block_hash: bytes, row: bytes) -> BlockRecord:
    """The record of a block from its row."""
    slot, number, root = (HASH_BYTES, HASH_BYTES + SLOT_BYTES, HASH_BYTES + SLOT_BYTES + NUMBER_BYTES)
    ticketed = root + HASH_BYTES
    return BlockRecord(
        block_hash,
        row[:slot],
        int.from_bytes(row[slot:number], "big"),
        int.from_bytes(row[number:root], "big"),
        row[root:ticketed],
        bool(row[ticketed]),
        row[ticketed + 1 :],
    )


def slot_key(slot: int, block_hash: bytes = b"") -> bytes:
    """Key of a row of the slot index: rows stand in order of slots."""
    return slot.to_bytes(SLOT_BYTES, "big") + block_hash


def changes_key(number: int, block_hash: bytes = b"") -> bytes:
    """Key of a change set: parents stand before their children."""
    return number.to_bytes(NUMBER_BYTES, "big") + block_hash


def encode_changes(changes: Mapping[bytes, bytes | None]) -> bytes:
    """A change set in the encoding of the native trie."""
    parts: list[bytes] = []
    for key, value in changes.items():
        size = _REMOVED if value is None else len(value).to_bytes(4, "little")
        parts += (size, key, value or b"")
    return b"".join(parts)


def decode_changes(row: bytes) -> dict[bytes, bytes | None]:
    """A change set from its row."""
    return dict(_changes(row))


def _changes(row: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    at = 0
    while at < len(row):
        key = row[at + 4 : at + 4 + KEY_BYTES]
        end = at + 4 + KEY_BYTES
        if row[at : at + 4] == _REMOVED:
            yield key, None
        else:
            start, end = end, end + int.from_bytes(row[at : at + 4], "little")
            yield key, row[start:end]
        at = end


def rows_of(record: BlockRecord, block: bytes | None) -> list[Write]:
    """What is written of a block beside its change set."""
    writes = [
        Write(Table.RECORDS, record.hash, encode_record(record)),
        Write(Table.SLOTS, slot_key(record.slot, record.hash), b""),
    ]
    if block is not None:
        writes.append(Write(Table.BLOCKS, record.hash, block))
    return writes


def removal_of(record: BlockRecord) -> list[Write]:
    """What takes everything of a block away, its change set excepted."""
    return [
        Write(Table.RECORDS, record.hash, None),
        Write(Table.SLOTS, slot_key(record.slot, record.hash), None),
        Write(Table.BLOCKS, record.hash, None),
    ]
