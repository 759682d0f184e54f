"""The messages of the conformance protocol (fuzz-protocol version 1): octets in, values out, no I/O.

A message is a length of four octets, a discriminator, and a body. Messages that hold a whole state
are read as they arrive: their entries go into the trie portion by portion, so a state costs its trie
and little more. Everything else has a bound that is checked before anything is kept.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

from jamliquor.codec import U8, U32, Hash, codec, runtime
from jamliquor.errors import DecodeError, JamliquorError
from jamliquor.params import ChainParams
from jamliquor.state.state import State
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.types.header import Header

FUZZ_VERSION = 1

FEATURE_ANCESTRY = 1
FEATURE_FORKS = 2

PEER_INFO = 0
INITIALIZE = 1
STATE_ROOT = 2
IMPORT_BLOCK = 3
GET_STATE = 4
STATE = 5
ERROR = 255

LENGTH_OCTETS = 4

_MAX_SMALL = 1024
_MAX_ERROR = 64 << 10
_MAX_STATE = 256 << 20
_BLOCK_BASE = 16 << 20
_BLOCK_CORE = 64 << 10

# Entries go into the trie, and out of it, in portions of about this many octets.
_PORTION = 1 << 20
_OUT_PORTION = 1 << 16


class BrokenMessage(JamliquorError):
    """What came is no message of the protocol, or none that may come now: the connection is over."""


class Version(NamedTuple):
    """A version of JAM or of an application."""

    major: U8
    minor: U8
    patch: U8

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


class PeerInfo(NamedTuple):
    """Who speaks: the first message of each side.

    Attributes:
        features: the sum of ``FEATURE_ANCESTRY`` and ``FEATURE_FORKS`` as far as supported.
        name: UTF-8 text.
    """

    version: U8
    features: U32
    jam_version: Version
    app_version: Version
    name: bytes


class AncestryItem(NamedTuple):
    """A header that precedes the first block."""

    slot: U32
    header_hash: Hash


_Ancestry = tuple[AncestryItem, ...]


class Initialize(NamedTuple):
    """Start over from this state, which the header's hash names."""

    header: Header
    state: State
    ancestry: tuple[AncestryItem, ...]


class ImportBlock(NamedTuple):
    """Import the block that these octets should be."""

    octets: bytes


class GetState(NamedTuple):
    """Send the state after the block with this header hash."""

    header_hash: bytes


class StateRoot(NamedTuple):
    """The root of the state that a request led to."""

    root: bytes


class Error(NamedTuple):
    """The block was not imported, and why."""

    text: str


Message = PeerInfo | Initialize | StateRoot | ImportBlock | GetState | State | Error


def frame(tag: int, body: bytes) -> bytes:
    """A message with its length in front."""
    return (1 + len(body)).to_bytes(LENGTH_OCTETS, "little") + bytes((tag,)) + body


def encode_peer_info(params: ChainParams, info: PeerInfo) -> bytes:
    """The handshake message."""
    return frame(PEER_INFO, codec(PeerInfo, params).encode(info))


def encode_error(text: str) -> bytes:
    """An error message; a long text is cut."""
    octets = text.encode()[:_MAX_SMALL].decode(errors="ignore").encode()
    return frame(ERROR, runtime.encode_natural(len(octets)) + octets)


def encode_state(entries: Iterable[tuple[bytes, bytes]], count: int, size: int) -> Iterator[bytes]:
    """A state message in portions, made as they are taken.

    Args:
        entries: keys and values.
        count: how many entries there are.
        size: as :func:`entries_size` has it.
    """
    head = runtime.encode_natural(count)
    length = 1 + len(head) + size
    yield length.to_bytes(LENGTH_OCTETS, "little") + bytes((STATE,)) + head
    yield from encode_entries(entries)


def encode_initialize(
    params: ChainParams,
    header: Header,
    entries: Iterable[tuple[bytes, bytes]],
    count: int,
    size: int,
    ancestry: tuple[AncestryItem, ...] = (),
) -> Iterator[bytes]:
    """An initialize message in portions; the arguments are those of :func:`encode_state`."""
    head = codec(Header, params).encode(header) + runtime.encode_natural(count)
    tail = codec(_Ancestry, params).encode(ancestry)
    length = 1 + len(head) + size + len(tail)
    yield length.to_bytes(LENGTH_OCTETS, "little") + bytes((INITIALIZE,)) + head
    yield from encode_entries(entries)
    yield tail


