"""Keeps the chains of conformance sessions on disk, by the rule of the ones in memory.

A home is a folder with a mark, a lock, and a numbered folder for each state that was set. A numbered
folder is a node's directory (:mod:`jamliquor.node.directory`): it is whole once it has its
``chain.json``, and before that it is nobody's. When a new one is whole, all go that no session uses;
so the last chain is there until the next one is, whatever ends the process.
"""

from __future__ import annotations

import ctypes
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from jamliquor.chain.importer import Imported
from jamliquor.chain.record import BlockRecord
from jamliquor.conformance.keeping import KEPT_STATES, Chain, RecentTree, Start
from jamliquor.errors import HostError, StoreError
from jamliquor.node.directory import CHAIN, holds_chain, write_chain
from jamliquor.node.settings import DEFAULTS
from jamliquor.params import ChainParams
from jamliquor.state.state import State
from jamliquor.store.directory import LOCK_FILE, Directory
from jamliquor.store.disk import DiskStore

MARK_FILE: Final = "fuzz-db"
_MARK: Final = "jamliquor fuzz database 1\n"
_DRAFT: Final = f"{MARK_FILE}.part"

# What no longer counts is removed for so many blocks at once.
_GROUP = 8


class DiskHome:
    """A :class:`~jamliquor.conformance.keeping.Keeper` with a folder; use it as a context manager.

    Args:
        folder: made when it is missing; one that is not empty must be such a home already.

    Raises:
        StoreError: the folder cannot be used, is in use by another process, or holds something else.
            It is left as it was.
    """

    def __init__(self, folder: Path, params: ChainParams) -> None:
        self._params = params
        self._folder = folder
        self._in_use: set[Path] = set()
        _demand_home(folder)
        self._directory = Directory(folder)
        try:
            # Somebody may have come before the lock.
            _demand_home(folder)
            _mark(folder)
            self._sweep(whole=False)
        except BaseException:
            self._directory.release()
            raise

    def __enter__(self) -> DiskHome:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._directory.release()

    def start(self, start: Start, instead_of: Chain | None) -> Chain:
        """See :class:`~jamliquor.conformance.keeping.Keeper`.

        Raises:
            StoreError: the disk failed, or is full; the other chain is as it was.
        """
        folder = self._folder / f"{max(map(_number, self._chains()), default=0) + 1:04}"
        try:
            chain = DiskChain(folder, self._params, start, self._in_use.discard)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._in_use.add(folder)
        if instead_of is not None:
            # Its disk may have failed; nobody needs it any more.
            with suppress(HostError):
                instead_of.close()
        self._sweep(whole=True)
        return chain

    def _chains(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.name.isdecimal()]

    def _sweep(self, *, whole: bool) -> None:
        """Remove what no session uses: what was never filled, and with ``whole`` the rest too."""
        for path in self._chains():
            if path not in self._in_use and (whole or not holds_chain(path)):
                # First what makes it count: an interrupted removal leaves nothing that looks whole.
                # What cannot be removed now is tried again with the next chain.
                with suppress(OSError):
                    (path / CHAIN).unlink(missing_ok=True)
                    shutil.rmtree(path)


