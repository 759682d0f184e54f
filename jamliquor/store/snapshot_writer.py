"""Writes snapshots; one that was interrupted goes on where it stopped."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.hashing import blake3
from jamliquor.errors import StoreError, StoreFull
from jamliquor.params import ChainParams
from jamliquor.state.stream import ENTRY_HEAD_OCTETS, SortedRoot, portions
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.store.interface import StateView, Store
from jamliquor.store.pinned import KeptState
from jamliquor.store.snapshot import (
    CHUNK_OCTETS,
    MAGIC,
    VERSION,
    Contents,
    Kind,
    SnapshotReader,
    encode_contents,
    frame,
    pack,
)

PART_SUFFIX: Final = ".part"
"""Follows the name of a snapshot that is not finished."""

_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

# So much is handed to the disk at once: one sync of all at the end would hold other writers up, and
# the pages of a file that nobody reads would take those of the database out of memory.
_FLUSH_OCTETS = 4 << 20

_SAMPLE_OCTETS = 64 << 10
_SAMPLE_STARTS = (0x00, 0x40, 0x80, 0xC0)

_HEADER_ROW_OCTETS = 5


class Written(NamedTuple):
    """What came of writing a snapshot.

    Attributes:
        entries: how many are in the file.
        resumed: how many of them an earlier run had written.
        octets: size of the file.
        finished: whether the file is complete and in its place.
    """

    entries: int
    resumed: int
    octets: int
    finished: bool


def part_of(path: Path) -> Path:
    """Where an unfinished snapshot lies."""
    return path.with_name(path.name + PART_SUFFIX)


def begun(path: Path) -> Contents | None:
    """What the unfinished snapshot for a place is of, or None if there is none of use."""
    try:
        with part_of(path).open("rb") as file:
            return SnapshotReader(file, part_of(path)).contents
    except (OSError, BadInput):
        return None


def usual_name(params: ChainParams, record: BlockRecord) -> str:
    """What a snapshot of a block is called: after chain, slot and block; without suffix."""
    return f"{params.name}-{record.slot}-{record.hash[:4].hex()}"


def estimated_octets(view: StateView, params: ChainParams) -> int:
    """About how large a snapshot will be: some portions are packed to see how far that goes.

    Raises:
        HostError: the state cannot be read.
    """
    plain = packed = 0
    for first in _SAMPLE_STARTS:
        before = bytes([first]) + bytes(KEY_BYTES - 1)
        for portion in itertools.islice(portions(view.trie, _SAMPLE_OCTETS, before), 1):
            plain += len(portion.octets)
            packed += len(pack(portion.octets))
    whole = view.trie.value_bytes + len(view.trie) * ENTRY_HEAD_OCTETS
    ancestors = min(view.record.number, params.max_lookup_anchor_age)
    headers = ancestors * (len(view.record.header) + _HEADER_ROW_OCTETS)
    return whole * packed // max(plain, 1) + headers


def _ancestors_of(view: StateView, params: ChainParams) -> list[bytes]:
    """Hashes of the blocks before one that lookup anchors may still name, newest first."""
    found: list[bytes] = []
    oldest = view.record.slot - params.max_lookup_anchor_age
    step = view.record_of(view.record.parent)
    while step is not None and step.slot >= oldest and len(found) < params.max_lookup_anchor_age:
        found.append(step.hash)
        step = view.record_of(step.parent)
    return found


def write_snapshot(
    path: Path,
    store: Store,
    block_hash: bytes,
    params: ChainParams,
    genesis: bytes,
    *,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Write the state after a block of a store that does not go on meanwhile; see :func:`write_view`.

    Raises:
        StoreError: the state is not kept, or the file cannot be written.
    """
    record, state = store.record(block_hash), store.state(block_hash)
    if record is None or state is None:
        raise StoreError(f"the state after block 0x{block_hash.hex()} is not kept")
    view = KeptState(record, state.trie, store.record)
    return write_view(path, view, params, genesis, stop=stop, progress=progress)


