"""The files of the event log: how events lie in them, and reading them without changing anything.

A log is a folder of segments, ``00000001.log`` and up. A segment begins with a head of 20 octets:
eight that name format and version, the sequence number of its first event (8 octets), and the CRC-32
of these 16. Then frames follow, one an event: length of the payload (4), CRC-32 of the payload (4),
and the payload: sequence number (8), microseconds since 1970 (8), kind (1), version (1), fields. All
numbers are little-endian.

The checksum is CRC-32 because it has to find torn writes and flipped bits, not forgers: whoever can
write the file can write its checksums too. It finds every burst of up to 32 bits, takes a fifth of a
microsecond, and costs four octets.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from jamliquor.chain.events import Event, decode_event
from jamliquor.errors import DecodeError, StoreError

MAGIC: Final = b"jamlog\0\1"
HEAD: Final = struct.Struct("<8sQI")
FRAME: Final = struct.Struct("<II")
STAMP: Final = struct.Struct("<QQ")

MAX_PAYLOAD: Final = 8 << 20
"""Octets above which a length is taken for damage; a list of 4096 blocks has half a megabyte."""

_LEAST_PAYLOAD: Final = STAMP.size + 2


class Entry(NamedTuple):
    """One event as the log holds it.

    Attributes:
        sequence: its number, one higher than the event before it.
        micros: microseconds since 1970 by the node's clock.
        kind: number of its kind; with ``version`` it tells what an unknown event is.
        event: None if a newer node wrote a kind that this one does not know.
    """

    sequence: int
    micros: int
    kind: int
    version: int
    event: Event | None


class Damage(NamedTuple):
    """A place in the log that does not hold what was written there.

    Attributes:
        torn: nothing whole follows, as after a write that was cut short.
    """

    path: Path
    offset: int
    reason: str
    torn: bool

    def __str__(self) -> str:
        return f"{self.path}, byte {self.offset}: {self.reason}"


class Scan(NamedTuple):
    """What a walk over one segment found.

    Attributes:
        first: sequence number in the head, or None if the head is damaged.
        next: sequence number that the next event would have.
        end: offset behind the last whole frame.
        damage: places that hold no whole frame, in order.
    """

    path: Path
    first: int | None
    next: int
    end: int
    frames: list[tuple[int, int]]
    damage: list[Damage]


def segment_files(folder: Path) -> list[Path]:
    """The segments of a log, oldest first; none if the folder does not exist.

    Raises:
        StoreError: the folder cannot be listed.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix == ".log" and path.stem.isdecimal()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"{folder}: cannot be listed: {error.strerror}") from None
    return sorted(found, key=lambda path: int(path.stem))


def encode_head(first: int) -> bytes:
    """The head of a segment."""
    head = HEAD.pack(MAGIC, first, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "little")


def read_segment(path: Path) -> bytes:
    """All octets of a segment.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from None


def scan(path: Path, data: bytes) -> Scan:
    """Walk over a segment: every whole frame, and every place where none is."""
    first = _first_sequence(data)
    if first is None:
        torn = len(data) < HEAD.size
        damage = [Damage(path, 0, "the head of the segment is damaged", torn)]
        return Scan(path, None, 0, 0, [], damage)
    at, expected = HEAD.size, first
    frames: list[tuple[int, int]] = []
    damage = []
    while at < len(data):
        reason = _fault(data, at)
        if reason is None:
            sequence = int.from_bytes(data[at + 8 : at + 16], "little")
            if sequence != expected:
                damage.append(Damage(path, at, f"event {sequence} where {expected} belongs", False))
            expected = sequence + 1
            end = at + FRAME.size + int.from_bytes(data[at : at + 4], "little")
            frames.append((at + FRAME.size, end))
            at = end
            continue
        whole = _next_whole(data, at + 1, expected)
        damage.append(Damage(path, at, reason, whole is None))
        if whole is None:
            break
        at = whole
    end = frames[-1][1] if frames else HEAD.size
    return Scan(path, first, expected, end, frames, damage)


def entries(folder: Path, first: int = 0, last: int | None = None) -> Iterator[Entry]:
    """The events from sequence number ``first`` to ``last``, both included, oldest first.

    Damaged places are left out; :func:`damages` names them. One segment is held in memory at a time.

    Raises:
        StoreError: the log cannot be read.
    """
    files = segment_files(folder)
    for index, path in enumerate(files):
        behind = _starts_at(files[index + 1]) if index + 1 < len(files) else None
        if behind is not None and behind <= first:
            continue
        for entry in segment_entries(path):
            if entry.sequence < first:
                continue
            if last is not None and entry.sequence > last:
                return
            yield entry


def segment_entries(path: Path) -> Iterator[Entry]:
    """The events of one segment."""
    data = read_segment(path)
    for begin, end in scan(path, data).frames:
        yield _entry(path, data[begin:end], begin)


def damages(folder: Path) -> Iterator[Damage]:
    """Every damaged place of a log, and every gap between its segments.

    Raises:
        StoreError: the log cannot be read.
    """
    expected: int | None = None
    for path in segment_files(folder):
        data = read_segment(path)
        found = scan(path, data)
        yield from found.damage
        if found.first is None:
            continue
        if expected is not None and found.first != expected:
            reason = f"the segment begins with event {found.first} where {expected} belongs"
            yield Damage(path, 0, reason, False)
        for begin, end in found.frames:
            try:
                decode_event(data[begin + STAMP.size : end])
            except DecodeError as error:
                yield Damage(path, begin, f"not an event: {error}", False)
        expected = found.next


def _first_sequence(data: bytes) -> int | None:
    if len(data) < HEAD.size:
        return None
    magic, first, checksum = HEAD.unpack_from(data)
    if magic != MAGIC or checksum != zlib.crc32(data[: HEAD.size - 4]):
        return None
    return int(first)


def _starts_at(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            return _first_sequence(file.read(HEAD.size))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from None


def _fault(data: bytes, at: int) -> str | None:
    """Why no whole frame lies at an offset, or None if one does."""
    left = len(data) - at
    if left < FRAME.size:
        return f"{left} octets where a frame has {FRAME.size} at least"
    length, checksum = FRAME.unpack_from(data, at)
    if not _LEAST_PAYLOAD <= length <= MAX_PAYLOAD:
        return f"an event cannot have {length} octets"
    if length > left - FRAME.size:
        return f"an event of {length} octets, {left - FRAME.size} are there"
    begin = at + FRAME.size
    return None if zlib.crc32(data[begin : begin + length]) == checksum else "the checksum differs"


def _next_whole(data: bytes, start: int, expected: int) -> int | None:
    """The next offset at which a whole frame lies whose number can follow."""
    for at in range(start, len(data) - FRAME.size - _LEAST_PAYLOAD + 1):
        # Three of the length's octets tell most wrong places apart before a checksum is made.
        if data[at + 3] == 0 and _fault(data, at) is None:
            sequence = int.from_bytes(data[at + 8 : at + 16], "little")
            if expected <= sequence < expected + len(data):
                return at
    return None


def _entry(path: Path, payload: bytes, offset: int) -> Entry:
    sequence, micros = STAMP.unpack_from(payload)
    kind, version = payload[STAMP.size : STAMP.size + 2]
    try:
        event = decode_event(payload[STAMP.size :])
    except DecodeError as error:
        raise StoreError(f"{path}, byte {offset}: not an event: {error}") from None
    return Entry(sequence, micros, kind, version, event)
