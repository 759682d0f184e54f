"""Chain archives: a genesis and blocks in one file, written and read as a stream.

An archive begins with eight octets that name format and version. Frames follow: kind (1), length of
the payload (4, little-endian), CRC-32 of kind and payload (4), payload. In this order they hold

1. ``chain``: the chain's name behind its length, then its parameters as ``fetch`` encodes them;
2. ``genesis``: the root of the first state, then the encoded header it stands for;
3. ``entries``, any number: keys of 31 octets, each with its value behind its length;
4. ``block``, any number: an encoded block. They may lie in any order, but a block whose parent comes
   later has to wait for it, and few may wait;
5. ``end``: how many blocks there are. An archive without it was cut short.

Lengths and counts inside payloads are naturals as in appendix C.1.1. Neither reading nor writing
holds more than one frame in memory.
"""

from __future__ import annotations

import enum
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, BinaryIO, Final, NamedTuple

from jamliquor.chain_spec import ENCODED_SIZE, decode_params, encode_params
from jamliquor.codec import FixedBytes, Natural, codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import DecodeError, StoreError
from jamliquor.params import FULL, NAMED, ChainParams
from jamliquor.types.header import Header
from jamliquor.types.trace import KeyValue

MAGIC: Final = b"jamchn\0\1"
_HEAD: Final = struct.Struct("<BII")
_MAX_PAYLOAD: Final = 64 << 20
_ENTRIES_OCTETS: Final = 64 << 10
_TRUNCATED: Final = "the archive was cut short: fetch it again"
_DAMAGED: Final = "the archive is damaged: fetch it again"


class Kind(enum.IntEnum):
    """What a frame holds."""

    CHAIN = 1
    GENESIS = 2
    ENTRIES = 3
    BLOCK = 4
    END = 5


class _Chain(NamedTuple):
    name: bytes
    params: Annotated[bytes, FixedBytes(ENCODED_SIZE)]


class _End(NamedTuple):
    blocks: Natural


