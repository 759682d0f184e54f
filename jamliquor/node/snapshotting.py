"""Snapshots that a node takes of itself, beside imports.

A snapshot is of the base: a pinned view of it stays readable while the base moves on. The node takes
some by itself, as often as it is told to, and others when it is asked for them. A thread of lower
priority writes what the view shows, chunk by chunk; the node's own thread begins it, hears of its end,
and has the last word on which of its own files stay. While a view is pinned, the database cannot use
the space of changed pages again, so a node that imports fast gives way to the thread when much is held.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from jamliquor.chain.events import Event, SnapshotTaken
from jamliquor.errors import HostError, StoreDamaged, StoreError, StoreFull
from jamliquor.node.settings import Settings
from jamliquor.params import ChainParams
from jamliquor.store.interface import PinnedState, Store
from jamliquor.store.mending import SUFFIX, own_snapshots
from jamliquor.store.snapshot_writer import (
    PART_SUFFIX,
    Written,
    begun,
    estimated_octets,
    part_of,
    usual_name,
    write_view,
)

__all__ = ["OWN_SUFFIX", "PlaceTaken", "Snapshots", "Taking"]

OWN_SUFFIX: Final = ".auto" + SUFFIX
"""Ends the names of snapshots that nodes take by themselves, and may remove."""

SPARED_OCTETS: Final = 32 << 20
"""Free space of a disk that no snapshot takes, so that imports go on."""

HELD_OCTETS: Final = 64 << 20
"""Octets written to the store since a view was pinned from which on imports give way."""

GIVE_WAY_SECONDS: Final = 0.5
"""How long they do before each block, at most."""

_RETRY_PART: Final = 8
"""After a failure the next attempt comes in this part of the usual time."""

_RESERVED_PART: Final = 16
"""A budget is passed by a little before it is looked at; this part of it makes up for that."""

_NICENESS: Final = 10

_PAUSE_SECONDS: Final = 0.05

_REMEMBERED: Final = 4
"""Of so many snapshots that were asked for can be told what came of them."""


class PlaceTaken(StoreError):
    """There is something where a snapshot was to lie.

    Attributes:
        path: the place.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: exists already")
        self.path = path


