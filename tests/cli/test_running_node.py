"""Commands beside a running node, as a person uses them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from jamliquor.cli import import_db
from jamliquor.cli.import_ import Stop
from jamliquor.cli.main import commands
from jamliquor.errors import StoreFull
from jamliquor.node.asking import RunningNode, rows
from jamliquor.node.directory import Directory
from jamliquor.node.node import Node
from jamliquor.node.settings import DEFAULTS
from tests.support.archives import write_archive
from tests.support.command import COMMAND, run
from tests.support.maker import Made, Maker
from tests.support.service import Service, ended, is_connected, until

_AHEAD = 5
NOTE = "answered by the running node\n"


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, range(1, 161))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, maker: Maker, main: list[Made]) -> Path:
    """A directory with the first 80 blocks."""
    folder = tmp_path_factory.mktemp("filled")
    archive = write_archive(folder / "chain.jam", maker, main[:80])
    assert run("import", archive, "--db", folder / "db").code == 0
    return folder / "db"


@pytest.fixture
def db(filled: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(filled, tmp_path / "db"))


@pytest.fixture
def start(db: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts nodes on the directory that follow a socket."""
    with ended() as running:

        def begin(*options: str) -> Service:
            running.append(Service(db, tmp_path / "blocks.sock", *options))
            return running[-1]

        yield begin


class Sender:
    """A client that sends blocks to a node."""

    def __init__(self, path: Path) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(path))
        self._connection.settimeout(20)
        self._answers = self._connection.makefile("r")
        self.delivered = 0

    def deliver(self, blocks: list[Made]) -> None:
        """Send some ahead of the answers, so that the node always has a next one."""
        for index, made in enumerate(blocks):
            self._connection.sendall(len(made.encoded).to_bytes(4, "little") + made.encoded)
            if index >= _AHEAD:
                self._demand_imported(blocks[index - _AHEAD])
        for made in blocks[-_AHEAD:]:
            self._demand_imported(made)

    def _demand_imported(self, made: Made) -> None:
        assert self._answers.readline() == f"imported 0x{made.hash.hex()} {made.slot}\n"
        self.delivered += 1

    def close(self) -> None:
        self._answers.close()
        self._connection.close()


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Callable[[], Sender]]:
    opened: list[Sender] = []

    def begin() -> Sender:
        opened.append(Sender(tmp_path / "blocks.sock"))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


QUESTIONS = (
    ["head"],
    ["block"],
    ["block", "70", "--json"],
    ["state", "--values"],
    ["state", "--values", "--json", "--at", "75"],
    ["service", "1000"],
    ["service", "1000", "--json"],
    ["history"],
    ["history", "--from", "10", "--to", "75", "--json"],
    ["tree"],
    ["tree", "--json"],
    ["block", "999"],
    ["service", "7"],
    ["state", "--at", "3"],
    ["state", "--from", "xyz"],
)


def asked(db: Path, question: list[str]) -> tuple[int, str, str]:
    """Exit code and what was printed, of the command called here: it is called often."""
    ran = CliRunner().invoke(commands, ["inspect", question[0], str(db), *question[1:]])
    # The size of the directory: a log that goes on makes it larger.
    out = "\n".join(line for line in ran.stdout.splitlines() if not line.startswith("disk"))
    return ran.exit_code, out, ran.stderr


def test_a_running_node_answers_the_same(db: Path, start: Callable[..., Service]) -> None:
    before = [asked(db, question) for question in QUESTIONS]
    service = start()
    control = db / "control"
    assert stat.S_ISSOCK(control.stat().st_mode) and control.stat().st_mode & 0o777 == 0o600
    for question, (code, out, err) in zip(QUESTIONS, before, strict=True):
        note = "" if code or "--json" in question else NOTE
        assert asked(db, question) == (code, out, note + err), question
    assert {code for code, _, _ in before} == {0, 2}
    service.stop()
    assert not control.exists()
    assert [asked(db, question) for question in QUESTIONS] == before