def entries_size(entries: Iterable[tuple[bytes, bytes]]) -> tuple[int, int]:
    """How many entries there are, and how many octets :func:`encode_entries` makes of them."""
    count = size = 0
    for _, value in entries:
        count += 1
        size += KEY_BYTES + len(runtime.encode_natural(len(value))) + len(value)
    return count, size


def encode_entries(entries: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Keys and values as messages and trace files have them, in portions of some 64 KiB."""
    portion: list[bytes] = []
    size = 0
    for key, value in entries:
        portion += (key, runtime.encode_natural(len(value)), value)
        size += KEY_BYTES + len(value)
        if size >= _OUT_PORTION:
            yield b"".join(portion)
            portion.clear()
            size = 0
    if portion:
        yield b"".join(portion)


def header_bound(params: ChainParams) -> int:
    """Octets within which every header lies that a chain with these parameters can have."""
    return 4096 + 128 * params.validator_count + 64 * params.epoch_length


def block_bound(params: ChainParams) -> int:
    """Octets that a block may have here: preimages of 16 MiB, and every core's largest report."""
    return _BLOCK_BASE + _BLOCK_CORE * params.core_count


class MessageReader:
    """Cuts a stream of octets into messages.

    Octets go in with :meth:`feed`; :meth:`next` gives the messages that are complete. It holds one
    incomplete message at most, plus what came behind it.

    Attributes:
        trusted: whether messages other than the handshake may come; set it after the handshake.

    Args:
        params: the chain's parameters.
        expected: discriminators that may come once the handshake is done.
    """

    def __init__(self, params: ChainParams, expected: frozenset[int]) -> None:
        self.trusted = False
        self._params = params
        self._expected = expected
        self._buffer = bytearray()
        self._streamed: Generator[int, None, Message] | None = None
        self._needed = LENGTH_OCTETS + 1

    @property
    def held(self) -> int:
        """Octets that wait for the rest of their message."""
        return len(self._buffer)

    @property
    def streaming(self) -> bool:
        """Whether a state is on its way in."""
        return self._streamed is not None

    @property
    def incomplete(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._streamed is not None or len(self._buffer) > 0

    def feed(self, data: bytes | memoryview) -> None:
        """Take octets as they came."""
        self._buffer += data

    def next(self) -> Message | None:
        """The next complete message, or None until more octets come.

        Raises:
            BrokenMessage: no message can come of this any more; drop the connection.
        """
        buffer = self._buffer
        if len(buffer) < self._needed:
            return None
        if self._streamed is not None:
            return self._advance(self._streamed)
        length = int.from_bytes(buffer[:LENGTH_OCTETS], "little")
        tag = buffer[LENGTH_OCTETS]
        self._check(tag, length)
        if tag in (INITIALIZE, STATE):
            del buffer[: LENGTH_OCTETS + 1]
            reading = self._initialize if tag == INITIALIZE else self._state
            self._streamed = reading(length - 1)
            return self._advance(self._streamed)
        end = LENGTH_OCTETS + length
        if len(buffer) < end:
            self._needed = end
            return None
        with memoryview(buffer) as view:
            body = bytes(view[LENGTH_OCTETS + 1 : end])
        del buffer[:end]
        self._needed = LENGTH_OCTETS + 1
        return self._small(tag, body)

    def _check(self, tag: int, length: int) -> None:
        """What the first five octets tell already."""
        if tag != PEER_INFO if not self.trusted else tag not in self._expected:
            raise BrokenMessage(f"a message of kind {tag} may not come now")
        bounds = {
            INITIALIZE: _MAX_STATE,
            STATE: _MAX_STATE,
            IMPORT_BLOCK: block_bound(self._params),
            ERROR: _MAX_ERROR,
        }
        most = bounds.get(tag, _MAX_SMALL)
        if not 0 < length <= most:
            raise BrokenMessage(f"a message of kind {tag} has at most {most} octets, not {length}")

    def _advance(self, streamed: Generator[int, None, Message]) -> Message | None:
        try:
            while True:
                self._needed = next(streamed)
                if len(self._buffer) < self._needed:
                    return None
        except StopIteration as done:
            self._streamed = None
            self._needed = LENGTH_OCTETS + 1
            message: Message = done.value
            return message
        except DecodeError as error:
            raise BrokenMessage(str(error)) from None

    def _small(self, tag: int, body: bytes) -> Message:
        if tag == IMPORT_BLOCK:
            return ImportBlock(body)
        try:
            if tag == PEER_INFO:
                return codec(PeerInfo, self._params).decode(body)
            if tag == ERROR:
                return Error(codec(bytes, self._params).decode(body).decode(errors="replace"))
        except DecodeError as error:
            raise BrokenMessage(str(error)) from None
        if len(body) != 32:
            raise BrokenMessage(f"a message of kind {tag} has a hash, not {len(body)} octets")
        return StateRoot(body) if tag == STATE_ROOT else GetState(body)

    def _state(self, left: int) -> Generator[int, None, State]:
        """Read a state message with ``left`` octets; yields how many octets it waits for."""
        state, left = yield from self._entries(left)
        if left:
            raise BrokenMessage(f"{left} octets behind the state")
        return state

    def _initialize(self, left: int) -> Generator[int, None, Initialize]:
        """Read an initialize message with ``left`` octets; yields as :meth:`_state`."""
        waited = min(left, header_bound(self._params))
        yield waited
        head = bytes(self._buffer[:waited])
        header, end = codec(Header, self._params).decode_prefix(head)
        del self._buffer[:end]
        state, left = yield from self._entries(left - end)
        if left > 9 + 36 * self._params.max_lookup_anchor_age:
            raise BrokenMessage(f"{left} octets behind the state are too many for an ancestry")
        yield left
        ancestry = codec(_Ancestry, self._params).decode(bytes(self._buffer[:left]))
        del self._buffer[:left]
        return Initialize(header, state, ancestry)

    def _entries(self, left: int) -> Generator[int, None, tuple[State, int]]:
        """Read entries into a state; returns it and how many of the ``left`` octets stay."""
        yield min(left, 9)
        count, end = self._natural(0, left)
        del self._buffer[:end]
        left -= end
        if count * (KEY_BYTES + 1) > left:
            raise BrokenMessage(f"{count} entries announced, {left} octets left")
        trie = Trie.empty()
        remaining = count
        while remaining:
            yield min(left, _PORTION)
            portion: dict[bytes, bytes | None] = {}
            at = yield from self._portion(portion, remaining, left)
            remaining -= len(portion)
            del self._buffer[:at]
            left -= at
            trie = trie.apply(portion)
        if len(trie) != count:
            raise BrokenMessage("the state names a key twice")
        return State(self._params, trie), left

    def _portion(
        self, portion: dict[bytes, bytes | None], remaining: int, left: int
    ) -> Generator[int, None, int]:
        """Read the entries that are there, at least one; returns where the last one ends."""
        buffer = self._buffer
        at = 0
        while len(portion) < remaining and at < _PORTION:
            if at and len(buffer) < min(left, at + KEY_BYTES + 9):
                break
            size, begin = self._natural(at + KEY_BYTES, left)
            end = begin + size
            if end > left:
                raise BrokenMessage(f"a value of {size} octets announced, {left - begin} left")
            if end > len(buffer):
                if portion:
                    break
                yield end
            key = bytes(buffer[at : at + KEY_BYTES])
            if key in portion:
                raise BrokenMessage("the state names a key twice")
            portion[key] = bytes(buffer[begin:end])
            at = end
        return at

    def _natural(self, at: int, left: int) -> tuple[int, int]:
        """The natural at a position of the buffer and where it ends, within ``left`` octets."""
        head = bytes(self._buffer[at : min(at + 9, left)])
        try:
            value, length = runtime.decode_natural(head, 0)
        except (IndexError, runtime.Refusal):
            raise BrokenMessage("a malformed length within a state") from None
        return value, at + length