class Taking:
    """One snapshot on its way into a file. The attributes may be read at any time.

    Attributes:
        path: where it will lie.
        record: the block whose state it holds.
        own: whether the node takes it by itself, and may remove it.
        entries: how many of how many are written.
        written: what came of it, once it is in its place.
        error: why it will not be, once that is known.
    """

    def __init__(
        self,
        path: Path,
        view: PinnedState,
        params: ChainParams,
        genesis: bytes,
        room: Callable[[Path], tuple[int, str]],
        *,
        own: bool,
    ) -> None:
        self.path = path
        self.record = view.record
        self.own = own
        self.entries = (0, len(view.trie))
        self.written: Written | None = None
        self.error: Exception | None = None
        self._view: PinnedState | None = view
        self._params = params
        self._genesis = genesis
        self._room = room
        self._most = 0
        self._asked = threading.Event()
        # A process that is ended in haste does not wait for it.
        self._thread = threading.Thread(target=self._work, args=(view,), name="snapshot", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return not self._thread.is_alive()

    @property
    def settled(self) -> bool:
        """Whether the node has heard of its end, and what came of it is in the log."""
        return self._view is None

    @property
    def stopped(self) -> bool:
        """Whether it ended because it was asked to; the unfinished file can be gone on with."""
        return self.ended and self.error is None and (self.written is None or not self.written.finished)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for its end, at most so long."""
        self._thread.join(seconds)

    def break_off(self) -> None:
        """Have it end behind the chunk in work."""
        self._asked.set()

    def stop(self) -> None:
        """End it behind the chunk in work, and wait for that."""
        self.break_off()
        self._thread.join()

    def release(self) -> None:
        """Let go of the view."""
        view, self._view = self._view, None
        if view is not None:
            view.release()

    def _work(self, view: PinnedState) -> None:
        try:
            _step_back()
            self._demand_room(view)
            if not self._asked.is_set():
                self.written = write_view(
                    self.path,
                    view,
                    self._params,
                    self._genesis,
                    stop=self._ends,
                    progress=self._note,
                )
        except Exception as error:
            # The node's thread looks at it.
            self.error = error

    def _demand_room(self, view: PinnedState) -> None:
        """Refuse to begin what will not fit.

        Raises:
            StoreFull: it will not; the sentence has the sizes.
        """
        room, sentence = self._room(self.path.parent)
        needed = estimated_octets(view, self._params)
        self._most = room + _size(part_of(self.path))
        if needed > self._most:
            raise StoreFull(f"a snapshot of about {_mb(needed)} does not fit: {sentence}")

    def _ends(self) -> bool:
        size = _size(part_of(self.path))
        if size > self._most or _free(self.path.parent) < 0:
            raise StoreFull(f"a snapshot does not fit: {_mb(size)} of it took what room there was")
        return self._asked.is_set()

    def _note(self, done: int, total: int) -> None:
        self.entries = (done, total)


class Snapshots:
    """Decides when a snapshot is due, has it written, and removes those that it replaces.

    One thread, the node's, calls it. Trouble with snapshots is told and never stops the node.

    Args:
        folder: where the node's snapshots lie, or None if it takes none.
        genesis: hash of the chain's first header.
        record: takes events for the log.
        tell: takes lines for people.
    """

    def __init__(
        self,
        store: Store,
        folder: Path | None,
        params: ChainParams,
        genesis: bytes,
        settings: Settings,
        *,
        record: Callable[[Event], object],
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._folder = folder
        self._params = params
        self._genesis = genesis
        self._every = settings.snapshot_every
        self._keep = settings.keep_snapshots
        self._budget = settings.storage_budget
        self._record = record
        self._tell = tell
        self._taking: Taking | None = None
        self._asked_for: deque[Taking] = deque(maxlen=_REMEMBERED)
        self._written_before = 0
        # The base that was looked at last, and the number of the one of which a snapshot is due.
        self._seen: bytes | None = None
        self._due = 0
        self._troubled = False
        if folder is not None and not self._sweep(folder):
            for newest in own_snapshots(folder, store.record)[:1]:
                self._due = newest.record.number + (self._every or 0)
                # One that is overdue waits for a block: a node on a full disk is opened often.
                self._seen = store.base

    @property
    def taking(self) -> Taking | None:
        """The snapshot that is being written, if one is."""
        return self._taking

    def reserve(self) -> int:
        """Octets of the storage budget that blocks have to leave to the next snapshot."""
        if self._every is None or self._folder is None or self._budget is None:
            return 0
        taken = (_size(path) for path in self._folder.glob("*" + OWN_SUFFIX))
        return max(taken, default=0) + self._budget // _RESERVED_PART

    def begin(self, path: Path | None = None) -> Taking:
        """Begin to write a snapshot of the base as it is now.

        Args:
            path: where it shall lie; by default in the node's folder. The node never removes it.

        Returns:
            What can be asked how far it is; the node itself has to be called on meanwhile
            (:meth:`tend`).

        Raises:
            PlaceTaken: something lies there already.
            StoreError: one is being written, or the base cannot be read.
        """
        if path is None:
            path = self._place(SUFFIX)
        if path.exists():
            raise PlaceTaken(path)
        taking = self._begin(path, own=False)
        self._asked_for.append(taking)
        return taking

    def asked_for(self, path: Path) -> Taking | None:
        """What was begun last for an absolute path, if that was lately; its end is heard of now."""
        self._collect()
        return next((one for one in reversed(self._asked_for) if one.path.absolute() == path), None)

    def tend(self) -> None:
        """Do what is due: hear of an end, give way, begin. Takes half a second at the most."""
        if self._taking is not None:
            if self._store.counters.written - self._written_before > HELD_OCTETS:
                self._taking.wait(GIVE_WAY_SECONDS)
            self._collect()
        base = self._store.base
        if self._every is None or self._taking is not None or base in (None, self._seen):
            return
        self._seen = base
        try:
            record = None if base is None else self._store.record(base)
            if record is None or record.number < self._due:
                return
            self._due = record.number + max(1, self._every // _RETRY_PART)
            self._begin(self._place(OWN_SUFFIX), own=True)
        except (HostError, OSError) as error:
            self._complain(error)

    def finish(
        self, stopped: Callable[[], bool], pause: Callable[[float], object] | None = None
    ) -> None:
        """Wait for the snapshot that is being written, if any, unless somebody asks to stop.

        Args:
            pause: waits so many seconds, and does meanwhile what else there is to do.
        """
        while self._taking is not None and not stopped():
            (pause or self._taking.wait)(_PAUSE_SECONDS)
            self._collect()

    def stop(self) -> None:
        """End the snapshot that is being written, if any; a later start may go on with it."""
        if self._taking is None:
            return
        if self._taking.own:
            self._seen, self._due = None, 0
        self._taking.stop()
        self._collect()

    def _begin(self, path: Path, *, own: bool) -> Taking:
        if self._taking is not None:
            raise StoreError(
                f"{self._taking.path}: this snapshot is being written; try again when it is finished"
            )
        view = self._store.pin()
        try:
            self._written_before = self._store.counters.written
            self._taking = Taking(path, view, self._params, self._genesis, self._room, own=own)
        except BaseException as error:
            view.release()
            if isinstance(error, RuntimeError):
                raise HostError(f"no snapshot can be taken: {error}") from None
            raise
        return self._taking

    def _place(self, suffix: str) -> Path:
        base = self._store.base
        record = None if base is None else self._store.record(base)
        if self._folder is None or record is None:
            raise StoreError("there is no place for a snapshot, or no state")
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror}") from None
        return self._folder / (usual_name(self._params, record) + suffix)

    def _room(self, folder: Path) -> tuple[int, str]:
        """Octets that a snapshot in a folder may take, and in words why not more."""
        free = _free(folder)
        if self._budget is not None and self._is_ours(folder):
            size = self._store.size_on_disk
            if self._budget - size < free:
                return self._budget - size, f"{_mb(size)} of the budget of {_mb(self._budget)} are used"
        return free, f"{_mb(free + SPARED_OCTETS)} of the disk are free, {_mb(SPARED_OCTETS)} stay so"

    def _is_ours(self, folder: Path) -> bool:
        """Whether a folder, by whatever name, is the one for the node's snapshots."""
        try:
            return self._folder is not None and folder.samefile(self._folder)
        except OSError:
            return False

    def _collect(self) -> None:
        """Hear of the end of the snapshot in work; its view is held until its file counts."""
        taking = self._taking
        if taking is None or not taking.ended:
            return
        self._taking = None
        try:
            if taking.error is not None:
                self._failed(taking, taking.error)
            elif taking.written is not None and taking.written.finished:
                self._taken(taking, taking.written)
        finally:
            with suppress(HostError):
                taking.release()

    def _taken(self, taking: Taking, written: Written) -> None:
        self._troubled = False
        record, path = taking.record, taking.path
        if self._is_ours(path.parent):
            self._due = record.number + (self._every or 0)
        self._record(
            SnapshotTaken(record.hash, record.slot, written.entries, written.octets, os.fsencode(path))
        )
        self._tell(f"snapshot of slot {record.slot}: {path}, {_mb(written.octets)}")
        try:
            self._store.look_for_snapshots()
            if taking.own:
                self._remove_older(path, record.number)
        except (HostError, OSError) as error:
            self._complain(error)

    def _failed(self, taking: Taking, error: Exception) -> None:
        if not isinstance(error, HostError | OSError | MemoryError):
            raise error
        if taking.own:
            # Room is what may be missing.
            with suppress(OSError):
                part_of(taking.path).unlink(missing_ok=True)
        self._complain(error, own=taking.own)

    def _complain(self, error: Exception, *, own: bool = True) -> None:
        """Tell of trouble with own ones once, until one was taken; of damage also the next start."""
        if isinstance(error, StoreDamaged):
            self._store.suspect()
        if not (own and self._troubled):
            self._troubled |= own
            self._tell(f"no snapshot could be taken: {error}; imports go on")

    def _remove_older(self, newest: Path, number: int) -> None:
        """Remove what the node took itself before, but for a few; ``newest``, of a block, is whole."""
        older = [
            own.path
            for own in own_snapshots(newest.parent, self._store.record)
            if own.record.number < number and own.path.name.endswith(OWN_SUFFIX)
        ]
        spared = {newest, *older[: self._keep - 1]}
        for path in newest.parent.glob("*" + OWN_SUFFIX):
            if path not in spared:
                path.unlink()

    def _sweep(self, folder: Path) -> bool:
        """Remove what earlier runs left unfinished, except what this one can go on with.

        Returns:
            Whether there is such a thing.
        """
        resumable = False
        for part in folder.glob("*" + OWN_SUFFIX + PART_SUFFIX):
            path = part.with_name(part.name.removesuffix(PART_SUFFIX))
            contents = None if self._every is None else begun(path)
            if contents is not None and contents.record.hash == self._store.base:
                resumable = True
                continue
            with suppress(OSError):
                part.unlink()
        return resumable


def _step_back() -> None:
    """Have the kernel prefer the other threads of the process."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            nice = max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, nice)


def _free(folder: Path) -> int:
    """Octets of a disk that a snapshot may take; less than none when it took too many."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize - SPARED_OCTETS


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _mb(octets: int) -> str:
    return f"{octets / 1e6:.1f} MB"