class DiskChain:
    """A :class:`~jamliquor.conformance.keeping.Chain` in a folder of its own.

    Args:
        closed: told the folder when the chain is closed.

    Raises:
        StoreError: the folder cannot be filled.
    """

    def __init__(
        self,
        folder: Path,
        params: ChainParams,
        start: Start,
        closed: Callable[[Path], None],
        *,
        limit: int = KEPT_STATES,
    ) -> None:
        self._folder = folder
        self._closed = closed
        record = _record(start)
        # The tree decides how many states are kept; the store follows what is final.
        self._store = DiskStore(folder, params, genesis=record.hash, keep_states=1)
        try:
            entries = start.state.items()
            ancestors = _ancestors(start)
            self.first = self._store.initialise(record, entries, ancestors=ancestors)
            write_chain(folder / CHAIN, params, record.hash)
        except BaseException:
            with suppress(HostError):
                self._store.close()
            raise
        self._tree = RecentTree(record.hash, limit)
        self._records = {record.hash: record}
        # What the store has not been told yet: tips that are gone, and how often the first one went.
        self._tips: set[bytes] = set()
        self._firsts = 0
        self._unsynced = self._unsynced_octets = 0
        self._synced_at = time.monotonic()
        self._trimmed = False

    def get(self, header_hash: bytes) -> State | None:
        """See :class:`~jamliquor.conformance.keeping.Chain`."""
        if not self._trimmed:
            # The state as it came has been dropped by now.
            self._trimmed = True
            _give_back_memory()
        return self._store.state(header_hash) if self._tree.use(header_hash) else None

    def keep(self, header_hash: bytes, state: State) -> None:
        """See :class:`~jamliquor.conformance.keeping.Chain`."""

    def add(self, imported: Imported, octets: bytes) -> int | None:
        """See :class:`~jamliquor.conformance.keeping.Chain`.

        Raises:
            StoreError: the disk failed, or is full; nothing more can be added.
        """
        if self._tree.use(imported.hash):
            return None
        record = imported.record(self._records[imported.parent].number + 1)
        if imported.hash in self._tips:
            self._tips.remove(imported.hash)
            self._store.set_head(imported.hash, durable=False)
        else:
            self._put(record, octets, imported.state)
        self._records[imported.hash] = record
        gone = self._tree.add(imported.hash, imported.parent)
        if not any(gone):
            return None
        for block_hash in (*gone.firsts, *gone.tips):
            del self._records[block_hash]
        self._tips.update(gone.tips)
        self._firsts += len(gone.firsts)
        if len(self._tips) + self._firsts >= _GROUP:
            self._tidy()
        return min(kept.slot for kept in self._records.values())

    def close(self) -> None:
        """See :class:`~jamliquor.conformance.keeping.Chain`; the folder stays as it is.

        Raises:
            StoreError: the disk failed; what is there is as good as after a crash.
        """
        try:
            self._store.close()
        finally:
            self._closed(self._folder)

    def _put(self, record: BlockRecord, octets: bytes, state: State) -> None:
        """Store a block as the head; the disk is waited for now and then, as a node does."""
        since = time.monotonic() - self._synced_at
        stored = self._unsynced_octets + len(octets)
        durable = DEFAULTS.is_sync_due(self._unsynced + 1, stored, since)
        changes = state.take_changes()
        self._store.put(record, octets, state, changes, head=True, durable=durable)
        self._unsynced += 1
        self._unsynced_octets += len(octets)
        if durable:
            self._unsynced = self._unsynced_octets = 0
            self._synced_at = time.monotonic()

    def _tidy(self) -> None:
        """Tell the store what is gone, so that what the disk holds is bounded too."""
        first = self._tree.first
        self._store.finalise(first, sorted(self._tips), durable=False)
        self._tips.clear()
        self._firsts = 0
        before = self._records[first].slot
        self._store.prune_blocks(before, before)


def _demand_home(folder: Path) -> None:
    """Refuse a folder that holds anything but what a home consists of."""
    try:
        names = {path.name for path in folder.iterdir()}
        mark = (folder / MARK_FILE).read_text() if MARK_FILE in names else ""
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder}: cannot be read: {error}") from None
    if not mark and not names <= {LOCK_FILE, _DRAFT}:
        raise StoreError(
            f"{folder}: is not empty and holds no database of `jamliquor fuzz`; name a new folder"
        )
    if mark and mark != _MARK:
        raise StoreError(f"{folder}: is of another version of `jamliquor fuzz`; name a new folder")


def _mark(folder: Path) -> None:
    try:
        (folder / _DRAFT).write_text(_MARK)
        (folder / _DRAFT).replace(folder / MARK_FILE)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error.strerror}") from None


def _give_back_memory() -> None:
    """Return what was freed to the system, where the C library (glibc) keeps it otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _number(path: Path) -> int:
    return int(path.name)


def _record(start: Start) -> BlockRecord:
    header = start.header
    number = len(start.ancestors) - 1
    root = start.state.root
    return BlockRecord(start.header_hash, header.parent, header.slot, number, root, False, start.octets)


def _ancestors(start: Start) -> Iterator[BlockRecord]:
    """What is known of the blocks before the first one; their headers and roots are not."""
    parent = bytes(32)
    older = [item for item in start.ancestors if item[0] != start.header_hash]
    for number, (block_hash, slot) in enumerate(older):
        yield BlockRecord(block_hash, parent, slot, number, bytes(32), False, b"")
        parent = block_hash