class ArchiveWriter:
    """Writes an archive to a file beside its place, and puts it there when it is complete.

    Use it as a context manager; an error within leaves no file.

    Args:
        path: where the archive will be; one that is there is replaced.
        params: the chain's parameters.
        header: the genesis header.
        state_root: root of the state it stands for.

    Raises:
        StoreError: the file cannot be written; so may every method.
    """

    def __init__(self, path: Path, params: ChainParams, header: Header, state_root: bytes) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._blocks = 0
        try:
            self._file = self._part.open("xb")
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from None
        self._write(MAGIC)
        chain = _Chain(params.name.encode(), encode_params(params))
        self._frame(Kind.CHAIN, codec(_Chain, FULL).encode(chain))
        self._frame(Kind.GENESIS, state_root + codec(Header, params).encode(header))

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._frame(Kind.END, codec(_End, FULL).encode(_End(self._blocks)))
                self._file.flush()
                os.fsync(self._file.fileno())
                self._part.replace(self._path)
        except OSError as failure:
            raise self._failure(failure) from None
        finally:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def entries(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Write the entries of the genesis state; before any block."""
        encode = codec(KeyValue, FULL).encode
        portion: list[bytes] = []
        size = 0
        for key, value in entries:
            encoded = encode(KeyValue(key, value))
            portion.append(encoded)
            size += len(encoded)
            if size >= _ENTRIES_OCTETS:
                self._frame(Kind.ENTRIES, b"".join(portion))
                portion.clear()
                size = 0
        if portion:
            self._frame(Kind.ENTRIES, b"".join(portion))

    def block(self, block: bytes) -> None:
        """Write an encoded block."""
        self._frame(Kind.BLOCK, block)
        self._blocks += 1

    def _frame(self, kind: Kind, payload: bytes) -> None:
        checksum = zlib.crc32(payload, zlib.crc32(bytes((kind,))))
        self._write(_HEAD.pack(kind, len(payload), checksum) + payload)

    def _write(self, octets: bytes) -> None:
        try:
            self._file.write(octets)
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> StoreError:
        return StoreError(f"{self._path}: cannot be written: {error.strerror}")


class ArchiveReader:
    """Reads an archive from an open file or a pipe, forwards only.

    Args:
        file: at the archive's first octet.
        name: what to call it in errors.

    Attributes:
        params: the chain's parameters.
        header: the genesis header.
        encoded_header: its encoding.
        state_root: root of the state it stands for.

    Raises:
        BadInput: this is no archive, or a damaged one; so may every method.
    """

    def __init__(self, file: BinaryIO, name: Path) -> None:
        self._file = file
        self._name = name
        self._offset = 0
        self._pending: tuple[int, bytes] | None = None
        if self._read(len(MAGIC)) != MAGIC:
            raise self._error("this is no chain archive of format 1", "name a .jam file")
        self.params = self._chain()
        payload = self._expect(Kind.GENESIS)
        self.state_root, self.encoded_header = payload[:32], payload[32:]
        try:
            self.header = codec(Header, self.params).decode(self.encoded_header)
        except DecodeError as error:
            raise self._error(f"the genesis header: {error}") from None

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """The entries of the genesis state; read them before the blocks, or they are passed over."""
        decode = codec(KeyValue, FULL).decode_prefix
        while (payload := self._next_of(Kind.ENTRIES)) is not None:
            at = 0
            while at < len(payload):
                try:
                    entry, at = decode(payload, at)
                except DecodeError as error:
                    raise self._error(f"an entry: {error}") from None
                yield entry.key, entry.value

    def blocks(self) -> Iterator[bytes]:
        """The encoded blocks, to the end; then everything was there."""
        for _ in self.entries():
            pass
        count = 0
        while (payload := self._next_of(Kind.BLOCK)) is not None:
            count += 1
            yield payload
        try:
            announced = codec(_End, FULL).decode(self._expect(Kind.END)).blocks
        except DecodeError as error:
            raise self._error(f"the end: {error}") from None
        if announced != count:
            raise self._error(f"{count} blocks where {announced} were written")

    def _chain(self) -> ChainParams:
        try:
            chain = codec(_Chain, FULL).decode(self._expect(Kind.CHAIN))
            name = chain.name.decode()
            params = decode_params(chain.params, name)
        except (DecodeError, UnicodeDecodeError) as error:
            raise self._error(f"the chain's parameters: {error}") from None
        known = NAMED.get(name)
        return known if known == params else params

    def _expect(self, kind: Kind) -> bytes:
        payload = self._next_of(kind)
        if payload is None:
            found = self._pending[0] if self._pending else 0
            raise self._error(f"a frame of kind {found} where {kind.name.lower()} belongs")
        return payload

    def _next_of(self, kind: Kind) -> bytes | None:
        """The next frame's payload if it is of that kind; otherwise the frame stays."""
        if self._pending is None:
            self._pending = self._frame()
        if self._pending[0] != kind:
            return None
        payload = self._pending[1]
        self._pending = None
        return payload

    def _frame(self) -> tuple[int, bytes]:
        kind, length, checksum = _HEAD.unpack(self._exactly(_HEAD.size))
        if kind not in list(Kind) or length > _MAX_PAYLOAD:
            raise self._error(f"no frame begins here (kind {kind}, {length} octets)")
        payload = self._exactly(length)
        if zlib.crc32(payload, zlib.crc32(bytes((kind,)))) != checksum:
            raise self._error("the checksum differs")
        return kind, payload

    def _exactly(self, count: int) -> bytes:
        octets = self._read(count)
        if len(octets) != count:
            raise self._error(f"{count} octets announced, {len(octets)} left", _TRUNCATED)
        return octets

    def _read(self, count: int) -> bytes:
        try:
            octets = self._file.read(count)
        except OSError as error:
            raise BadInput(f"cannot be read: {error.strerror}", self._name) from None
        self._offset += len(octets)
        return octets

    def _error(self, reason: str, advice: str = _DAMAGED) -> BadInput:
        return BadInput(reason, self._name, offset=self._offset, advice=advice)
