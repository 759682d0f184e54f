"""Peers that mean no good: a fuzzer at work beside them must not notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jamliquor.conformance import messages, target
from jamliquor.conformance.messages import Version
from jamliquor.conformance.recording import LastBlocks
from jamliquor.conformance.session import Session
from jamliquor.conformance.target import MAX_CONNECTIONS, MAX_STATES, Target
from jamliquor.errors import HostError
from jamliquor.params import TINY
from jamliquor.pvm.reference import ReferenceEngine
from tests.support.target import (
    HANDSHAKE,
    Peer,
    Running,
    block_message,
    initialize_message,
    running_target,
)

ROOT = messages.STATE_ROOT
REFUSED = messages.ERROR


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with running_target(tmp_path / "data") as made:
        yield made


@pytest.fixture
def fuzzer(running: Running) -> Peer:
    """The one who came to work."""
    peer = running.connect()
    assert peer.ask(HANDSHAKE) and peer.ask(initialize_message())[0] == ROOT
    return peer


def works(peer: Peer) -> None:
    """The fuzzer is served, at once."""
    begun = time.monotonic()
    assert peer.ask(block_message())[0] == REFUSED
    assert time.monotonic() - begun < 2


def shaken(running: Running) -> Peer:
    peer = running.connect()
    assert peer.ask(HANDSHAKE)
    return peer


HUGE = b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    "said",
    [
        HUGE + b"\x00",
        HUGE + b"\x03",
        b"\0\0\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 64,
        block_message(),
        initialize_message(),
    ],
)
def test_nonsense_before_the_handshake_closes(running: Running, fuzzer: Peer, said: bytes) -> None:
    peer = running.connect()
    peer.say(said)
    assert peer.hear() == b""
    works(fuzzer)
    works_after(running)


def works_after(running: Running) -> None:
    """The next connection is served too."""
    peer = shaken(running)
    assert peer.ask(initialize_message())[0] == ROOT
    peer.close()


@pytest.mark.parametrize(
    "said",
    [
        HUGE + b"\x01",
        HUGE + b"\x03",
        HANDSHAKE,
        messages.frame(messages.STATE_ROOT, bytes(32)),
        messages.frame(messages.INITIALIZE, b"\xff" * 4000),
        messages.frame(messages.GET_STATE, b"short"),
        b"\x01\0\0\0\x63",
    ],
)
def test_nonsense_after_the_handshake_closes(running: Running, fuzzer: Peer, said: bytes) -> None:
    peer = shaken(running)
    peer.say(said)
    assert peer.hear() == b""
    works(fuzzer)
    works_after(running)


def test_octets_that_are_no_block_are_answered(running: Running, fuzzer: Peer) -> None:
    for data in (b"", b"\0", b"\xff" * 100_000, bytes(10_000)):
        answer = fuzzer.ask(block_message(data))
        assert answer[0] == REFUSED and b"decode: " in answer
    works(fuzzer)


def test_half_a_message_and_gone(running: Running, fuzzer: Peer) -> None:
    for message in (HANDSHAKE, initialize_message(), block_message()):
        peer = running.connect()
        if message is not HANDSHAKE:
            assert peer.ask(HANDSHAKE)
        peer.say(message[: len(message) // 2])
        works(fuzzer)
        peer.close()
        works(fuzzer)


def test_octet_by_octet(running: Running, fuzzer: Peer) -> None:
    peer = running.connect()
    for octet in HANDSHAKE:
        peer.say(bytes((octet,)))
        works(fuzzer)
    assert peer.hear()[0] == messages.PEER_INFO


def test_silent_peers(running: Running, fuzzer: Peer) -> None:
    silent = [running.connect() for _ in range(MAX_CONNECTIONS * 2)]
    works(fuzzer)
    works_after(running)
    for peer in silent:
        peer.close()
    works(fuzzer)


def test_a_thousand_connections(running: Running, fuzzer: Peer) -> None:
    before = running.rss()
    crowd = []
    for number in range(1000):
        peer = running.connect()
        crowd.append(peer)
        if number % 3:
            peer.say(HANDSHAKE)
        if number % 100 == 0:
            works(fuzzer)
    works(fuzzer)
    works_after(running)
    assert running.rss() - before < 4 << 20
    for peer in crowd:
        peer.close()


def test_states_are_bounded_and_those_in_use_stay(running: Running, fuzzer: Peer) -> None:
    holders = [fuzzer]
    for _ in range(MAX_STATES - 1):
        holders.append(peer := shaken(running))
        assert peer.ask(initialize_message())[0] == ROOT
    late = shaken(running)
    assert late.ask(initialize_message()) == b""
    for peer in holders:
        works(peer)
    holders[-1].close()
    works_after(running)


def test_half_blocks_are_bounded(running: Running, fuzzer: Peer) -> None:
    before = running.rss()
    half = block_message(bytes(16 << 20))[: 10 << 20]
    heavy = [shaken(running) for _ in range(MAX_CONNECTIONS - 2)]
    for peer in heavy:
        try:
            peer.say(half)
        except (BrokenPipeError, ConnectionResetError):
            continue
        works(fuzzer)
    assert running.rss() - before < 100 << 20
    works(fuzzer)


def test_peer_that_never_reads(running: Running, fuzzer: Peer) -> None:
    peer = shaken(running)
    assert peer.ask(initialize_message())[0] == ROOT
    peer.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        for _ in range(100_000):
            peer.say(block_message())
    works(fuzzer)
    works_after(running)


def test_many_requests_at_once_are_answered_in_order(running: Running, fuzzer: Peer) -> None:
    fuzzer.say((block_message() + block_message(b"x")) * 50)
    for _ in range(50):
        assert b"unknown_parent" in fuzzer.hear()
        assert b"decode: " in fuzzer.hear()


class Broken(Session):
    """A session whose host fails at blocks."""

    failure: Exception = HostError("disk full")

    def _import(self, octets: bytes) -> bytes:
        raise self.failure


@pytest.mark.parametrize(
    "failure", [HostError("disk full"), MemoryError(), OSError(28, "no space"), KeyError("bug")]
)
def test_host_failure_closes_and_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(Broken, "failure", failure)
    lines: list[str] = []
    with served(tmp_path, Broken, lambda level, line: lines.append(f"{level} {line}")) as path:
        peer = Peer(path)
        assert peer.ask(HANDSHAKE) and peer.ask(initialize_message())[0] == ROOT
        assert peer.ask(block_message()) == b""
        assert Peer(path).ask(HANDSHAKE)
    assert any("error" in line and "host failure" in line for line in lines)


def test_old_silence_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who hold a state and were silent for longer than our patience make room."""
    monkeypatch.setattr(target, "PATIENCE_SECONDS", 0.2)
    with served(tmp_path, Session, lambda level, line: None) as path:
        silent = [Peer(path) for _ in range(MAX_STATES)]
        for peer in silent:
            assert peer.ask(HANDSHAKE) and peer.ask(initialize_message())[0] == ROOT
        time.sleep(0.3)
        works(silent[0])
        late = Peer(path)
        assert late.ask(HANDSHAKE) and late.ask(initialize_message())[0] == ROOT
        assert silent[1].hear() == b""
        works(silent[0])
        works(silent[2])


@contextmanager
def served(tmp_path: Path, kind: type[Session], log: Callable[[str, str], None]) -> Iterator[Path]:
    """A target in a thread of this process, whose parts a test can replace."""
    engine = ReferenceEngine()
    path = tmp_path / "s"
    made = Target(
        TINY,
        lambda: kind(TINY, engine, "test", Version(0, 0, 0)),
        path,
        last=LastBlocks(tmp_path / "last"),
        log=log,
        tell=lambda line: None,
    )
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield path
    finally:
        made.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()
