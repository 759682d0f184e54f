"""Snapshots: the state after one block in one portable file, written and read as a stream.

A snapshot begins with seven octets that name the format and one that is its version. Frames follow:
kind (1), size as stored (4, little-endian), size when unpacked (4), a BLAKE3 checksum (32) of these
nine octets and the payload, the payload. In this order they hold

1. ``head``: what is in :class:`_Head`, not packed;
2. ``entries``, any number: entries in key order, packed (see :mod:`jamliquor.state.stream`), cut
   behind the entry that makes a chunk reach 256 KiB;
3. ``ancestors``, any number: the headers before the block that lookup anchors may still name, newest
   first, packed and cut likewise: whether a ticket sealed it (1), its size (4), the header;
4. ``end``: a BLAKE3 checksum of all checksums before. A snapshot without it was cut short.

Nothing in it depends on who writes it or when: two boards write the same file for the same block.
Neither reading nor writing holds more than one chunk, and the ancestors' records, in memory.
"""

from __future__ import annotations

import enum
import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

from jamliquor._native import check, ffi, lib, take_buffer
from jamliquor.chain.record import BlockRecord
from jamliquor.chain_spec import ENCODED_SIZE, decode_params, encode_params
from jamliquor.codec import U32, U64, FixedBytes, Hash, codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.hashing import blake2b, blake3
from jamliquor.errors import DecodeError
from jamliquor.params import FULL, NAMED, ChainParams
from jamliquor.state.stream import Portion, SortedRoot
from jamliquor.types.header import Header

MAGIC: Final = b"jamsnp\0"
VERSION: Final = 1
CHUNK_OCTETS: Final = 256 << 10

FRAME: Final = struct.Struct("<BII32s")
_SIZES: Final = struct.Struct("<BII")
_MAX_PAYLOAD: Final = 96 << 20
_TRUNCATED: Final = "the snapshot was cut short: fetch it again"
_DAMAGED: Final = "the snapshot is damaged: fetch it again"


class Kind(enum.IntEnum):
    """What a frame holds."""

    HEAD = 1
    ENTRIES = 2
    ANCESTORS = 3
    END = 4


class _Head(NamedTuple):
    chain: bytes
    params: Annotated[bytes, FixedBytes(ENCODED_SIZE)]
    genesis: Hash
    state_root: Hash
    ticketed: bool
    entries: U64
    ancestors: U32
    header: bytes


class Contents(NamedTuple):
    """What a snapshot is of.

    Attributes:
        genesis: hash of the chain's first header.
        record: the block's; its number is that of the ancestors.
        entries: how many entries the state has.
        ancestors: how many headers before the block follow.
    """

    params: ChainParams
    genesis: bytes
    record: BlockRecord
    entries: int
    ancestors: int


def encode_contents(contents: Contents) -> bytes:
    """The payload of the head."""
    record = contents.record
    head = _Head(
        contents.params.name.encode(),
        encode_params(contents.params),
        contents.genesis,
        record.state_root,
        record.ticketed,
        contents.entries,
        contents.ancestors,
        record.header,
    )
    return codec(_Head, FULL).encode(head)


def frame(kind: Kind, payload: bytes, *, packed: bool = True) -> tuple[bytes, bytes]:
    """A frame and its checksum."""
    stored = pack(payload) if packed else payload
    sizes = _SIZES.pack(kind, len(stored), len(payload))
    checksum = blake3(sizes + stored)
    return sizes + checksum + stored, checksum


def pack(data: bytes) -> bytes:
    """A raw DEFLATE stream, the same for the same data on every platform."""
    out = ffi.new("struct JamBuffer **")
    check(lib.jam_pack(data, len(data), out))
    return take_buffer(out[0])


def unpack(packed: bytes, size: int) -> bytes:
    """What :func:`pack` made of ``size`` octets.

    Raises:
        ValueError: it did not make this.
    """
    out = ffi.new("struct JamBuffer **")
    check(lib.jam_unpack(packed, len(packed), size, out))
    return take_buffer(out[0])


