"""The store's door to the native database: tables of byte strings and the base state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from jamliquor._native import check, ffi, last_error, lib, take_buffer
from jamliquor.errors import StoreClosed, StoreDamaged, StoreError, StoreFull
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.store.interface import Counters

_ERR_ARGUMENT = -1
_ERR_PANIC = -3
_ERR_FULL = -4
_ERR_DAMAGED = -5
_ERR_CLOSED = -6

_REMOVED = b"\xff\xff\xff\xff"
_HEAD_BYTES = 5
_KEYS_AT_ONCE = 256

# Of a view: enough for the pages on the way to an entry, and for those that follow it.
_PINNED_CACHE_BYTES = 1 << 20


class Table(IntEnum):
    """The tables, by their numbers in the file."""

    META = 0
    RECORDS = 1
    SLOTS = 2
    BLOCKS = 3
    CHANGES = 4


class Write(NamedTuple):
    """A change of one row: its value, or None to remove it."""

    table: Table
    key: bytes
    value: bytes | None


class Spot(NamedTuple):
    """A row of the base, a page or a value.

    Attributes:
        row: its key.
        first, last: the first and the last key of the entries that it can be made from.
    """

    row: bytes
    first: bytes
    last: bytes

    def __str__(self) -> str:
        if self.first == self.last:
            return f"value of key 0x{self.first.hex()}"
        return f"trie page {self.row.hex()}"


class Mender:
    """Makes a row of the base anew from all entries between ``first`` and ``last`` of its spot.

    It needs memory for one page, however many entries there are.
    """

    def __init__(self, spot: Spot) -> None:
        self.spot = spot
        out = ffi.new("struct JamMender **")
        check(lib.jam_mender_new(spot.row, len(spot.row), out))
        self.handle = ffi.gc(out[0], lib.jam_mender_free)

    def push(self, octets: bytes) -> None:
        """Take entries in key order, encoded like a portion (:mod:`jamliquor.state.stream`).

        Raises:
            ValueError: they are malformed or do not follow the ones before; take no more.
        """
        check(lib.jam_mender_push(self.handle, octets, len(octets)))


class Pinned:
    """What a database held at one moment. Any thread may use it while the database goes on.

    The file cannot use again the space of what is changed meanwhile, and cannot be compacted, until
    the view is released. Methods raise like those of :class:`Database`, also after that.
    """

    def __init__(self, path: Path, handle: Any) -> None:
        self._path = path
        self._handle = ffi.gc(handle, lib.jam_pinned_free)

    def base(self) -> Trie:
        """The base as it was."""
        out = ffi.new("struct JamTrie **")
        _checked(self._path, lib.jam_pinned_trie(self._handle, out))
        return Trie(out[0])

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value that a row had, or None."""
        out = ffi.new("struct JamBuffer **")
        code = lib.jam_pinned_get(self._handle, table, key, len(key), out)
        return take_buffer(out[0]) if _checked(self._path, code) else None

    def release(self) -> None:
        """Let the file use its space again; whoever still reads through the view gets errors."""
        _checked(self._path, lib.jam_pinned_release(self._handle))


class Trial(NamedTuple):
    """How the file is to misbehave, for tests and benchmarks; by default not at all.

    Attributes:
        journal: a file in which every change of the database's file is recorded.
        fail_at: the number of the change, from 1, from which on every change fails.
        capacity: a length in bytes that the file cannot exceed.
        sync_delay_ms: how much longer each sync takes.
    """

    journal: str = ""
    fail_at: int = 0
    capacity: int = 0
    sync_delay_ms: int = 0


