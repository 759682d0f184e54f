"""``snapshot`` beside a running node, as a person uses it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jamliquor.node.asking import RunningNode
from jamliquor.node.questions import BadQuestion
from tests.support.archives import write_archive
from tests.support.command import COMMAND, Ran, run
from tests.support.maker import Made, Maker, own_genesis
from tests.support.service import Service, ended, until

NOTE = "answered by the running node\n"


@pytest.fixture(scope="module")
def maker() -> Maker:
    """A maker whose states have three chunks."""
    rng = random.Random(5)
    entries: dict[bytes, bytes | None] = {
        b"\xfe" + number.to_bytes(30, "big"): rng.randbytes(16000) for number in range(40)
    }
    first = own_genesis()
    return Maker(start=(first.hash, first.state.child({}, entries)))


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, range(1, 81))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, maker: Maker, main: list[Made]) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "chain.jam", maker, main[:60])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "db"
    assert run("import", archive, "--db", folder, "--finality", "depth:8").code == 0
    return folder


@pytest.fixture
def db(filled: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(filled, tmp_path / "db"))


@pytest.fixture
def start(db: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts a node on the directory; a held one finishes no snapshot until there is a file gate."""
    with ended() as running:

        def begin(*, held: bool = False) -> Service:
            command = holding(tmp_path / "gate") if held else COMMAND
            options = ("--finality", "depth:8")
            running.append(Service(db, tmp_path / "blocks", *options, command=command))
            return running[-1]

        (tmp_path / "blocks").mkdir()
        yield begin


