"""``jamliquor fuzz`` and ``jamliquor conformance run``: real processes on a real socket."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jamliquor.codec import codec
from jamliquor.conformance import messages
from jamliquor.conformance.vectors import CONFORMANCE
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.stf.header import encode as encode_header
from jamliquor.store.disk import DEFAULT_CACHE_BYTES, DEFAULT_FILE_CACHE_BYTES
from jamliquor.types.trace import TraceStep
from tests.support.command import run
from tests.support.target import (
    HANDSHAKE,
    Running,
    block_message,
    fresh_socket,
    initialize_message,
    running_target,
)
from tests.support.traces import BLOCK, minimal_state, raw_state
from tests.support.vectors import suite

STEP = codec(TraceStep, TINY)


@pytest.fixture(scope="module")
def conformance() -> Path:
    root = suite(CONFORMANCE)
    if root is None:
        pytest.skip("JAM_VECTORS is not set")
    return root


@pytest.fixture(scope="module")
def fallback() -> Path:
    root = suite()
    if root is None:
        pytest.skip("JAM_VECTORS is not set")
    return root / "traces" / "fallback"


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Running]:
    with running_target(tmp_path / "data") as running:
        yield running


@pytest.fixture(params=["memory", "disk"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A target that keeps its states here or there."""
    options = ["--db", tmp_path / "states"] if request.param == "disk" else []
    with running_target(tmp_path / "data", *options) as running:
        yield running


def replay(target: Running, *arguments: object) -> tuple[int, dict[str, object], str]:
    ran = run("conformance", "run", "--socket", target.path, "--json", *arguments)
    return ran.code, json.loads(ran.out) if ran.out else {}, ran.err


def exchange(folder: Path) -> list[bytes]:
    """The recorded requests as they go over a socket."""
    found = [path.read_bytes() for path in sorted(folder.glob("*_fuzzer_*.bin"))]
    return [messages.frame(data[0], data[1:]) for data in found]


def test_all_conformance_chains(target: Running, conformance: Path, tmp_path: Path) -> None:
    chains = sorted((conformance / "traces").iterdir())
    assert len(chains) == 85
    report = tmp_path / "report.json"
    code, record, err = replay(target, *chains, "--report", report)
    assert (code, err) == (0, "")
    assert record["blocks"] == 212 and record["traces"] == 85
    assert record["outcomes"] == {"agreed": 64, "refused as recorded": 148}
    assert len(json.loads(report.read_text())["blocks"]) == 212


def test_chain_with_a_genesis_and_figures(either: Running, fallback: Path) -> None:
    code, record, _ = replay(either, fallback, "--repeat", "2")
    assert code == 0 and record["blocks"] == 200
    told = record["target"]
    assert told == {
        "name": "jamliquor",
        "version": told["version"],  # type: ignore[index]
        "jam_version": "0.7.2",
        "features": 3,
    }
    stats = record["stats"]
    assert isinstance(stats, dict)
    ordered = ["import_min", "import_p50", "import_p75", "import_p90", "import_p99", "import_max"]
    assert [stats[name] for name in ordered] == sorted(stats[name] for name in ordered)
    assert set(stats) == {*ordered, "import_mean", "import_std_dev"} and stats["import_min"] > 0