def test_questions_while_blocks_come(
    db: Path, start: Callable[..., Service], sender: Callable[[], Sender], main: list[Made]
) -> None:
    service = start("--keep-states", "100")
    blocks = sender()
    seen: dict[int, list[int]] = {0: [], 1: []}
    failures: list[Exception] = []
    done = threading.Event()

    def ask(number: int) -> None:
        node = RunningNode(db)
        try:
            while not done.is_set():
                seen[number].append(node.ask("head")["head"]["slot"])
                listed = [row["slot"] for row in rows(node, "history", first=1)]
                assert listed == list(range(1, len(listed) + 1)) and len(listed) >= 80
                assert len(list(rows(node, "state"))) > 10
        except Exception as error:  # told by the test
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in seen]
    for thread in threads:
        thread.start()
    blocks.deliver(main[80:])
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    for slots in seen.values():
        assert slots == sorted(slots) and len(set(slots)) > 2, "some between blocks"
    assert service.stop()["outcomes"]["imported"] == 80


def test_a_killed_nodes_socket_does_no_harm(db: Path, start: Callable[..., Service]) -> None:
    service = start()
    service.process.kill()
    service.process.wait()
    assert (db / "control").exists()
    ran = run("inspect", "head", db)
    assert ran.code == 0 and ran.err == "" and "slot 80" in ran.out
    again = start()
    assert run("inspect", "head", db).err == NOTE
    again.stop()
    assert not (db / "control").exists()


def test_hostile_clients_hold_nothing_up(
    db: Path, start: Callable[..., Service], sender: Callable[[], Sender], main: list[Made]
) -> None:
    service = start()
    process = psutil.Process(service.process.pid)
    blocks = sender()
    blocks.deliver(main[80:90])
    before = process.memory_info().rss
    clients = []
    octets = (b"", b"1{", b"\xff" * (1 << 20), b'1{"question":"state","arguments":{}}\n')
    for number in range(60):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(0.5)
        clients.append(connection)
        try:
            connection.connect(str(db / "control"))
            octets = (b"", b"1{", b"\xff" * (1 << 20), b'1{"question":"state","arguments":{}}\n')[
                number % 4
            ]
            connection.sendall(octets)
        except OSError:
            continue
    began = time.monotonic()
    blocks.deliver(main[90:])
    assert time.monotonic() - began < 10
    assert run("inspect", "head", db).code == 0
    assert process.memory_info().rss - before < 8 << 20
    for connection in clients:
        connection.close()
    assert service.stop()["head"]["slot"] == 160


def test_prune_between_blocks(
    db: Path, start: Callable[..., Service], sender: Callable[[], Sender], main: list[Made]
) -> None:
    service = start("--finality", "manual")
    blocks = sender()
    sending = threading.Thread(target=blocks.deliver, args=(main[80:],))
    sending.start()
    ran = run("prune", db, "--finalise", "head", "--keep-blocks", "10", "--json")
    assert ran.code == 0 and ran.err == ""
    sending.join()
    assert blocks.delivered == 80
    ran = run("prune", db, "--finalise", "0x" + main[-1].hash.hex(), "--keep-blocks", "10", "--json")
    record = json.loads(ran.out)
    assert record["finalised"] == {"hash": "0x" + main[-1].hash.hex(), "slot": 160}
    assert record["store_bytes"] > 0 and record["store_bytes_before"] > 0
    listed = run("inspect", "history", db, "--json").out.splitlines()
    bodies = [json.loads(line)["slot"] for line in listed if json.loads(line)["body"]]
    assert min(bodies) > 100 and max(bodies) == 160
    assert "blocks and 0 records dropped; final slot 160" in run("prune", db).out
    for option in (["--compact"], ["--storage-budget", "1M"]):
        ran = run("prune", db, *option)
        assert ran.code == 6 and "stop the node first" in ran.err and len(ran.err.splitlines()) == 1
    ran = run("prune", db, "--finalise", "0x" + main[3].hash.hex())
    assert ran.code == 2 and "does not descend from the final block" in ran.err
    assert run("prune", db, "--finalise", "soon").code == 2
    assert service.stop()["finalised"]["slot"] == 160
    assert run("events", "replay", db).code == 0