class Database:
    """An open database file, locked until it is closed.

    Args:
        path: the file; made when it is missing.
        cache_bytes: bound of trie pages and values in memory.
        file_cache_bytes: bound of the file's own cache.
        trial: see :class:`Trial`.

    Every method raises :class:`~jamliquor.errors.StoreError` when the file cannot be read or written;
    the sentence begins with its path.
    """

    def __init__(self, path: Path, cache_bytes: int, file_cache_bytes: int, trial: Trial) -> None:
        self._path = path
        name, journal = str(path).encode(), trial.journal.encode()
        out = ffi.new("struct JamDb **")
        self._check(
            lib.jam_db_open(
                name,
                len(name),
                cache_bytes,
                file_cache_bytes,
                journal,
                len(journal),
                trial.fail_at,
                trial.capacity,
                trial.sync_delay_ms,
                out,
            )
        )
        self._handle = ffi.gc(out[0], lib.jam_db_free)

    def close(self) -> None:
        """Write what is pending and release the file."""
        self._check(lib.jam_db_close(self._handle))

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value of a row, or None."""
        out = ffi.new("struct JamBuffer **")
        found = self._check(lib.jam_db_get(self._handle, table, key, len(key), out))
        return take_buffer(out[0]) if found else None

    def rows(
        self, table: Table, first: bytes, end: bytes, limit: int = 1 << 30
    ) -> Iterator[tuple[bytes, bytes]]:
        """Rows in order of their keys, ``end`` excluded, fetched in portions."""
        out = ffi.new("struct JamBuffer **")
        while limit > 0:
            arguments = (table, first, len(first), end, len(end), limit, out)
            self._check(lib.jam_db_range(self._handle, *arguments))
            portion = take_buffer(out[0])
            if not portion:
                return
            at = 0
            while at < len(portion):
                middle = at + _HEAD_BYTES + portion[at]
                key = portion[at + _HEAD_BYTES : middle]
                size = int.from_bytes(portion[at + 1 : at + _HEAD_BYTES], "little")
                yield key, portion[middle : middle + size]
                limit -= 1
                at = middle + size
            first = key + b"\0"

    def keys(self, table: Table, first: bytes, end: bytes, limit: int = 1 << 30) -> Iterator[bytes]:
        """Keys in order, ``end`` excluded, also those of damaged rows; fetched in portions."""
        out = ffi.new("struct JamBuffer **")
        while limit > 0:
            arguments = (table, first, len(first), end, len(end), min(limit, _KEYS_AT_ONCE), out)
            self._check(lib.jam_db_keys(self._handle, *arguments))
            listed, at = take_buffer(out[0]), 0
            if not listed:
                return
            while at < len(listed):
                first = listed[at + 1 : at + 1 + listed[at]]
                at += 1 + listed[at]
                limit -= 1
                yield first
            first += b"\0"

    def commit(self, writes: Iterable[Write], base: Trie | None = None, *, durable: bool) -> None:
        """Change rows, and move the base to another state, in one atomic write."""
        batch = b"".join(map(_encode, writes))
        handle = ffi.NULL if base is None else base.handle
        self._check(lib.jam_db_commit(self._handle, batch, len(batch), handle, durable))

    def base(self) -> Trie:
        """The base: a trie that lies in this database."""
        out = ffi.new("struct JamTrie **")
        self._check(lib.jam_db_base(self._handle, out))
        return Trie(out[0])

    def pin(self) -> Pinned:
        """A view of what was committed last."""
        out = ffi.new("struct JamPinned **")
        self._check(lib.jam_pinned_new(self._handle, _PINNED_CACHE_BYTES, out))
        return Pinned(self._path, out[0])

    def compact(self) -> None:
        """Give free space back to the file system."""
        self._check(lib.jam_db_compact(self._handle))

    def verify(self, limit: int) -> list[str]:
        """A sentence for each thing that is damaged, at most ``limit``."""
        out = ffi.new("struct JamBuffer **")
        self._check(lib.jam_db_verify(self._handle, limit, out))
        return take_buffer(out[0]).decode().splitlines()

    def damage(self, limit: int) -> list[Spot]:
        """What is damaged of the base, at most ``limit`` rows; of a damaged page not what is below.

        Reads all of the base.
        """
        out = ffi.new("struct JamBuffer **")
        self._check(lib.jam_db_damage(self._handle, limit, out))
        listed, at, spots = take_buffer(out[0]), 0, []
        while at < len(listed):
            row, first = at + 1, at + 1 + listed[at]
            last = first + KEY_BYTES
            at = last + KEY_BYTES
            spots.append(Spot(listed[row:first], listed[first:last], listed[last:at]))
        return spots

    def mend(self, mender: Mender) -> bool:
        """Write a row that was made anew, if it is what the base refers to; uses the mender up.

        Returns:
            Whether it was. It is durable with the next durable commit.
        """
        return bool(self._check(lib.jam_db_mend(self._handle, mender.handle)))

    @property
    def counters(self) -> Counters:
        """What was read and written so far."""
        size = 8 * len(Counters._fields)
        out = ffi.new("uint8_t[]", size)
        self._check(lib.jam_db_counters(self._handle, out, size))
        data = bytes(ffi.buffer(out, size))
        return Counters(*(int.from_bytes(data[at : at + 8], "little") for at in range(0, size, 8)))

    def _check(self, code: int) -> int:
        return _checked(self._path, code)


def _checked(path: Path, code: int) -> int:
    if code >= 0:
        return code
    if code == _ERR_ARGUMENT:
        raise ValueError(last_error())
    if code == _ERR_PANIC:
        raise StoreDamaged(f"{path}: the file is damaged ({last_error()})")
    kinds = {_ERR_FULL: StoreFull, _ERR_DAMAGED: StoreDamaged, _ERR_CLOSED: StoreClosed}
    kind = kinds.get(code, StoreError)
    raise kind(f"{path}: {last_error()}")


def _encode(write: Write) -> bytes:
    size = _REMOVED if write.value is None else len(write.value).to_bytes(4, "little")
    return bytes([write.table, len(write.key)]) + size + write.key + (write.value or b"")
