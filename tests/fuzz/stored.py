"""Targets that read what lies on disk, or came from a stranger's disk: archives and logs."""

from __future__ import annotations

import contextlib
import io
import struct
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from jamliquor.chain import events
from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import DecodeError
from jamliquor.store import segments
from jamliquor.store.archive import ArchiveReader
from tests.fuzz.octets import story
from tests.fuzz.target import Check, Target, demand
from tests.support.archives import write_archive

NAME = Path("from a stranger")


def _framed(data: bytes, start: int, head: struct.Struct) -> bytes:
    """The octets with the right checksum in every frame, or changes would never get past those.

    A frame's head ends with length and checksum; what comes before them is summed up too.
    """
    found = bytearray(data)
    at = start
    while at + head.size <= len(data):
        *kind, length, _ = head.unpack_from(data, at)
        end = at + head.size + length
        checksum = zlib.crc32(data[at + head.size : end], zlib.crc32(bytes(kind)))
        found[at + head.size - 4 : at + head.size] = checksum.to_bytes(4, "little")
        at = end
    return bytes(found)


def _archives() -> Check:
    head = struct.Struct("<BII")

    def check(data: bytes) -> None:
        for octets in (data, _framed(data, 8, head)):
            with contextlib.suppress(BadInput):
                reader = ArchiveReader(io.BytesIO(octets), NAME)
                for key, _ in reader.entries():
                    demand(len(key) == 31, "a key of another size")
                for _ in reader.blocks():
                    pass

    return check


def _archive_seeds() -> Iterable[bytes]:
    maker = story().maker
    with tempfile.TemporaryDirectory() as folder:
        few = maker.path(story().head.hash)[:2]
        yield write_archive(Path(folder) / "chain.jam", maker, few).read_bytes()


def _events() -> Check:
    def check(data: bytes) -> None:
        with contextlib.suppress(DecodeError):
            event = events.decode_event(data)
            demand(event is None or events.encode_event(event) == data, "not its own encoding")

    return check


def _event_seeds() -> Iterable[bytes]:
    seen = events.Received(bytes(32), bytes(32), 7, 100, b"chain.jam")
    yield events.encode_event(seen)
    for version in (1, 2):
        for kind in events.Kind:
            yield bytes([kind, version]) + bytes(200)


def _logs() -> Check:
    def check(data: bytes) -> None:
        for octets in (data, _framed(data, segments.HEAD.size, segments.FRAME)):
            found = segments.scan(NAME, octets)
            for begin, end in found.frames:
                demand(0 < begin < end <= len(octets), "a frame outside of the file")
                with contextlib.suppress(DecodeError):
                    events.decode_event(octets[begin + segments.STAMP.size : end])

    return check


def _log_seeds() -> Iterable[bytes]:
    payloads = [bytes(16) + seed for seed in _event_seeds()]
    yield segments.encode_head(0) + b"".join(map(segments.frame, payloads[:4]))
    yield segments.encode_head(2**63)


TARGETS = (
    Target("archives", _archives, _archive_seeds, 1 << 15),
    Target("events", _events, _event_seeds, 512),
    Target("event-logs", _logs, _log_seeds, 4096),
)