def test_what_a_running_node_does_not_do(db: Path, start: Callable[..., Service]) -> None:
    start()
    for command in (["repair"], ["export"]):
        ran = run(*command, db, *(["--out", db.parent / "x.jam"] if command == ["export"] else []))
        assert ran.code == 6 and "another process uses this directory" in ran.err


def test_a_path_that_is_too_long_for_a_socket(filled: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / "db"
    shutil.copytree(filled, deep)
    service = Service(deep, tmp_path / "blocks.sock")
    try:
        assert "too long" in service.seen and "cannot be used while this runs" in service.seen
        ran = run("inspect", "head", deep)
        assert ran.code == 6 and len(ran.err.splitlines()) == 1 and "too long" in ran.err
    finally:
        assert service.stop()["head"]["slot"] == 80


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_elses_node(db: Path, start: Callable[..., Service]) -> None:
    start()
    text = (
        "import os, pathlib, sys; from jamliquor.node.asking import RunningNode; "
        "node = RunningNode(pathlib.Path(sys.argv[1])); os.chdir(sys.argv[1]); os.setuid(65534); "
        "RunningNode(pathlib.Path('.')).ask('head')"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, str(db)], capture_output=True, text=True, check=False
    )
    assert "permission denied: ask as the user that the node runs as" in done.stderr.lower()


def test_a_node_that_is_stopped_meanwhile(db: Path, start: Callable[..., Service]) -> None:
    service = start()
    service.process.send_signal(signal.SIGSTOP)
    asking = subprocess.Popen([*COMMAND, "inspect", "head", str(db)], stderr=subprocess.PIPE, text=True)
    until(lambda: is_connected(asking.pid))
    service.process.kill()
    _, err = asking.communicate(timeout=20)
    assert asking.returncode == 6 and err.startswith("Error: ") and "hung up" in err
    assert len(err.splitlines()) == 1


def test_who_looks_while_the_disk_is_full_does_not_end_the_node(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    stop, told, looking = Stop(), [], ExitStack()

    def tell(line: str) -> None:
        told.append(line)
        if "no room" in line:
            looking.enter_context(Directory(db, repair=False))
        elif "another process" in line:
            looking.close()
            monkeypatch.setattr(Node, "tick", lambda node, now: stop(0, None) or [])

    def fail(node: Node, now: int) -> None:
        raise StoreFull("no room")

    monkeypatch.setattr(Node, "tick", fail)
    monkeypatch.setattr(import_db, "_RETRY_SECONDS", 0.01)
    job = import_db.Job(db, [], blocks, None, None, DEFAULTS, 16)
    session = import_db.DatabaseSession(job, stop, None, tell)
    session.run()
    assert "following" in told[0] and "no room" in told[1] and "another process" in told[2]
    assert session.exit_code == 0 and session.record()["head"]["slot"] == 80


def test_an_author_answers(tmp_path: Path) -> None:
    spec, db = tmp_path / "dev.json", tmp_path / "db"
    assert run("chain-spec", "new", spec, "--id", "dev", "--dev").code == 0
    arguments: list[Any] = ["author", "--chain", spec, "--db", db, "--out", tmp_path / "blocks"]
    author = subprocess.Popen([*COMMAND, *map(str, arguments), "--dev", "alice", "--quiet"])
    try:
        until((db / "control").exists)
        ran = run("inspect", "head", db)
        assert ran.code == 0 and ran.err == NOTE and "dev" in ran.out
        assert "finalised" in run("prune", db, "--json").out
        ran = run("snapshot", "create", db, tmp_path / "s.jamsnap", "--json")
        assert ran.code == 0 and run("snapshot", "verify", tmp_path / "s.jamsnap").code == 0
    finally:
        author.send_signal(signal.SIGTERM)
    assert author.wait(timeout=60) in (0, 130) and not (db / "control").exists()
