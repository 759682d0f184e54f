"""Makes the database of a directory anew: after damage that cannot be repaired, or for a new format.

Rows of blocks, of their records and of the slots have the same layout in all formats, and each has a
checksum. So they are read from the old file, whatever became of the state in it. The state begins with
a snapshot, or with the chain's genesis, and the stored blocks from there on are imported again. All
this happens in a folder beside the old file; at the end the new file takes its place in one step.
Whatever interrupts it, the old file stays, and the next attempt begins anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from jamliquor.chain.finality import Finality
from jamliquor.chain.record import BlockRecord
from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import StoreError
from jamliquor.node.directory import CHAIN, Directory, read_chain
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.restoring import demand, open_snapshot
from jamliquor.node.settings import DEFAULTS
from jamliquor.node.sources import open_genesis
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.state.stream import entries_of
from jamliquor.store.directory import DATABASE_FILE, REBUILD_FOLDER, SNAPSHOT_FOLDER
from jamliquor.store.directory import Directory as Lock
from jamliquor.store.disk import DiskStore
from jamliquor.store.mending import own_snapshots
from jamliquor.store.past import PastDatabase
from jamliquor.store.snapshot import MAGIC, SnapshotReader

_FINALISE_EVERY: Final = 16
_MANUAL: Final = DEFAULTS._replace(finality=Finality(None))
_LAST_SLOT: Final = (1 << 32) - 1

Tell = Callable[[int, int], None]


class Rebuilt(NamedTuple):
    """What came of it.

    Attributes:
        start: where the state came from.
        start_slot: slot of the block whose state that was.
        copied: blocks up to it that were taken over.
        imported: blocks after it that were imported again.
        lost: blocks that were known, and are not any more.
        head_slot: slot of the best block now.
    """

    start: str
    start_slot: int
    copied: int
    imported: int
    lost: int
    head_slot: int


def rebuild(
    folder: Path,
    engine: Engine,
    *,
    start: Path | None = None,
    progress: Tell = lambda done, total: None,
) -> Rebuilt:
    """Make the database of a directory anew, and put it in the place of the old one.

    Args:
        start: a snapshot of a block that the directory knows, or a source with the chain's genesis;
            None takes the newest whole snapshot of the directory's own.
        progress: told how many blocks of how many were imported again.

    Raises:
        StoreError: there is nothing to begin with, or a disk failed; the directory is as it was.
        BadInput: ``start`` is damaged, or of another chain.
    """
    params, genesis = read_chain(folder / CHAIN)
    directory = Lock(folder)
    draft = folder / REBUILD_FOLDER
    try:
        with PastDatabase(directory.database) as past:
            rebuilt = _rebuild(past, draft, params, genesis, engine, start, folder, progress)
        (draft / DATABASE_FILE).replace(directory.database)
        directory.sync()
        directory.suspect = False
    except OSError as error:
        raise StoreError(f"{draft}: cannot be used: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        directory.release()
    _log(folder, engine, rebuilt.start)
    return rebuilt


def _log(folder: Path, engine: Engine, start: str) -> None:
    """Have a node begin on the new database, and put into the log where it came from."""
    with Directory(folder) as directory:
        directory.store.repaired.append(f"all of it, from {start}")
        directory.node(engine, _MANUAL).close("rebuilt")


def _rebuild(
    past: PastDatabase,
    draft: Path,
    params: ChainParams,
    genesis: bytes,
    engine: Engine,
    start: Path | None,
    folder: Path,
    progress: Tell,
) -> Rebuilt:
    first, name = _begin(past, draft, params, genesis, start, folder)
    copied, lost = past.copy_until(first.slot, draft / DATABASE_FILE)
    store = DiskStore(draft, params, genesis=genesis)
    try:
        node = Node(params, engine, store, settings=_MANUAL)
        imported, missed = _import(past, node, first, progress)
        head = node.head_record.slot
        node.close()
    finally:
        store.close()
    return Rebuilt(name, first.slot, copied, imported, lost + missed, head)


def _begin(
    past: PastDatabase,
    draft: Path,
    params: ChainParams,
    genesis: bytes,
    start: Path | None,
    folder: Path,
) -> tuple[BlockRecord, str]:
    """Fill the draft with a first state; the record of its block, and where the state came from."""
    if start is not None:
        if _is_snapshot(start):
            return _restore(past, draft, genesis, start), str(start)
        return _from_genesis(draft, params, genesis, start), str(start)
    snapshots = folder / SNAPSHOT_FOLDER
    reason = f"{snapshots} has no snapshot of a block that this directory knows"
    final = past.finalised
    for own in own_snapshots(snapshots, past.record):
        if final is not None and own.record.number > final.number:
            continue
        try:
            return _restore(past, draft, genesis, own.path), str(own.path)
        except BadInput as error:
            reason = str(error)
    raise StoreError(
        f"{folder}: nothing to begin with: {reason}; name a snapshot, or a source with the genesis, "
        "with --start"
    )


def _is_snapshot(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _restore(past: PastDatabase, draft: Path, genesis: bytes, path: Path) -> BlockRecord:
    file, reader = open_snapshot(path)
    with file:
        demand(path, reader.contents, genesis, None)
        record = past.record(reader.contents.record.hash)
        if record is None:
            raise BadInput("its block is not one that the directory knows", path)
        final = past.finalised
        if final is not None and record.slot > final.slot:
            raise BadInput("its block is not final in the directory", path)
        demand(path, reader.contents, genesis, record.state_root)
        # Blocks keep the numbers that they have in the directory.
        shift = record.number - reader.contents.record.number
        _initialise(
            draft,
            reader.contents.params,
            reader.contents.record._replace(number=record.number),
            (entry for _, octets in reader.portions() for entry in entries_of(octets)),
            genesis,
            _shifted(reader, shift),
        )
    return record


def _shifted(reader: SnapshotReader, shift: int) -> Iterator[BlockRecord]:
    for one in reader.ancestors():
        yield one._replace(number=one.number + shift)


def _from_genesis(draft: Path, params: ChainParams, genesis: bytes, path: Path) -> BlockRecord:
    found = open_genesis(path, params, genesis)
    record = found.record()
    _initialise(draft, params, record, iter(found.entries), genesis, iter(()))
    return record


def _initialise(
    draft: Path,
    params: ChainParams,
    record: BlockRecord,
    entries: Iterator[tuple[bytes, bytes]],
    genesis: bytes,
    ancestors: Iterator[BlockRecord],
) -> None:
    shutil.rmtree(draft, ignore_errors=True)
    store = DiskStore(draft, params)
    try:
        store.initialise(record, entries, genesis=genesis, ancestors=ancestors)
    finally:
        store.close()


def _import(past: PastDatabase, node: Node, first: BlockRecord, progress: Tell) -> tuple[int, int]:
    """Import the stored blocks again; how many there were, and how many could not be."""
    final = past.finalised
    final_slot = first.slot if final is None else final.slot
    known = list(past.hashes(first.slot + 1, _LAST_SLOT))
    done = since = 0
    for slot, block_hash in known:
        body = past.block(block_hash)
        if body is not None:
            done += sum(one.verdict is Verdict.IMPORTED for one in node.receive(body, "rebuild"))
        # Up to the final slot there are no forks, so that any block there is final.
        since += 1
        if slot <= final_slot and since >= _FINALISE_EVERY and block_hash in node.tree:
            node.finalise(block_hash)
            since = 0
        progress(done, len(known))
    if final is not None and final.hash in node.tree:
        node.finalise(final.hash)
    node.give_up("it cannot be made again")
    return done, len(known) - done
