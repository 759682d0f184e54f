"""The control socket: one answer at a time, and no client costs the node anything."""

from __future__ import annotations

import itertools
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jamliquor.errors import HostError, StoreDamaged, StoreError, StoreFull
from jamliquor.node import control as controlling
from jamliquor.node import questions
from jamliquor.node.asking import RunningNode
from jamliquor.node.control import MAX_CLIENTS, MAX_REQUEST, Control, decode_line, encode_line
from jamliquor.node.questions import BadQuestion
from tests.support.questioned import subject

HEAD = encode_line({"question": "head", "arguments": {}})


def ignore(line: str) -> None:
    raise AssertionError(line)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    made = Control()
    made.subject = subject()
    made.listen(tmp_path, ignore)
    yield made
    made.close()
    assert not (tmp_path / "control").exists()


def client(folder: Path, octets: bytes = b"") -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(5)
    connection.connect(str(folder / "control"))
    connection.sendall(octets)
    return connection


def polled(control: Control, times: int = 4) -> None:
    for _ in range(times):
        control.poll()


def said(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rb") as answers:
        return decode_line(answers.readline())


class Asking(threading.Thread):
    """Asks as another process would, while the node polls."""

    def __init__(self, folder: Path, question: str, **arguments: Any) -> None:
        super().__init__()
        self._wish = (question, arguments)
        self._node = RunningNode(folder, patience=5)
        self.result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._node.ask(self._wish[0], **self._wish[1])
        except (BadQuestion, HostError) as error:
            self.result = error

    def served_by(self, control: Control) -> Any:
        while self.is_alive():
            control.wait(0.05)
            control.poll()
        return self.result


def test_one_request_is_answered_at_a_time(control: Control, tmp_path: Path) -> None:
    clients = [client(tmp_path, HEAD) for _ in range(3)]
    counts = []
    for _ in range(8):
        control.poll()
        counts.append(len(select.select(clients, [], [], 0)[0]))
    assert counts[-1] == 3
    assert all(after - before <= 1 for before, after in itertools.pairwise([0, *counts]))
    assert {said(one)["answer"]["head"]["slot"] for one in clients} == {80}
    for one in clients:
        one.close()


def test_answers_and_refusals_arrive_as_such(control: Control, tmp_path: Path) -> None:
    assert Asking(tmp_path, "service", service=1000).served_by(control)["service"] == 1000
    refused = Asking(tmp_path, "block", wanted="zz").served_by(control)
    assert isinstance(refused, BadQuestion) and refused.about == "HASH|SLOT"
    control.subject = None
    closed = Asking(tmp_path, "head").served_by(control)
    assert isinstance(closed, StoreError) and "ask again" in str(closed)


@pytest.mark.parametrize(
    ("octets", "word"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", "version G"),
        (b"2" + HEAD[1:], "version 2"),
        (b"\n", "version none"),
        (b"1nonsense\n", "holds no record"),
        (b"1[]\n", "holds no record"),
        (b"1{}\n", "without a question"),
        (b'1{"question": "head", "arguments": 5}\n', "without a question"),
        (b"1" + b"[" * (MAX_REQUEST - 10) + b"\n", "holds no record"),
        (b"1" * (1 << 17), "at most 4096 octets"),
        (b"1" + b" " * MAX_REQUEST + b"{}\n", "at most 4096 octets"),
    ],
)
def test_garbage_gets_one_line(control: Control, tmp_path: Path, octets: bytes, word: str) -> None:
    with client(tmp_path, octets) as connection:
        polled(control)
        assert word in said(connection)["failed"]


def test_a_request_in_many_parts(control: Control, tmp_path: Path) -> None:
    with client(tmp_path) as connection:
        for octet in HEAD:
            connection.sendall(bytes([octet]))
            control.poll()
        polled(control)
        assert said(connection)["answer"]["chain"] == "tiny"


def test_who_says_nothing_is_hung_up(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlling, "_PATIENCE_SECONDS", 0.0)
    with client(tmp_path, HEAD[:-1]) as silent:
        polled(control)
        assert silent.recv(1) == b""


def test_who_does_not_read_is_hung_up(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "answer", lambda *_: {"octets": "0" * (1 << 19)})
    monkeypatch.setattr(controlling, "_PATIENCE_SECONDS", 0.0)
    with client(tmp_path, HEAD) as idle:
        polled(control)
        with pytest.raises(controlling.Malformed), idle.makefile("rb") as answers:
            decode_line(answers.readline())


def test_more_than_a_line_may_hold_is_never_sent(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "answer", lambda *_: {"octets": "0" * (1 << 20)})
    assert "more than" in str(Asking(tmp_path, "head").served_by(control))


def test_the_silent_make_room(control: Control, tmp_path: Path) -> None:
    silent = []
    for _ in range(3 * MAX_CLIENTS):
        silent.append(client(tmp_path))
        control.poll()
    answer = Asking(tmp_path, "head").served_by(control)
    assert answer["chain"] == "tiny"
    assert sum(_is_open(one) for one in silent) < MAX_CLIENTS
    for one in silent:
        one.close()


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return True


def test_a_client_that_goes_away(control: Control, tmp_path: Path) -> None:
    for octets in (b"", HEAD[:5], HEAD):
        client(tmp_path, octets).close()
        polled(control)
    assert Asking(tmp_path, "head").served_by(control)["chain"] == "tiny"


def raising(error: Exception) -> Any:
    def answer(*_: object) -> Any:
        raise error

    return answer


def test_a_bug_in_an_answer_does_not_end_the_node(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "answer", raising(ZeroDivisionError("oh")))
    failed = Asking(tmp_path, "head").served_by(control)
    assert isinstance(failed, StoreError) and "bug" in str(failed) and "oh" in str(failed)


def test_damage_that_is_met_is_remembered(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert control.subject is not None
    suspected = []
    monkeypatch.setattr(control.subject.store, "suspect", lambda: suspected.append(True))
    monkeypatch.setattr(questions, "answer", raising(StoreDamaged("a page is damaged")))
    assert "a page is damaged" in str(Asking(tmp_path, "head").served_by(control))
    assert suspected


def test_a_write_that_fails_is_the_nodes_concern(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "answer", raising(StoreFull("no room")))
    asking = Asking(tmp_path, "prune")
    with pytest.raises(StoreFull):
        asking.served_by(control)
    asking.join()
    assert "no room" in str(asking.result)
    # A snapshot is not: its trouble is told to who asked.
    assert "no room" in str(Asking(tmp_path, "snapshot").served_by(control))


def test_places_without_a_socket(tmp_path: Path) -> None:
    (tmp_path / "control").write_text("a file of somebody else's")
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    for folder in (tmp_path, deep, tmp_path / "missing"):
        told: list[str] = []
        control = Control()
        control.listen(folder, told.append)
        assert len(told) == 1 and "snapshot create cannot be used" in told[0]
        control.poll()
        control.wait(0.0)
        control.close()
    assert (tmp_path / "control").exists(), "what is not ours stays"


def test_a_stale_socket_is_replaced_and_anothers_is_left(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "control"))
    first, second = Control(), Control()
    first.listen(tmp_path, ignore)
    assert (tmp_path / "control").stat().st_mode & 0o777 == 0o600
    (tmp_path / "control").unlink()
    second.listen(tmp_path, ignore)
    first.close()
    assert (tmp_path / "control").exists()
    second.close()
    assert not (tmp_path / "control").exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'1{"answer": {"chain"', "in the middle of an answer"),
        (b"", "hung up"),
        (
            b'2{"answer": {}}\n',
            "version 2 of the control protocol, not version 1; use",
        ),
        (b'1{"more": {}}\n', "no answer that makes sense"),
        (b"1" * (2 << 20), "does not end"),
    ],
)
def test_nodes_that_stop_or_differ(tmp_path: Path, answer: bytes, words: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen(1)
        asking = Asking(tmp_path, "head")
        connection, _ = listener.accept()
        with connection:
            connection.recv(MAX_REQUEST)
            try:
                connection.sendall(answer)
            except OSError:
                assert len(answer) > 1 << 20
        asking.join()
    assert isinstance(asking.result, StoreError) and words in str(asking.result)


def test_a_node_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen(1)
        with pytest.raises(StoreError, match="no answer within"):
            RunningNode(tmp_path, patience=0.05).ask("head")
    with pytest.raises(StoreError, match="answers no questions"):
        RunningNode(tmp_path).ask("head")
    with pytest.raises(StoreError, match="too long"):
        RunningNode(tmp_path / ("d" * 120)).ask("head")
