"""Writes the blocks of a directory as a chain archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import StoreError
from jamliquor.node.directory import Directory
from jamliquor.node.sources import open_genesis
from jamliquor.state.stream import entries_of
from jamliquor.store.archive import ArchiveWriter
from jamliquor.store.directory import SNAPSHOT_FOLDER
from jamliquor.store.mending import own_snapshots
from jamliquor.store.snapshot import SnapshotReader
from jamliquor.types.header import Header

Entries = Iterator[tuple[bytes, bytes]]


class Exported(NamedTuple):
    """What was written.

    Attributes:
        blocks: how many blocks.
        first_slot, last_slot: of the first and the last block; None if there is none.
        entries: whether the genesis state is in it, so that a new directory can be filled.
    """

    blocks: int
    first_slot: int | None
    last_slot: int | None
    entries: bool


def export(
    directory: Directory,
    path: Path,
    first: int | None,
    last: int | None,
    *,
    genesis: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Write the best chain's blocks from one slot to another, oldest first.

    Args:
        path: the archive; there must be none.
        first: slot to begin with; by default that of the oldest block that still has its body.
        last: slot to end with; by default the head's.
        genesis: an archive or trace folder with the genesis, where the directory has lost it.
        progress: told how many blocks of how many are written.

    Raises:
        BadInput: there is a file already, or ``genesis`` is of another chain.
        StoreError: a wanted block's body, or the genesis, is not there.
    """
    if path.exists():
        raise BadInput("exists already", path, advice="remove it, or name another file")
    line = _line(directory, first, last)
    header, root, entries = _genesis(directory, genesis)
    params = directory.params
    with ArchiveWriter(path, params, codec(Header, params).decode(header), root) as archive:
        if entries is not None:
            archive.entries(entries)
        for number, record in enumerate(line, 1):
            archive.block(_body(directory, record))
            progress(number, len(line))
    slots = [record.slot for record in (line[0], line[-1])] if line else [None, None]
    return Exported(len(line), slots[0], slots[1], entries is not None)


def _line(directory: Directory, first: int | None, last: int | None) -> list[BlockRecord]:
    """The blocks to write, oldest first; their headers are left out of the records."""
    store, line = directory.store, []
    step = store.record(store.head or b"")
    while step is not None and step.slot >= (first or 0) and step.hash != directory.genesis:
        if last is None or step.slot <= last:
            if first is None and store.block(step.hash) is None:
                break
            line.append(step._replace(header=b""))
        step = store.record(step.parent)
    return line[::-1]


def _body(directory: Directory, record: BlockRecord) -> bytes:
    body = directory.store.block(record.hash)
    if body is None:
        raise StoreError(
            f"{directory.folder}: the body of block 0x{record.hash.hex()} (slot {record.slot}) was "
            "dropped; without --from the archive begins behind it"
        )
    return body


def _genesis(directory: Directory, source: Path | None) -> tuple[bytes, bytes, Entries | None]:
    """Header and state root of the genesis, and its entries where they are to be had."""
    store = directory.store
    if source is not None:
        found = open_genesis(source, directory.params, directory.genesis)
        return found.header, found.state_root, iter(found.entries)
    record = store.record(directory.genesis)
    if record is None or not record.header:
        raise StoreError(
            f"{directory.folder}: the header of the genesis was dropped; "
            "name a source with it: --genesis"
        )
    state = store.state(record.hash)
    if state is not None:
        return record.header, record.state_root, state.items()
    for own in own_snapshots(directory.folder / SNAPSHOT_FOLDER, store.record):
        if own.record.hash == record.hash:
            return record.header, record.state_root, _entries(own.path)
    return record.header, record.state_root, None


def _entries(path: Path) -> Entries:
    with path.open("rb") as file:
        for _, octets in SnapshotReader(file, path).portions():
            yield from entries_of(octets)
