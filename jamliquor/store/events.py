"""The event log: the append-only record of what the node did, in segment files.

Events are gathered in memory and written when the node commits a block, in one write. Writing is not
syncing: the log is synced when the store syncs, so that it costs a flash card nothing of its own, and
after a power cut both are as old as the last common sync. What a crash of the process alone leaves
is whole.

Retention is by size: when all segments together pass the budget, the oldest go. Every segment begins
with a list of the whole block tree, so what is left can be replayed.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from zlib import crc32

from jamliquor.chain.events import ENCODERS, Event, Listed
from jamliquor.errors import StoreError, StoreFull
from jamliquor.store.segments import (
    FRAME,
    HEAD,
    Entry,
    encode_head,
    read_segment,
    scan,
    segment_entries,
    segment_files,
)

DEFAULT_BUDGET: Final = 8 << 20
"""Octets that all segments may have together."""

DEFAULT_SEGMENT: Final = 1 << 20
"""Octets after which a new segment begins."""

_MAX_BUFFERED: Final = 256 << 10
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Bound once: every event of every block passes here.
_pack_head: Final = FRAME.pack

Clock = Callable[[], int]
Write = Callable[[int, bytes], int]


class EventLog:
    """Appends to the log in a folder. One process at a time: the lock of the directory sees to it.

    Opening cuts a torn end back to the last whole event. Damage in the middle is left as it is, for
    :func:`~jamliquor.store.segments.damages` to tell, and a new segment is begun behind it.

    Args:
        folder: made if it does not exist.
        budget: octets that all segments may have together; the one being written always stays.
        segment_octets: size after which a new segment begins.
        clock: gives the time of an event in nanoseconds since 1970.
        write: as :func:`os.write`; tests pass one that fails.

    Attributes:
        repaired: what was done to the log when it was opened, in words; empty if it was whole.

    Raises:
        StoreError: the folder cannot be used.
        StoreFull: no room for a first segment.
    """

    def __init__(
        self,
        folder: Path,
        *,
        budget: int = DEFAULT_BUDGET,
        segment_octets: int = DEFAULT_SEGMENT,
        clock: Clock = time.time_ns,
        write: Write = os.write,
    ) -> None:
        self._folder = folder
        self._budget = budget
        self._segment_octets = segment_octets
        self._clock = clock
        self._write_octets = write
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._synced = True
        self.repaired = ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file, self._size, self._next = self._open()
        except OSError as error:
            raise self._failure("opened", error) from None

    @property
    def next_sequence(self) -> int:
        """Number of the next event; the first one of a log has 1."""
        return self._next

    @property
    def size_on_disk(self) -> int:
        """Octets of all segments."""
        return sum(path.stat().st_size for path in segment_files(self._folder))

    def append(self, event: Event) -> int:
        """Take an event in; returns its number. It is written with the next :meth:`flush`.

        Raises:
            StoreError, StoreFull: as :meth:`flush`, which too many unwritten events make happen.
        """
        return self.append_fields(type(event), event)

    def append_fields(self, layout: type[Event], fields: Sequence[object]) -> int:
        """As :meth:`append` of an event that nobody else needs, so that none is made: its class, and
        its fields in their order."""
        kind, version, encode = ENCODERS[layout]
        sequence = self._next
        payload = encode((sequence, self._clock() // 1000, kind, version, *fields))
        size = len(payload)
        if self._buffered + size > _MAX_BUFFERED and self._buffer:
            self.flush()
        self._buffer += (_pack_head(size, crc32(payload)), payload)
        self._buffered += size
        self._next = sequence + 1
        return sequence

    def commit(self, *, durable: bool) -> bool:
        """Write everything, and sync it if it must last; whether :meth:`begin_segment` is due.

        Raises:
            StoreFull, StoreError: as for :meth:`flush`.
        """
        if durable:
            self.sync()
        elif self._buffer:
            self.flush()
        return self._size >= self._segment_octets

    def flush(self) -> None:
        """Hand everything to the operating system.

        Raises:
            StoreFull: no room; nothing is lost, and the file ends with a whole event.
            StoreError: the file cannot be written, likewise.
        """
        if not self._buffer:
            return
        octets = b"".join(self._buffer)
        done = 0
        try:
            while done < len(octets):
                done += self._write_octets(self._file, octets[done:])
        except OSError as error:
            if done:
                os.ftruncate(self._file, self._size)
            raise self._failure("written", error) from None
        self._size += len(octets)
        self._synced = False
        self._buffer.clear()
        self._buffered = 0

    def sync(self) -> None:
        """Flush, and wait until it is on the disk.

        Raises:
            StoreFull, StoreError: as for :meth:`flush`.
        """
        self.flush()
        if self._synced:
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise self._failure("synced", error) from None
        self._synced = True

    def begin_segment(self, listing: Listed) -> None:
        """Go on in a new file, which begins with the whole tree; the oldest files go if need be.

        Raises:
            StoreFull, StoreError: as for :meth:`flush`; the log goes on in the old file.
        """
        self.sync()
        try:
            created = self._create(int(segment_files(self._folder)[-1].stem) + 1, self._next)
        except OSError as error:
            raise self._failure("continued", error) from None
        os.close(self._file)
        self._file, self._size = created, HEAD.size
        self.append(listing)
        self.flush()
        self._retain()

    def since_last_listing(self) -> list[Entry]:
        """The last list of the tree and what follows it; everything there is, if there is no list.

        Raises:
            StoreError, StoreFull: the log cannot be written or read.
        """
        self.flush()
        return since_last_listing(self._folder)

    def tail(self, count: int) -> list[Entry]:
        """The last events, oldest first, those that are not written yet included.

        Raises:
            StoreError, StoreFull: the log cannot be written or read.
        """
        self.flush()
        return tail(self._folder, count)

    def close(self) -> None:
        """Write and sync everything, and let go of the file.

        Raises:
            StoreFull, StoreError: as for :meth:`flush`; the file is let go of all the same.
        """
        try:
            self.sync()
        finally:
            os.close(self._file)

    def _open(self) -> tuple[int, int, int]:
        """File, size and next number; cuts or leaves behind what is damaged."""
        files = segment_files(self._folder)
        repaired: list[str] = []
        following = 1
        while files:
            path = files[-1]
            found = scan(path, read_segment(path))
            if found.first is None and found.damage[0].torn:
                # The head was never written whole, so no event can have been.
                path.unlink()
                repaired.append(f"{path.name} removed: it has no whole head")
                files.pop()
                continue
            break
        if files:
            if found.first is not None and not any(not spot.torn for spot in found.damage):
                if found.damage:
                    os.truncate(path, found.end)
                    cut = found.damage[-1]
                    repaired.append(f"{path.name} cut back to byte {found.end}: {cut.reason}")
                self.repaired = "; ".join(repaired)
                file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
                return file, found.end, found.next
            following = max(found.next, _last_sequence(files) + 1)
            repaired.append(f"{path.name} left behind: {found.damage[0].reason}")
        self.repaired = "; ".join(repaired)
        number = int(files[-1].stem) + 1 if files else 1
        return self._create(number, following), HEAD.size, following

    def _create(self, number: int, first: int) -> int:
        """A new segment with its head; there is none if that cannot be written."""
        path = self._folder / f"{number:08}.log"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        head, done = encode_head(first), 0
        try:
            while done < len(head):
                done += self._write_octets(file, head[done:])
        except OSError:
            os.close(file)
            path.unlink()
            raise
        self._synced = False
        return file

    def _retain(self) -> None:
        files = segment_files(self._folder)
        sizes = [path.stat().st_size for path in files]
        total = sum(sizes)
        for path, size in zip(files[:-1], sizes, strict=False):
            if total <= self._budget:
                return
            path.unlink()
            total -= size

    def _failure(self, done: str, error: OSError) -> StoreError:
        text = f"{self._folder}: the event log cannot be {done}: {error.strerror}"
        if error.errno in _NO_ROOM:
            return StoreFull(f"{text}; nothing is lost, make room and it goes on")
        return StoreError(text)


def tail(folder: Path, count: int) -> list[Entry]:
    """The last events of a log that may be in use, oldest first.

    Raises:
        StoreError: the log cannot be read.
    """
    found: deque[Entry] = deque()
    for path in reversed(segment_files(folder)):
        missing = count - len(found)
        if missing <= 0:
            break
        found.extendleft(reversed(deque(segment_entries(path), maxlen=missing)))
    return list(found)


def since_last_listing(folder: Path) -> list[Entry]:
    """The last list of the tree and what follows it; everything there is, if there is no list.

    Raises:
        StoreError: the log cannot be read.
    """
    found: list[Entry] = []
    for path in reversed(segment_files(folder)):
        found = [*segment_entries(path), *found]
        for index in range(len(found) - 1, -1, -1):
            if isinstance(found[index].event, Listed):
                return found[index:]
    return found


def _last_sequence(files: list[Path]) -> int:
    """The highest number that any whole event has; 0 if there is none."""
    for path in reversed(files):
        found = scan(path, read_segment(path))
        if found.first is not None:
            return found.next - 1
    return 0