def write_view(
    path: Path,
    view: StateView,
    params: ChainParams,
    genesis: bytes,
    *,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Write a state to a file beside its place, and put it there when it is complete.

    Args:
        stop: asked after every chunk; what was written stays for the next run.
        progress: told how many entries of how many are written.

    Raises:
        StoreFull: there is no room for the file; what was written stays.
        StoreError: the file cannot be written.
        HostError: the state cannot be read.
    """
    ancestors = _ancestors_of(view, params)
    contents = Contents(params, genesis, view.record, len(view.trie), len(ancestors))
    with _opened(path) as file:
        writer = _Writer(file, part_of(path), contents)
        resumed = writer.resume()
        if not writer.entries(view.trie, stop, progress):
            file.flush()
            return Written(writer.root.count, resumed, file.tell(), False)
        writer.check(resumed)
        writer.ancestors(_known(view, one) for one in ancestors)
        octets = writer.end()
        part_of(path).replace(path)
    _sync_folder(path.parent)
    return Written(contents.entries, resumed, octets, True)


class _Writer:
    """The frames of one snapshot on their way into a file."""

    def __init__(self, file: BinaryIO, part: Path, contents: Contents) -> None:
        self._file = file
        self._part = part
        self._contents = contents
        self._checksums = bytearray()
        self._flushed = 0
        self.root = SortedRoot()

    def resume(self) -> int:
        """Keep the whole chunks of an earlier run, if they are of the same state; how many entries."""
        if not self._keep_chunks():
            self._checksums.clear()
            self.root = SortedRoot()
            self._file.seek(0)
            self._file.truncate()
            self._file.write(MAGIC + bytes((VERSION,)))
            self._frame(Kind.HEAD, encode_contents(self._contents), packed=False)
        return self.root.count

    def entries(
        self, trie: Trie, stop: Callable[[], bool], progress: Callable[[int, int], None]
    ) -> bool:
        """Write the entries that are left; False if it was stopped."""
        for portion in portions(trie, CHUNK_OCTETS, self.root.last_key):
            self._frame(Kind.ENTRIES, portion.octets)
            self.root.push(portion.octets)
            progress(self.root.count, self._contents.entries)
            if stop():
                return False
        return True

    def check(self, resumed: int) -> None:
        """What is in the file has the state's root."""
        if self.root.root == self._contents.record.state_root:
            return
        self._part.unlink(missing_ok=True)
        if resumed:
            raise StoreError(f"{self._part}: was of another state and is gone; run again")
        raise StoreError("the entries of the state do not have its root: the database is damaged")

    def ancestors(self, records: Iterable[BlockRecord]) -> None:
        """Write the headers before the block."""
        chunk = bytearray()
        for record in records:
            chunk.append(record.ticketed)
            chunk += len(record.header).to_bytes(4, "little") + record.header
            if len(chunk) >= CHUNK_OCTETS:
                self._frame(Kind.ANCESTORS, bytes(chunk))
                chunk.clear()
        if chunk:
            self._frame(Kind.ANCESTORS, bytes(chunk))

    def end(self) -> int:
        """Write the end and wait for the disk; the size of the whole."""
        self._frame(Kind.END, blake3(bytes(self._checksums)), packed=False)
        self._flush()
        return self._file.tell()

    def _keep_chunks(self) -> bool:
        self._file.seek(0)
        try:
            reader = SnapshotReader(self._file, self._part)
        except BadInput:
            return False
        if encode_contents(reader.contents) != encode_contents(self._contents):
            return False
        end, checksums = reader.offset, reader.checksums
        while True:
            try:
                kind, payload = reader.next_frame()
            except BadInput:
                break
            if kind != Kind.ENTRIES:
                break
            try:
                self.root.push(payload)
            except ValueError:
                return False
            end, checksums = reader.offset, reader.checksums
        self._checksums += checksums
        self._file.seek(end)
        self._file.truncate()
        self._flushed = end
        return True

    def _frame(self, kind: Kind, payload: bytes, *, packed: bool = True) -> None:
        octets, checksum = frame(kind, payload, packed=packed)
        self._file.write(octets)
        if kind != Kind.END:
            self._checksums += checksum
        if self._file.tell() - self._flushed >= _FLUSH_OCTETS:
            self._flush()

    def _flush(self) -> None:
        """Wait until the disk has everything, and take it out of memory."""
        self._file.flush()
        os.fsync(self._file.fileno())
        end = self._file.tell()
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file.fileno(), 0, end, os.POSIX_FADV_DONTNEED)
        self._flushed = end


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The part file, for this process alone; errors of the disk get the file's name."""
    part = part_of(path)
    try:
        with open(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(f"{part}: another process writes this file") from None
            yield file
    except OSError as error:
        kind = StoreFull if error.errno in _NO_ROOM else StoreError
        raise kind(f"{part}: cannot be written: {error.strerror}") from None


def _known(view: StateView, block_hash: bytes) -> BlockRecord:
    record = view.record_of(block_hash)
    if record is None:
        raise StoreError(f"the record of block 0x{block_hash.hex()} is missing")
    return record


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
