"""Repairs the state on disk: damaged pages and values are made anew from a snapshot.

A snapshot of the chain that lies in the directory's own folder holds the state after some block. The
changes of the blocks from there to the base are kept for this purpose. Together they give every entry
of the base; a row that was made from them counts only if it has the hash that the base refers to, so
that nothing wrong can be written, whatever the snapshot holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import StoreDamaged, StoreError
from jamliquor.state.stream import entries_of
from jamliquor.state.trie import encode_change
from jamliquor.store._db import Database, Mender, Spot, Table
from jamliquor.store.rows import changes_key, decode_changes
from jamliquor.store.snapshot import SnapshotReader

SUFFIX: Final = ".jamsnap"

_AT_ONCE: Final = 256
"""Rows repaired in one pass over the snapshot."""

_PORTION: Final = 64 << 10

RecordOf = Callable[[bytes], BlockRecord | None]


class Own(NamedTuple):
    """A snapshot of a block that the store knows; its number is the store's."""

    path: Path
    record: BlockRecord


class Mending(NamedTuple):
    """What came of a repair.

    Attributes:
        repaired: a name for each row that was made anew.
        left: a sentence for what is still damaged, and why; empty if nothing is.
    """

    repaired: list[str]
    left: str


def own_snapshots(folder: Path, record_of: RecordOf) -> list[Own]:
    """Snapshots of blocks that the store knows, newest first; files that are none are passed over."""
    found: list[Own] = []
    for path in folder.glob("*" + SUFFIX):
        with suppress(BadInput, OSError, StoreDamaged), path.open("rb") as file:
            record = record_of(SnapshotReader(file, path).contents.record.hash)
            if record is not None:
                found.append(Own(path, record))
    return sorted(found, key=lambda own: own.record.number, reverse=True)


def mend(database: Database, snapshots: list[Own], base: BlockRecord, record_of: RecordOf) -> Mending:
    """Look at all of the base and repair what can be repaired.

    Args:
        snapshots: newest first.
        base: the record of the block whose state the base is.

    Raises:
        StoreError: the file is damaged below its rows, or cannot be written.
    """
    repaired: list[str] = []
    tried: set[Spot] = set()
    while spots := database.damage(_AT_ONCE):
        done, reason = _repair(database, snapshots, base, record_of, spots)
        if tried.intersection(done):
            # Keys of the file are out of order: what is written there is not found again.
            done, reason = [], "it was written and cannot be read; the file is damaged below its rows"
        tried.update(done)
        repaired += map(str, done)
        if not done:
            database.commit([], durable=True)
            names = ", ".join(map(str, spots[:3])) + (" and more" if len(spots) > 3 else "")
            return Mending(repaired, f"{names}: {reason}")
    if repaired:
        database.commit([], durable=True)
    return Mending(repaired, "")


def _repair(
    database: Database,
    snapshots: list[Own],
    base: BlockRecord,
    record_of: RecordOf,
    spots: list[Spot],
) -> tuple[list[Spot], str]:
    """Repair some rows; which ones were, and why the others were not."""
    reason = "there is no snapshot of this chain at or below its block in the folder snapshots"
    for own in snapshots:
        if own.record.number > base.number:
            continue
        try:
            changes = _changes_since(database, own.record, base, record_of, spots)
            menders = _fed(own.path, spots, changes)
        except (BadInput, StoreError, ValueError, OSError) as error:
            reason = str(error)
            continue
        done = [mender.spot for mender in menders if database.mend(mender)]
        if done:
            return done, ""
        reason = f"{own.path} and the changes since do not give what the state refers to"
    return [], reason


def _changes_since(
    database: Database, oldest: BlockRecord, base: BlockRecord, record_of: RecordOf, spots: list[Spot]
) -> dict[bytes, bytes | None]:
    """What the blocks above one, up to the base, changed of the entries in question.

    Raises:
        StoreError: the changes of a block are gone or damaged.
    """
    found: dict[bytes, bytes | None] = {}
    step: BlockRecord | None = base
    while step is not None and step.number > oldest.number:
        row = database.get(Table.CHANGES, changes_key(step.number, step.hash))
        if row is None:
            raise StoreError(f"the changes of block 0x{step.hash.hex()} (slot {step.slot}) are gone")
        for key, value in decode_changes(row).items():
            if key not in found and any(spot.first <= key <= spot.last for spot in spots):
                found[key] = value
        step = record_of(step.parent)
    if step is None or step.hash != oldest.hash:
        raise StoreError(f"block 0x{oldest.hash.hex()} does not precede the state on disk")
    return found


def _fed(path: Path, spots: list[Spot], changes: Mapping[bytes, bytes | None]) -> list[Mender]:
    """Menders of the spots that got all entries in their spans.

    Raises:
        BadInput: the snapshot is damaged.
        OSError: it cannot be read.
    """
    menders = [Mender(spot) for spot in sorted(spots, key=lambda spot: spot.first)]
    octets = bytearray()
    # Below a damaged page nothing was looked at, so that no two spans overlap.
    current = 0
    with path.open("rb") as file:
        for key, value in _merged(SnapshotReader(file, path), changes):
            while current < len(menders) and menders[current].spot.last < key:
                menders[current].push(bytes(octets))
                octets.clear()
                current += 1
            if current < len(menders) and menders[current].spot.first <= key:
                octets += encode_change(key, value)
                if len(octets) > _PORTION:
                    menders[current].push(bytes(octets))
                    octets.clear()
    if current < len(menders):
        menders[current].push(bytes(octets))
    return menders


def _merged(
    reader: SnapshotReader, changes: Mapping[bytes, bytes | None]
) -> Iterator[tuple[bytes, bytes]]:
    """The snapshot's entries with changes laid over them, in key order."""
    later = deque(sorted(changes.items()))
    for _, octets in reader.portions():
        for key, value in entries_of(octets):
            while later and later[0][0] < key:
                changed, new = later.popleft()
                if new is not None:
                    yield changed, new
            if not later or later[0][0] != key:
                yield key, value
    for changed, new in later:
        if new is not None:
            yield changed, new