class SnapshotReader:
    """Reads a snapshot from an open file or a pipe, forwards only, and checks all it reads.

    Args:
        file: at the snapshot's first octet.
        name: what to call it in errors.

    Attributes:
        contents: what the head says.
        offset: position of the next frame.

    Raises:
        BadInput: this is no snapshot, one of a newer version, a damaged one; so may every method.
    """

    def __init__(self, file: BinaryIO, name: Path) -> None:
        self._file = file
        self._name = name
        self._read_ahead: tuple[Kind, bytes] | None = None
        self._root: SortedRoot | None = SortedRoot()
        self._checksums = bytearray()
        self.offset = 0
        self._check_version()
        self.contents = self._head()

    def portions(self) -> Iterator[Portion]:
        """The entries, as portions in key order; at the end their root and number are right."""
        root, self._root = self._root, None
        if root is None:
            return
        while (payload := self._next_of(Kind.ENTRIES)) is not None:
            try:
                count = root.push(payload)
            except ValueError as error:
                raise self._error(str(error)) from None
            yield Portion(count, payload)
        wanted = self.contents.record.state_root
        if root.count != self.contents.entries:
            raise self._error(f"{root.count} entries where {self.contents.entries} are announced")
        if root.root != wanted:
            raise self._error(f"the state root is 0x{root.root.hex()}, not 0x{wanted.hex()}")

    def ancestors(self) -> Iterator[BlockRecord]:
        """Records of the blocks before, newest first; then everything was there."""
        deque(self.portions(), maxlen=0)
        child = self._header(self.contents.record.header)
        number = self.contents.ancestors
        while (payload := self._next_of(Kind.ANCESTORS)) is not None:
            for ticketed, encoded in self._headers(payload):
                number -= 1
                if number < 0 or blake2b(encoded) != child.parent:
                    raise self._error("an ancestor is not the parent of the block before it")
                header = self._header(encoded)
                yield BlockRecord(
                    child.parent,
                    header.parent,
                    header.slot,
                    number,
                    child.parent_state_root,
                    ticketed,
                    encoded,
                )
                child = header
        if number:
            raise self._error(f"{number} of {self.contents.ancestors} ancestors are missing")
        self._end()

    def verify(self) -> None:
        """Read everything to the end."""
        deque(self.ancestors(), maxlen=0)

    def next_frame(self) -> tuple[Kind, bytes]:
        """The next frame, whatever it is, with its payload unpacked."""
        head = self._take(FRAME.size)
        kind, stored, size, checksum = FRAME.unpack(head)
        if kind not in list(Kind) or max(stored, size) > _MAX_PAYLOAD:
            raise self._error(f"no chunk begins here (kind {kind}, {stored} octets)")
        payload = self._take(stored)
        if blake3(head[: _SIZES.size] + payload) != checksum:
            raise self._error("the checksum of a chunk differs")
        if kind in (Kind.ENTRIES, Kind.ANCESTORS):
            try:
                payload = unpack(payload, size)
            except ValueError as error:
                raise self._error(str(error)) from None
        self.offset += len(head) + stored
        if kind != Kind.END:
            self._checksums += checksum
        return Kind(kind), payload

    @property
    def checksums(self) -> bytes:
        """Those of all frames so far, one after the other."""
        return bytes(self._checksums)

    def _check_version(self) -> None:
        start = self._read(len(MAGIC) + 1)
        if start[: len(MAGIC)] != MAGIC[: len(start)]:
            raise self._error("this is no snapshot", "name a file that snapshot create made")
        if len(start) <= len(MAGIC):
            raise self._error("nothing behind the first octets", _TRUNCATED)
        self.offset = len(start)
        if start[-1] != VERSION:
            advice = "update jamliquor" if start[-1] > VERSION else _DAMAGED
            raise self._error(f"format {start[-1]}, this version reads format {VERSION}", advice)

    def _head(self) -> Contents:
        kind, payload = self.next_frame()
        if kind != Kind.HEAD:
            raise self._error(f"{kind.name.lower()} where the head belongs")
        try:
            head = codec(_Head, FULL).decode(payload)
            name = head.chain.decode()
            params = decode_params(head.params, name)
            header = codec(Header, params).decode(head.header)
        except (DecodeError, UnicodeDecodeError) as error:
            raise self._error(f"the head: {error}") from None
        record = BlockRecord(
            blake2b(head.header),
            header.parent,
            header.slot,
            head.ancestors,
            head.state_root,
            head.ticketed,
            head.header,
        )
        known = NAMED.get(name)
        params = known if known == params else params
        if head.ancestors > params.max_lookup_anchor_age:
            raise self._error(f"{head.ancestors} ancestors are more than anchors may name")
        return Contents(params, head.genesis, record, head.entries, head.ancestors)

    def _headers(self, payload: bytes) -> Iterator[tuple[bool, bytes]]:
        at = 0
        while at < len(payload):
            end = at + 5 + int.from_bytes(payload[at + 1 : at + 5], "little")
            if end > len(payload) or payload[at] > 1:
                raise self._error("an ancestor is malformed")
            yield bool(payload[at]), payload[at + 5 : end]
            at = end

    def _header(self, encoded: bytes) -> Header:
        try:
            return codec(Header, self.contents.params).decode(encoded)
        except DecodeError as error:
            raise self._error(f"a header: {error}") from None

    def _end(self) -> None:
        payload = self._next_of(Kind.END)
        if payload is None:
            raise self._error("chunks are in the wrong order")
        if payload != blake3(self.checksums):
            raise self._error("the checksum of the whole differs")
        if self._read(1):
            raise self._error("octets behind the end")

    def _next_of(self, kind: Kind) -> bytes | None:
        """The next frame's payload if it is of that kind; otherwise the frame stays."""
        if self._read_ahead is None:
            self._read_ahead = self.next_frame()
        found, payload = self._read_ahead
        if found != kind:
            return None
        self._read_ahead = None
        return payload

    def _take(self, count: int) -> bytes:
        octets = self._read(count)
        if len(octets) != count:
            raise self._error(f"{count} octets announced, {len(octets)} left", _TRUNCATED)
        return octets

    def _read(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise BadInput(f"cannot be read: {error.strerror}", self._name) from None

    def _error(self, reason: str, advice: str = _DAMAGED) -> BadInput:
        return BadInput(reason, self._name, offset=self.offset, advice=advice)
