"""One conversation: order of messages, features, refusals, host failures; on either store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jamliquor.chain import importer
from jamliquor.chain.importer import Imported
from jamliquor.codec import codec
from jamliquor.conformance import messages
from jamliquor.conformance.disk_chain import DiskHome
from jamliquor.conformance.keeping import InMemory, Keeper
from jamliquor.conformance.messages import (
    AncestryItem,
    BrokenMessage,
    GetState,
    ImportBlock,
    Initialize,
    PeerInfo,
    StateRoot,
    Version,
)
from jamliquor.conformance.session import Session
from jamliquor.errors import DecodeError, HostError, ReportsError
from jamliquor.params import TINY
from jamliquor.pvm.reference import ReferenceEngine
from jamliquor.state.state import State
from jamliquor.stf.header import encode as encode_header
from jamliquor.types.block import Block
from tests.support.target import unframed
from tests.support.traces import BLOCK, minimal_state, raw_state

HEAD = encode_header(TINY, BLOCK.header).hash
CHILD = BLOCK._replace(header=BLOCK.header._replace(parent=HEAD, slot=8))


KEEPER: Keeper = InMemory()
"""Where the sessions of a test keep their states."""


@pytest.fixture(params=["memory", "disk"], autouse=True)
def keeper(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    if request.param == "memory":
        yield
        return
    with DiskHome(tmp_path / "home", TINY) as home:
        monkeypatch.setattr(sys.modules[__name__], "KEEPER", home)
        yield


def state() -> State:
    return State.from_entries(TINY, minimal_state().entries)


def info(features: int = 3, version: int = 1) -> PeerInfo:
    return PeerInfo(version, features, Version(0, 7, 2), Version(1, 2, 3), b"peer")


def session() -> Session:
    return Session(TINY, ReferenceEngine(), "jamliquor", Version(0, 1, 0), KEEPER)


def started(features: int = 3, *, ancestry: tuple[AncestryItem, ...] = ()) -> Session:
    made = session()
    said(made, info(features))
    root = said(made, Initialize(BLOCK.header, state(), ancestry))
    assert root == b"\x02" + state().root
    return made


def said(to: Session, message: messages.Message) -> bytes:
    return unframed(b"".join(to.answer(message)))


def block(value: Block = CHILD) -> ImportBlock:
    return ImportBlock(codec(Block, TINY).encode(value))


def error(answer: bytes) -> str:
    assert answer[0] == messages.ERROR
    return codec(bytes, TINY).decode(answer[1:]).decode()


@pytest.mark.parametrize(("offered", "agreed"), [(0, 0), (1, 1), (2, 2), (3, 3), (0x80000002, 2)])
def test_handshake(offered: int, agreed: int) -> None:
    made = session()
    answer = codec(PeerInfo, TINY).decode(said(made, info(offered))[1:])
    assert answer == PeerInfo(1, 3, Version(0, 7, 2), Version(0, 1, 0), b"jamliquor")
    assert made.features == agreed and not made.over


def test_another_protocol_version_is_told_ours_and_left() -> None:
    made = session()
    assert said(made, info(version=2))[:2] == b"\0\x01" and made.over


@pytest.mark.parametrize(
    "message", [Initialize(BLOCK.header, state(), ()), block(), GetState(HEAD), StateRoot(HEAD)]
)
def test_nothing_before_the_handshake(message: messages.Message) -> None:
    with pytest.raises(BrokenMessage):
        session().answer(message)


@pytest.mark.parametrize("message", [info(), block(), GetState(HEAD), state()])
def test_order_after_the_handshake(message: messages.Message) -> None:
    made = session()
    made.answer(info())
    with pytest.raises(BrokenMessage):
        made.answer(message)


def test_refused_block_leaves_everything_as_it_was() -> None:
    made = started()
    assert error(said(made, block())).startswith("header: bad_extrinsic_hash")
    assert made.judged is not None and made.judged.refusal and made.judged.slot == 8
    assert made.judged.prior is made.judged.posterior and made.judged.prior.root == state().root
    stored = said(made, GetState(HEAD))
    assert stored == unframed(
        b"".join(messages.encode_state(state().items(), *messages.entries_size(state().items())))
    )
    assert (made.imported, made.refused) == (0, 1)


@pytest.mark.parametrize("octets", [b"", b"\xff" * 40, block().octets[:-1], block().octets + b"x"])
def test_octets_that_are_no_block(octets: bytes) -> None:
    made = started()
    assert error(said(made, ImportBlock(octets))).startswith("decode: ")
    assert made.judged is not None and made.judged.slot is None
    assert made.judged.octets == octets
    assert said(made, GetState(HEAD))[0] == messages.STATE


def test_unknown_parent_and_unknown_state() -> None:
    made = started()
    assert error(said(made, block(BLOCK))).startswith("unknown_parent: ")
    assert error(said(made, GetState(b"?" * 32))).startswith("unknown_header: ")


def test_initialized_again_nothing_of_before_is_known() -> None:
    made = started()
    other = BLOCK.header._replace(slot=99)
    assert said(made, Initialize(other, state(), ()))[0] == messages.STATE_ROOT
    assert error(said(made, block())).startswith("unknown_parent: ")
    assert said(made, GetState(encode_header(TINY, other).hash))[0] == messages.STATE
    assert made.initialized == 2


def test_state_that_has_no_time_is_no_state() -> None:
    made = session()
    made.answer(info())
    bad = State.from_entries(TINY, raw_state([(b"k" * 31, b"v")]).entries)
    with pytest.raises(BrokenMessage, match="no state of chain 'tiny'"):
        made.answer(Initialize(BLOCK.header, bad, ()))


@pytest.mark.parametrize(
    ("features", "ancestry", "lookup", "known"),
    [
        (3, (), (HEAD, 7), True),
        (3, ((7, HEAD), (5, b"b" * 32), (3, b"a" * 32)), (b"a" * 32, 3), True),
        (3, ((3, b"a" * 32), (5, b"b" * 32), (7, HEAD)), (b"a" * 32, 3), True),
        (3, ((3, b"a" * 32), (5, b"b" * 32)), (b"b" * 32, 5), True),
        (3, ((3, b"a" * 32),), (b"a" * 32, 4), False),
        (3, ((3, b"a" * 32),), (b"c" * 32, 3), False),
        (2, (), (b"c" * 32, 3), None),
        (2, ((3, b"a" * 32),), (b"c" * 32, 3), None),
    ],
)
def test_ancestry_as_negotiated(
    monkeypatch: pytest.MonkeyPatch,
    features: int,
    ancestry: tuple[tuple[int, bytes], ...],
    lookup: tuple[bytes, int],
    known: bool | None,
) -> None:
    asked: list[bool | None] = []

    def transition(step: Any) -> State:
        asked.append(None if step.is_ancestor is None else step.is_ancestor(*lookup))
        raise ReportsError("seen")

    monkeypatch.setattr(importer, "transition", transition)
    items = tuple(AncestryItem(*item) for item in ancestry)
    assert error(said(started(features, ancestry=items), block())) == "reports: seen"
    assert asked == [known]


@pytest.mark.parametrize(
    "failure", [HostError("disk full"), MemoryError(), DecodeError("bad entry", path="safrole")]
)
def test_host_failure_and_broken_state_are_no_answer(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def transition(step: Any) -> State:
        raise failure

    monkeypatch.setattr(importer, "transition", transition)
    made = started()
    with pytest.raises((HostError, MemoryError)):
        made.answer(block())
    assert made.judged is None and made.refused == 0


def test_siblings_are_kept_and_the_chain_goes_on_from_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        importer, "transition", lambda step: step.prior.child({11: step[2][0].slot}, {})
    )
    monkeypatch.setattr(Imported, "ticketed", False)
    made = started(2)
    siblings = [CHILD._replace(header=CHILD.header._replace(slot=slot)) for slot in range(8, 48)]
    roots = [said(made, block(value)) for value in siblings]
    assert len(set(roots)) == 40
    on_first = encode_header(TINY, siblings[-1].header).hash
    grandchild = BLOCK._replace(header=BLOCK.header._replace(parent=on_first, slot=50))
    assert said(made, block(grandchild))[0] == messages.STATE_ROOT
    # Forty siblings, and the parent of them all is still there: it was in use.
    assert said(made, block(siblings[0])) == roots[0]
    assert made.imported == 42