def holding(gate: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", "tests.support.held_node", str(gate))


class Creating:
    """``snapshot create`` that goes on beside the test."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "snapshot", "create", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> Ran:
        out, err = self.process.communicate(timeout=30)
        return Ran(self.process.returncode, out, err)


def base(db: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("inspect", "head", db, "--json").out)["base"]
    return found


def offline(db: Path, block: str, file: Path) -> dict[str, Any]:
    """What the command makes of the same block where no node runs."""
    ran = run("snapshot", "create", db, file, "--at", block, "--json")
    assert ran.code == 0, ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def one_line_error(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code and len(ran.err.splitlines()) == 1 and ran.err.startswith("Error: "), ran
    for word in words:
        assert word in ran.err, ran.err


def written(db: Path, file: Path) -> int:
    """Entries that the running node has written so far."""
    try:
        entries: int = RunningNode(db).ask("snapshot_progress", file=str(file))["entries"]
    except BadQuestion:
        return 0
    return entries


def part_of(file: Path) -> Path:
    return file.with_name(file.name + ".part")


def test_the_file_and_the_result_are_those_of_a_stopped_node(
    db: Path, start: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service = start()
    ran = run("snapshot", "create", "db", "s.jamsnap", "--json")
    assert ran.code == 0 and ran.err == ""
    told = json.loads(ran.out)
    ran = run("snapshot", "create", db)
    assert ran.code == 0 and ran.err == NOTE
    [usual] = (db / "snapshots").iterdir()
    shown = dict(line.split(maxsplit=1) for line in ran.out.splitlines() if "seconds" not in line)
    assert shown["file"] == str(usual) and shown["finished"] == "True"
    logged = run("events", "scan", db, "--kind", "snapshot_taken", "--json").out.splitlines()
    assert [json.loads(line)["path"] for line in logged] == [str(tmp_path / "s.jamsnap"), str(usual)]
    verified = run("snapshot", "verify", usual, "--json")
    assert verified.code == 0 and json.loads(verified.out)["block"] == told["block"]
    listed = run("snapshot", "list", db / "snapshots")
    assert listed.code == 0 and listed.out.startswith(usual.name)
    assert told["block"] == base(db)["hash"]
    service.stop()
    expected = offline(db, told["block"], tmp_path / "expected")
    for name in ("block", "entries", "resumed", "octets", "finished"):
        assert told[name] == expected[name]
    assert told.keys() == expected.keys() and told["file"] == "s.jamsnap"
    octets = (tmp_path / "expected").read_bytes()
    assert usual.read_bytes() == octets == Path("s.jamsnap").read_bytes()


def test_what_cannot_be_asked_for(
    db: Path, start: Callable[..., Service], tmp_path: Path, main: list[Made]
) -> None:
    service = start()
    block = base(db)["hash"]
    other = "0x" + main[-1].hash.hex()
    one_line_error(run("snapshot", "create", db, "--at", other), 6, "stop it first", block)
    assert run("snapshot", "create", db, "--at", "soon").code == 2
    one_line_error(run("snapshot", "create", db, tmp_path / "no" / "s"), 6, "No such file", "s.part")
    assert run("snapshot", "create", db, "--at", block, "--quiet") == (0, "", "")
    one_line_error(run("snapshot", "create", db), 3, str(db / "snapshots"), "exists already; remove")
    [usual] = (db / "snapshots").iterdir()
    one_line_error(run("snapshot", "create", db, usual), 3, str(usual), "exists already; remove")
    (tmp_path / "s.part").mkdir()
    one_line_error(run("snapshot", "create", db, tmp_path / "s"), 6, "cannot be written")
    assert service.stop()["head"]["slot"] == 60


def test_two_ask_at_once(db: Path, start: Callable[..., Service], tmp_path: Path) -> None:
    service = start(held=True)
    first, second = tmp_path / "first", tmp_path / "second"
    creating = Creating(db, first)
    until(part_of(first).exists)
    one_line_error(run("snapshot", "create", db, second), 6, str(first), "is being written")
    one_line_error(run("snapshot", "create", db, first), 6, str(first), "is being written")
    assert run("inspect", "head", db).err == NOTE
    assert not first.exists()
    (tmp_path / "gate").touch()
    assert creating.end().code == 0
    assert run("snapshot", "create", db, second).code == 0
    assert first.read_bytes() == second.read_bytes()
    service.stop()


def test_blocks_that_come_meanwhile(
    db: Path, start: Callable[..., Service], tmp_path: Path, maker: Maker, main: list[Made]
) -> None:
    """The file is of the state on disk as it was at the beginning."""
    service = start(held=True)
    file, before = tmp_path / "s.jamsnap", base(db)
    creating = Creating(db, file, "--json")
    until(lambda: written(db, file) > 0)
    for made in main[60:]:
        (tmp_path / "blocks" / "new").write_bytes(made.encoded)
        (tmp_path / "blocks" / "new").rename(tmp_path / "blocks" / f"{made.slot}.block")
    until(lambda: base(db)["slot"] > before["slot"] + 10)
    (tmp_path / "gate").touch()
    ran = creating.end()
    assert ran.code == 0 and json.loads(ran.out)["block"] == before["hash"]
    assert run("snapshot", "verify", file, "--root", before["state_root"]).code == 0
    service.stop()
    with_less = tmp_path / "with-less"
    archive = write_archive(tmp_path / "less.jam", maker, main[: before["slot"]])
    assert run("import", archive, "--db", with_less).code == 0
    offline(with_less, before["hash"], tmp_path / "expected")
    assert file.read_bytes() == (tmp_path / "expected").read_bytes()


def test_ctrl_c_stops_it_and_it_is_gone_on_with(
    db: Path, start: Callable[..., Service], tmp_path: Path
) -> None:
    service = start(held=True)
    file = tmp_path / "s.jamsnap"
    creating = Creating(db, file, "--json")
    until(lambda: written(db, file) > 0)
    creating.send(signal.SIGINT)
    ran = creating.end()
    told = json.loads(ran.out)
    assert ran.code == 130 and not told["finished"] and told["entries"] > 0
    assert f"stopped after {told['entries']} entries; it can be gone on with" in ran.err
    assert part_of(file).exists() and not file.exists()
    (tmp_path / "gate").touch()
    again = json.loads(run("snapshot", "create", db, file, "--json").out)
    assert again["finished"] and again["resumed"] == told["entries"]
    service.stop()
    offline(db, told["block"], tmp_path / "expected")
    assert file.read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_client_that_is_gone_does_not_stop_it(
    db: Path, start: Callable[..., Service], tmp_path: Path
) -> None:
    service = start(held=True)
    file = tmp_path / "s.jamsnap"
    creating = Creating(db, file)
    until(part_of(file).exists)
    creating.send(signal.SIGKILL)
    assert creating.end().code == -signal.SIGKILL
    (tmp_path / "gate").touch()
    assert str(file) in service.wait_for("snapshot of slot")
    assert run("snapshot", "verify", file).code == 0
    service.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_node_that_ends_in_the_middle(
    db: Path, start: Callable[..., Service], tmp_path: Path, number: signal.Signals
) -> None:
    """What it had written is gone on with, by a stopped node too."""
    service = start(held=True)
    file = tmp_path / "s.jamsnap"
    creating = Creating(db, file)
    until(lambda: written(db, file) > 0)
    block = base(db)["hash"]
    service.process.send_signal(number)
    service.process.wait(20)
    ran = creating.end()
    assert ran.code == 6 and str(file) in ran.err and "Error: " in ran.err, ran
    assert "stopped" in ran.err and len(ran.err.splitlines()) == 1
    assert not file.exists() and part_of(file).exists()
    again = json.loads(run("snapshot", "create", db, file, "--json").out)
    assert again["block"] == block and again["finished"]
    offline(db, block, tmp_path / "expected")
    assert file.read_bytes() == (tmp_path / "expected").read_bytes()


def test_the_end_of_an_import_answers(tmp_path: Path, archive: Path) -> None:
    """While it waits for a snapshot; one who asked for it hears of it though the import ends then."""
    db, gate, file = tmp_path / "db", tmp_path / "gate", tmp_path / "s.jamsnap"
    options = ["--finality", "depth:8", "--snapshot-every", "1000", "--quiet"]
    process = subprocess.Popen(
        [*holding(gate), "import", str(archive), "--db", str(db), *options], stderr=subprocess.PIPE
    )
    try:
        until(lambda: bool(list(db.glob("snapshots/*.part"))) and base(db)["slot"] > 16)
        ran = run("inspect", "head", db)
        assert ran.code == 0 and ran.err == NOTE and "slot 60" in ran.out
        one_line_error(run("snapshot", "create", db, file), 6, "is being written")
        gate.touch()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
    assert [path.suffix for path in (db / "snapshots").iterdir()] == [".jamsnap"]


def test_who_waits_for_an_import_that_then_ends(
    tmp_path: Path, archive: Path, main: list[Made]
) -> None:
    db, gate, file = tmp_path / "db", tmp_path / "gate", tmp_path / "s.jamsnap"
    octets = archive.read_bytes()
    some = len(octets) - sum(len(made.encoded) + 9 for made in main[30:60])
    process = subprocess.Popen(
        [*holding(gate), "import", "-", "--db", str(db), "--finality", "depth:8", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(octets[:some])
    process.stdin.flush()
    until((db / "control").exists)
    creating = Creating(db, file, "--json")
    until(part_of(file).exists)
    process.stdin.write(octets[some:])
    process.stdin.close()
    until(lambda: "slot 60" in run("inspect", "head", db).out)
    gate.touch()
    assert process.wait(20) == 0
    assert process.stdout is not None
    assert json.loads(process.stdout.read())["head"]["slot"] == 60
    process.stdout.close()
    ran = creating.end()
    told = json.loads(ran.out)
    assert ran.code == 0 and told["finished"] and told["octets"] == file.stat().st_size
    verified = json.loads(run("snapshot", "verify", file, "--json").out)
    assert verified["entries"] == told["entries"] and verified["block"] == told["block"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_node_that_sees_other_folders(db: Path, tmp_path: Path) -> None:
    """As a service manager's PrivateTmp= has it."""
    private = tmp_path / "private"
    private.mkdir()
    mount = f"mount -t tmpfs tmpfs {private} && exec " + '"$@"'
    command = ("unshare", "--mount", "sh", "-c", mount, "sh", *COMMAND)
    if subprocess.run([*command[:-3], "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount")
    (tmp_path / "blocks").mkdir()
    service = Service(db, tmp_path / "blocks", command=command)
    try:
        ran = run("snapshot", "create", db, private / "s.jamsnap")
        one_line_error(ran, 6, str(private), "sees another folder there", "leave FILE out")
        assert run("snapshot", "create", db).code == 0
        assert list(private.iterdir()) == []
    finally:
        service.stop()