def test_text_fits_the_terminal(target: Running, fallback: Path) -> None:
    ran = run("conformance", "run", "--socket", target.path, fallback)
    assert ran.code == 0 and "everything agrees with the record" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_recording_is_replayed_by_import(conformance: Path, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with running_target(tmp_path / "data", "--record", said, "--once") as running:
        peer = running.connect()
        for request in exchange(conformance / "fuzz-proto" / "forks"):
            peer.ask(request)
        peer.ask(block_message(b"no block"))
        peer.close()
        assert running.process.wait(timeout=30) == 0
    assert (said / "0001" / "00000101.undecodable").read_bytes() == b"no block"
    ran = run("import", said / "0001", "--json")
    record = json.loads(ran.out)
    assert ran.code == 0 and record["blocks"] == 100
    assert record["outcomes"]["agreed"] == 32 and record["outcomes"]["refused as recorded"] == 68


def test_recording_of_a_chain_without_its_beginning(conformance: Path, tmp_path: Path) -> None:
    chain = conformance / "traces" / "1766479507_1044"
    said = tmp_path / "said"
    for round_number in (1, 2):
        with running_target(tmp_path / "data", "--record", said) as running:
            assert replay(running, chain)[0] == 0
        assert [path.name for path in sorted(said.iterdir())] == ["0001", "0002"][:round_number]
    assert not (said / "0001" / "genesis.bin").exists()
    recorded = [path.read_bytes() for path in sorted((said / "0002").iterdir())]
    assert recorded == [path.read_bytes() for path in sorted(chain.iterdir())[1:]]


@pytest.mark.parametrize("asks", [True, False])
def test_last_block_is_on_disk_when_the_other_side_disagrees(
    fallback: Path, tmp_path: Path, asks: bool
) -> None:
    with running_target(tmp_path / "data") as running:
        peer = running.connect()
        step, second = (
            STEP.decode((fallback / f"0000000{number}.bin").read_bytes()) for number in (1, 2)
        )
        peer.ask(HANDSHAKE)
        entries = step.posterior.entries
        start = messages.encode_initialize(
            TINY, step.block.header, entries, *messages.entries_size(entries)
        )
        assert peer.ask(b"".join(start))[1:] == step.posterior.state_root
        block = codec(type(step.block), TINY).encode(second.block)
        assert peer.ask(block_message(block))[1:] == second.posterior.state_root
        if asks:
            state = peer.ask(messages.frame(messages.GET_STATE, bytes(32)))
            assert state[0] == messages.ERROR
        peer.close()
        assert running.process.stdout is not None
        line = running.process.stdout.readline()
        assert ("asked for the state" if asks else "ended") in line
        path = Path(line.rpartition(": ")[2].strip())
        running.end()
    assert path.read_bytes() == (fallback / "00000002.bin").read_bytes()
    assert run("import", path).code == 0


def test_only_the_latest_last_blocks_are_kept(either: Running, tmp_path: Path) -> None:
    for _ in range(12):
        peer = either.connect()
        peer.ask(HANDSHAKE)
        peer.ask(initialize_message())
        peer.ask(block_message())
        peer.close()
    assert either.end().code == 0
    assert len(list((tmp_path / "data").iterdir())) == 8


def test_mismatch_shows_what_differs(either: Running, fallback: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    folder.mkdir()
    for name in ("genesis", "00000001", "00000002", "00000003"):
        shutil.copy(fallback / f"{name}.bin", folder)
    step = STEP.decode((folder / "00000002.bin").read_bytes())
    time = keys.component(keys.TIME)
    changed = [(k, b"\x63\0\0\0" if k == time else v) for k, v in step.posterior.entries]
    (folder / "00000002.bin").write_bytes(STEP.encode(step._replace(posterior=raw_state(changed))))
    ran = run("conformance", "run", "--socket", either.path, folder, fallback)
    assert ran.code == 5
    assert re.search(
        r"^MISMATCH 00000002.bin of changed, slot 2:.*"
        r"^  time \(C11\)\n    expected  99\n    computed  2$",
        ran.out,
        re.MULTILINE | re.DOTALL,
    )
    assert "101 agreed, 1 mismatch" in ran.out


def test_wrongly_refused(target: Running, fallback: Path, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    folder.mkdir()
    for name in ("genesis", "00000001"):
        shutil.copy(fallback / f"{name}.bin", folder)
    step = STEP.decode((folder / "00000001.bin").read_bytes())
    head = step.block.header._replace(seal=bytes(96))
    block = step.block._replace(header=head)
    (folder / "00000001.bin").write_bytes(STEP.encode(step._replace(block=block)))
    ran = run("conformance", "run", "--socket", target.path, folder)
    assert ran.code == 4 and "target: header: " in ran.out


def test_target_that_is_not_there_or_leaves(fallback: Path, tmp_path: Path) -> None:
    path = fresh_socket()
    ran = run("conformance", "run", "--socket", path, fallback)
    assert ran.code == 6 and "no target answers" in ran.err
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        ran = run("conformance", "run", "--socket", path, fallback, "--timeout", "0.3")
    assert ran.code == 6 and "silent for 0.3 s" in ran.err
    shutil.rmtree(path.parent)


def test_started_by_the_environment_alone(fallback: Path, tmp_path: Path) -> None:
    variables = {
        "JAM_FUZZ": "1",
        "JAM_FUZZ_SPEC": "tiny",
        "JAM_FUZZ_DATA_PATH": str(tmp_path / "data"),
        "JAM_FUZZ_LOG_LEVEL": "debug",
    }
    with running_target(tmp_path, environment=variables) as running:
        assert replay(running, fallback)[0] == 0
        ended = running.end()
    assert ended.code == 0 and "ImportBlock" in ended.err
    assert len(list((tmp_path / "data").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JAM_FUZZ", "perhaps"),
        ("JAM_FUZZ_SPEC", "medium"),
        ("JAM_FUZZ_SPEC", "pyproject.toml"),
        ("JAM_FUZZ_DATA_PATH", "/dev/null/data"),
        ("JAM_FUZZ_LOG_LEVEL", "loud"),
        ("JAM_FUZZ_SOCK_PATH", "/nowhere/at/all"),
        ("JAM_FUZZ_SOCK_PATH", ""),
    ],
)
def test_bad_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.setenv("JAM_FUZZ", "1")
    monkeypatch.setenv("JAM_FUZZ_SOCK_PATH", str(tmp_path / "s"))
    monkeypatch.setenv(name, value)
    ran = run()
    assert ran.code == 2 and name in ran.err and "Traceback" not in ran.err
    assert not (tmp_path / "s").exists()


def test_no_wish_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAM_FUZZ", "0")
    assert "Commands:" in (ran := run()).out + ran.err


def test_places_where_no_socket_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "no socket is there" in run("fuzz", "--socket", tmp_path / "file").err
    assert (tmp_path / "file").read_text() == "mine"
    long = tmp_path / ("x" * 120)
    assert run("fuzz", "--socket", long).code == 3
    with running_target(tmp_path / "data") as running:
        assert "another process serves" in run("fuzz", "--socket", running.path).err
        assert running.connect().ask(HANDSHAKE)[0] == messages.PEER_INFO


def test_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    with running_target(tmp_path / "data", path=path) as running:
        assert running.connect().ask(HANDSHAKE)[0] == messages.PEER_INFO


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with running_target(tmp_path / "data") as running:
        peer = running.connect()
        assert peer.ask(HANDSHAKE)
        ended = running.end(number)
        assert ended.code == 0 and "Traceback" not in ended.err
        assert not running.path.exists() and peer.hear() == b""


def test_memory_stays_over_thousands_of_blocks(target: Running, conformance: Path) -> None:
    """Looped forks, each round beginning with a state: the resident set stops growing."""
    requests = exchange(conformance / "fuzz-proto" / "forks")
    peer = target.connect()
    peer.ask(requests[0])
    resident = []
    for round_number in range(30):
        for request in requests[1:]:
            assert peer.ask(request)
        if round_number in (9, 29):
            resident.append(target.rss())
    assert resident[1] - resident[0] < 1 << 20
    peer.close()


def test_large_state_there_and_back(either: Running, tmp_path: Path) -> None:
    """A state of 20 MB: built as it comes, sent as it is taken, by a peer that takes its time."""
    large = tuple((index.to_bytes(4, "big") + b"\xff" * 27, bytes(1000)) for index in range(1, 20000))
    entries = tuple(itertools.chain(minimal_state().entries, large))
    on_disk = (tmp_path / "states").exists()
    peer = either.connect()
    peer.ask(HANDSHAKE)
    before = either.rss()
    root = peer.ask(initialize_message(entries))
    assert root[0] == messages.STATE_ROOT and either.rss() - before < 56 << 20
    assert peer.ask(block_message())[0] == messages.ERROR
    held = either.rss()
    assert held - before < (20 << 20 if on_disk else 30 << 20)
    peer.say(messages.frame(messages.GET_STATE, encode_header(TINY, BLOCK.header).hash))
    other = either.connect()
    assert other.ask(HANDSHAKE)[0] == messages.PEER_INFO
    state = peer.hear()
    # A database fills its caches while it is read from end to end.
    caches = DEFAULT_CACHE_BYTES + DEFAULT_FILE_CACHE_BYTES if on_disk else 0
    assert len(state) > 20_000_000 and either.rss() - held < (8 << 20) + caches
    peer.close()
