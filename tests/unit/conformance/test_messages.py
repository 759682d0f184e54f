"""Octets to messages: whole, in pieces, and broken."""

from __future__ import annotations

import pytest

from jamliquor.conformance import messages
from jamliquor.conformance.messages import (
    AncestryItem,
    BrokenMessage,
    Error,
    GetState,
    ImportBlock,
    Initialize,
    Message,
    MessageReader,
    PeerInfo,
    StateRoot,
    Version,
)
from jamliquor.params import TINY
from jamliquor.state.state import State
from tests.support.target import HANDSHAKE, initialize_message, unframed
from tests.support.traces import BLOCK, raw_state

ANY = frozenset(range(256))
# Values of every size of length prefix, one larger than a portion of the reader.
ENTRIES = tuple(
    (bytes((index,)) * 31, bytes((index,)) * size)
    for index, size in enumerate((0, 1, 127, 128, 16383, 16384, (1 << 20) + 1, 3))
)


def reader() -> MessageReader:
    made = MessageReader(TINY, ANY)
    made.trusted = True
    return made


def read(data: bytes, step: int | None = None) -> list[Message]:
    """All messages in ``data``, fed in pieces of ``step`` octets."""
    found: list[Message] = []
    made = reader()
    for at in range(0, len(data), step or len(data)):
        made.feed(data[at : at + (step or len(data))])
        while (message := made.next()) is not None:
            found.append(message)
    assert made.held == 0 and not made.incomplete
    return found


def test_examples_of_the_specification() -> None:
    info = bytes.fromhex("0001020000000007000001190666757a7a6572")
    told = PeerInfo(1, 2, Version(0, 7, 0), Version(0, 1, 25), b"fuzzer")
    assert unframed(messages.encode_peer_info(TINY, told)) == info
    assert read(messages.frame(info[0], info[1:])) == [told]
    text = "Chain error: block execution failure: preimages error: preimage not required"
    assert unframed(messages.encode_error(text))[:10].hex() == "ff4c436861696e206572"
    assert read(messages.encode_error(text)) == [Error(text)]


@pytest.mark.parametrize("step", [None, 1, 2, 3, 5, 100, 65536])
def test_messages_in_pieces(step: int | None) -> None:
    small = (
        HANDSHAKE
        + messages.frame(messages.STATE_ROOT, b"r" * 32)
        + messages.frame(messages.IMPORT_BLOCK, b"block")
        + initialize_message()
        + messages.frame(messages.GET_STATE, b"h" * 32)
    )
    info, root, block, start, get = read(small, step)
    assert isinstance(info, PeerInfo) and isinstance(start, Initialize)
    assert (root, block, get) == (StateRoot(b"r" * 32), ImportBlock(b"block"), GetState(b"h" * 32))
    assert start.header == BLOCK.header


@pytest.mark.parametrize("step", [None, 1000, 65537])
def test_state_there_and_back(step: int | None) -> None:
    size = messages.entries_size(ENTRIES)
    [state] = read(b"".join(messages.encode_state(ENTRIES, *size)), step)
    assert isinstance(state, State)
    assert state.root == raw_state(ENTRIES).state_root and tuple(state.items()) == ENTRIES
    ancestry = (AncestryItem(7, b"a" * 32), AncestryItem(6, b"b" * 32))
    sent = messages.encode_initialize(TINY, BLOCK.header, ENTRIES, *size, ancestry)
    [start] = read(b"".join(sent), step)
    assert isinstance(start, Initialize)
    assert (start.header, start.state.root, start.ancestry) == (BLOCK.header, state.root, ancestry)


def test_state_is_not_held_while_it_comes() -> None:
    entries = tuple((index.to_bytes(31, "big"), bytes(2000)) for index in range(4000))
    data = b"".join(messages.encode_state(entries, *messages.entries_size(entries)))
    made = reader()
    for at in range(0, len(data) - 65536, 65536):
        made.feed(data[at : at + 65536])
        assert made.next() is None and made.streaming
        assert made.held < 2 << 20


def test_only_a_handshake_may_come_first() -> None:
    made = MessageReader(TINY, ANY)
    made.feed(b"\x21\0\0\0\x04")
    with pytest.raises(BrokenMessage, match="kind 4 may not come"):
        made.next()


def test_empty_state() -> None:
    [state] = read(messages.frame(messages.STATE, b"\0"))
    assert isinstance(state, State) and state.root == bytes(32)


def test_long_error_is_cut_between_letters() -> None:
    [error] = read(messages.encode_error("ü" * 1000))
    assert error == Error("ü" * 512)


INITIALIZE = unframed(initialize_message())
TWICE = ((b"k" * 31, b"1"), (b"k" * 31, b"2"))
FAR_APART = ((b"k" * 31, b"1"), *ENTRIES, (b"k" * 31, b"2"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xff\xff\xff\x00", id="4 GB handshake"),
        pytest.param(b"\xff\xff\xff\xff\x01", id="4 GB state"),
        pytest.param(b"\xff\xff\xff\xff\x03", id="4 GB block"),
        pytest.param(b"\0\0\0\0\x03", id="no discriminator"),
        pytest.param(b"\x01\0\0\0\x07", id="unknown discriminator"),
        pytest.param(messages.frame(messages.GET_STATE, bytes(31)), id="short hash"),
        pytest.param(messages.frame(messages.STATE_ROOT, bytes(33)), id="long hash"),
        pytest.param(messages.frame(messages.PEER_INFO, b"\1"), id="cut handshake"),
        pytest.param(messages.frame(messages.PEER_INFO, unframed(HANDSHAKE)[1:] + b"x"), id="tail"),
        pytest.param(messages.frame(messages.INITIALIZE, b"\xff" * 2000), id="garbage as state"),
        pytest.param(messages.frame(messages.INITIALIZE, INITIALIZE[1:-1]), id="cut state"),
        pytest.param(messages.frame(messages.INITIALIZE, INITIALIZE[1:] + b"x"), id="state's tail"),
        pytest.param(messages.frame(messages.STATE, b"\x02" + bytes(32)), id="entries missing"),
        pytest.param(messages.frame(messages.STATE, b"\x01" + bytes(31) + b"\x05xx"), id="value cut"),
        pytest.param(
            messages.frame(messages.STATE, b"\x01" + bytes(31) + b"\x80\x05" + bytes(5)),
            id="length not in its shortest form",
        ),
        pytest.param(initialize_message(TWICE), id="key twice"),
        pytest.param(initialize_message(FAR_APART), id="key twice, far apart"),
    ],
)
@pytest.mark.parametrize("step", [None, 1000])
def test_broken(data: bytes, step: int | None) -> None:
    with pytest.raises(BrokenMessage):
        read(data, step)
