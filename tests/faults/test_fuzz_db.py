"""``jamliquor fuzz --db``: other people's folders, killed processes, a full disk."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jamliquor.conformance import messages
from jamliquor.conformance.disk_chain import MARK_FILE
from jamliquor.node.directory import holds_chain
from jamliquor.params import TINY
from jamliquor.store.disk import DiskStore
from tests.support.archives import write_archive
from tests.support.command import run
from tests.support.maker import Made, Maker, own_genesis
from tests.support.target import (
    HANDSHAKE,
    Peer,
    Running,
    block_message,
    fresh_socket,
    initialize_message,
    running_target,
)

ROOT = messages.STATE_ROOT


@pytest.fixture(scope="module")
def line() -> list[Made]:
    maker = Maker()
    return maker.line(maker.root, range(1, 7))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, line: list[Made]) -> Path:
    """The same line as a file."""
    return write_archive(tmp_path_factory.mktemp("line") / "line.jam", Maker(), line)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def target(tmp_path: Path, home: Path) -> Iterator[Running]:
    with running_target(tmp_path / "data", "--db", home) as running:
        yield running


def started(running: Running) -> Peer:
    """A connection whose chain begins with the genesis of the line."""
    peer = running.connect()
    first = own_genesis()
    entries = list(first.state.items())
    size = messages.entries_size(entries)
    assert peer.ask(HANDSHAKE)
    said = b"".join(messages.encode_initialize(TINY, first.header, entries, *size))
    assert peer.ask(said)[1:] == first.state.root
    return peer


def chains(home: Path) -> dict[str, bool]:
    """The folders of chains, and whether they are whole."""
    return {it.name: holds_chain(it) for it in sorted(home.iterdir()) if it.is_dir()}


def test_each_state_takes_the_place_of_the_one_before(
    target: Running, home: Path, line: list[Made]
) -> None:
    first, second = started(target), started(target)
    for made in line:
        assert first.ask(block_message(made.encoded))[1:] == made.root
    assert chains(home) == {"0001": True, "0002": True}
    assert second.ask(initialize_message())[0] == ROOT
    assert chains(home) == {"0001": True, "0003": True}
    # The other connection's chain is as it was, also after a refusal.
    assert first.ask(block_message())[0] == messages.ERROR
    assert first.ask(messages.frame(messages.GET_STATE, line[-1].hash))[0] == messages.STATE
    first.close()
    assert second.ask(initialize_message())[0] == ROOT
    assert chains(home) == {"0004": True}


def test_a_chain_that_was_left_is_a_nodes_directory(
    target: Running, home: Path, line: list[Made], archive: Path
) -> None:
    peer = started(target)
    for made in line[:-1]:
        assert peer.ask(block_message(made.encoded))[1:] == made.root
    locked = run("import", archive, "--db", home / "0001")
    assert locked.code == 6 and "another process uses this directory" in locked.err
    assert target.end().code == 0
    ran = run("import", archive, "--db", home / "0001", "--json")
    assert ran.code == 0 and json.loads(ran.out)["state_root"] == f"0x{line[-1].root.hex()}"
    assert json.loads(ran.out)["outcomes"]["imported"] == 1


def test_killed_among_blocks(
    target: Running, home: Path, tmp_path: Path, line: list[Made], archive: Path
) -> None:
    peer = started(target)
    for made in line:
        assert peer.ask(block_message(made.encoded))[1:] == made.root
    target.end(signal.SIGKILL)
    ran = run("import", archive, "--db", home / "0001", "--json")
    assert ran.code == 0 and json.loads(ran.out)["state_root"] == f"0x{line[-1].root.hex()}"
    with running_target(tmp_path / "data", "--db", home) as again:
        assert chains(home) == {"0001": True}
        peer = started(again)
        assert chains(home) == {"0002": True}
        assert peer.ask(block_message(line[0].encoded))[1:] == line[0].root


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03])
def test_killed_while_a_state_is_set(tmp_path: Path, home: Path, delay: float) -> None:
    with running_target(tmp_path / "data", "--db", home) as running:
        peer = started(running)
        large = [(index.to_bytes(4, "big") * 7 + b"abc", bytes(900)) for index in range(1, 3000)]
        peer.say(initialize_message((*own_genesis().state.items(), *large)))
        time.sleep(delay)
        running.process.send_signal(signal.SIGKILL)
    assert any(chains(home).values())
    with running_target(tmp_path / "data", "--db", home) as again:
        assert all(chains(home).values())
        started(again)
        assert list(chains(home).values()) == [True]


def test_full_disk_closes_and_answers_nothing(
    target: Running, home: Path, tmp_path: Path, line: list[Made]
) -> None:
    peer = started(target)
    pid, unlimited = target.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    other = target.connect()
    assert other.ask(HANDSHAKE) and other.ask(initialize_message()) == b""
    assert chains(home) == {"0001": True}
    assert peer.ask(block_message(line[0].encoded)) == b""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    assert started(target).ask(block_message(line[0].encoded))[1:] == line[0].root
    assert target.end().err.count("host failure: StoreFull") == 2


def _of_somebody(folder: Path) -> None:
    folder.mkdir()
    (folder / "letters").write_text("mine")


def _a_file(folder: Path) -> None:
    folder.write_text("mine")


def _of_another_version(folder: Path) -> None:
    folder.mkdir()
    (folder / MARK_FILE).write_text("jamliquor fuzz database 9\n")


def _a_nodes(folder: Path) -> None:
    DiskStore(folder, TINY).close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_of_somebody, "is not empty and holds no database of `jamliquor fuzz`"),
        (_a_nodes, "is not empty and holds no database of `jamliquor fuzz`"),
        (_a_file, "Not a directory"),
        (_of_another_version, "is of another version of `jamliquor fuzz`"),
    ],
)
def test_a_folder_of_something_else_is_refused(
    tmp_path: Path, home: Path, make: Callable[[Path], None], reason: str
) -> None:
    make(home)
    before = sorted(home.rglob("*")), [it.read_bytes() for it in home.rglob("*") if it.is_file()]
    ran = run("fuzz", "--socket", tmp_path / "s", "--db", home)
    assert ran.code == 6 and reason in ran.err and str(home) in ran.err
    assert "Traceback" not in ran.err and not (tmp_path / "s").exists()
    after = sorted(home.rglob("*")), [it.read_bytes() for it in home.rglob("*") if it.is_file()]
    assert before == after


def test_a_second_process_is_refused(target: Running, home: Path) -> None:
    path = fresh_socket()
    ran = run("fuzz", "--socket", path, "--db", home)
    assert ran.code == 6 and "another process uses this directory" in ran.err
    shutil.rmtree(path.parent)
    assert started(target).ask(block_message())[0] == messages.ERROR


def test_named_by_the_environment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    variables = {
        "JAM_FUZZ": "1",
        "JAM_FUZZ_SPEC": "tiny",
        "JAM_FUZZ_DATA_PATH": str(data),
        "JAMLIQUOR_FUZZ_DB": str(data / "db"),
    }
    with running_target(tmp_path, environment=variables) as running:
        started(running)
        assert chains(data / "db") == {"0001": True}
