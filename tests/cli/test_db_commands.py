"""Commands on a node's directory, as a person or a service manager would run them."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jamliquor.codec import codec
from jamliquor.types.block import Block
from tests.support.archives import write_archive
from tests.support.command import COMMAND, Ran, run
from tests.support.maker import Made, Maker
from tests.support.service import Service, ended, until

SLOTS = range(1, 41)


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, SLOTS)


@pytest.fixture(scope="module")
def side(maker: Maker, main: list[Made]) -> list[Made]:
    """A fork on slot 35 that overtakes the main line."""
    return maker.line(main[34].hash, range(43, 46))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, maker: Maker, main: list[Made]) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "chain.jam", maker, main)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Path:
    """A directory with the whole main line; for tests that only look."""
    folder = tmp_path_factory.mktemp("filled") / "db"
    assert run("import", archive, "--db", folder, "--finality", "depth:8").code == 0
    return folder


@pytest.fixture
def db(filled: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(filled, tmp_path / "db"))


def head_of(folder: Path) -> dict[str, Any]:
    ran = run("inspect", "head", folder, "--json")
    assert ran.code == 0, ran.err
    head: dict[str, Any] = json.loads(ran.out)["head"]
    return head


def one_line_error(ran: Ran, code: int, *words: str) -> None:
    """The command ended with one line on stderr that names the things."""
    assert ran.code == code, ran
    last = ran.err.splitlines()[-1]
    assert last.startswith("Error: ") and "bug" not in last
    for word in words:
        assert word in last, ran.err


def listing(folder: Path) -> dict[str, bytes]:
    """All files but the lock and their contents."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def test_import_continues_from_the_head(
    tmp_path: Path, maker: Maker, main: list[Made], archive: Path
) -> None:
    folder = tmp_path / "db"
    first = write_archive(tmp_path / "first.jam", maker, main[:15])
    ran = run("import", first, "--db", folder, "--json")
    assert ran.code == 0 and json.loads(ran.out)["outcomes"]["imported"] == 15
    assert head_of(folder)["hash"] == "0x" + main[14].hash.hex()
    ran = run("import", archive, "--db", folder, "--json")
    record = json.loads(ran.out)
    assert ran.code == 0 and record["outcomes"]["imported"] == 25
    assert record["outcomes"]["known"] == 15 and record["recovered"] == []
    assert record["head"]["hash"] == "0x" + main[-1].hash.hex()
    assert record["state_root"] == "0x" + main[-1].root.hex()
    assert max(map(len, run("import", archive, "--db", folder).out.splitlines())) <= 80


def test_every_kind_of_source(tmp_path: Path, maker: Maker, main: list[Made], archive: Path) -> None:
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    for number, made in enumerate(main[15:25]):
        (blocks / f"{number:08}.block").write_bytes(made.encoded)
    single = tmp_path / "single.bin"
    single.write_bytes(main[25].encoded)
    folder = tmp_path / "db"
    first = write_archive(tmp_path / "first.jam", maker, main[:15])
    with first.open("rb") as file:
        piped = subprocess.run(
            [*COMMAND, "import", "-", "--db", str(folder)], stdin=file, capture_output=True, check=False
        )
    assert piped.returncode == 0, piped.stderr
    ran = run("import", blocks, single, "--db", folder, "--json")
    assert ran.code == 0 and json.loads(ran.out)["outcomes"]["imported"] == 11, ran.err
    assert head_of(folder)["slot"] == 26


def test_blocks_out_of_order_are_held(tmp_path: Path, maker: Maker, main: list[Made]) -> None:
    mixed = write_archive(tmp_path / "mixed.jam", maker, [*main[5:20], *reversed(main[:5])])
    ran = run("import", mixed, "--db", tmp_path / "db", "--json")
    assert ran.code == 0 and json.loads(ran.out)["outcomes"]["imported"] == 20
    assert head_of(tmp_path / "db")["slot"] == 20


def test_a_missing_parent_is_named(tmp_path: Path, maker: Maker, main: list[Made]) -> None:
    holes = write_archive(tmp_path / "holes.jam", maker, [*main[:5], *main[6:9]])
    ran = run("import", holes, "--db", tmp_path / "db")
    one_line_error(ran, 3, "holes.jam", "0x" + main[5].hash.hex(), "3 blocks waited")
    assert head_of(tmp_path / "db")["slot"] == 5
    told = run("events", "scan", tmp_path / "db", "--kind", "dropped", "--json").out.splitlines()
    assert [json.loads(line)["reason"] for line in told] == ["its source ended"] * 3


def test_a_directory_of_another_chain(db: Path, tmp_path: Path, main: list[Made]) -> None:
    from jamliquor.author.genesis import genesis  # noqa: PLC0415
    from jamliquor.params import TINY  # noqa: PLC0415
    from jamliquor.store.archive import ArchiveWriter  # noqa: PLC0415
    from tests.support.maker import validator_keys  # noqa: PLC0415

    other = genesis(TINY, validator_keys(1))
    with ArchiveWriter(tmp_path / "other.jam", TINY, other.header, other.state.root) as archive:
        archive.entries(other.state.items())
    before = listing(db)
    ran = run("import", tmp_path / "other.jam", "--db", db)
    one_line_error(ran, 6, str(db), "0x" + other.hash.hex())
    after = listing(db)
    assert {name for name in before if before[name] != after[name]} <= {
        "events/00000001.log",
        "chain.db",
    }
    assert head_of(db)["hash"] == "0x" + main[-1].hash.hex()


@pytest.mark.parametrize("cut", [4, 100, 5000, -3])
def test_an_archive_cut_short(tmp_path: Path, archive: Path, cut: int) -> None:
    (tmp_path / "cut.jam").write_bytes(archive.read_bytes()[:cut])
    ran = run("import", tmp_path / "cut.jam", "--db", tmp_path / "db")
    one_line_error(ran, 3, "cut.jam")
    assert run("import", archive, "--db", tmp_path / "db").code == 0, "what is there can be continued"
    assert head_of(tmp_path / "db")["slot"] == 40


def test_places_that_cannot_be_used(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    one_line_error(run("import", archive, "--db", tmp_path / "file" / "db"), 6, "file")
    one_line_error(run("import", tmp_path / "nothing.jam", "--db", tmp_path / "db"), 3, "nothing.jam")
    one_line_error(run("inspect", "head", tmp_path / "empty"), 6, "empty", "holds no chain")
    one_line_error(run("events", "tail", tmp_path / "empty"), 6, "empty", "no event log")
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    one_line_error(run("import", blocks, "--db", tmp_path / "db"), 3, "blocks", "no blocks")
    assert not (tmp_path / "db").exists() and not (tmp_path / "empty").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    one_line_error(run("import", archive, "--db", tmp_path / "closed" / "db"), 6, "closed")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--finality", "depth:2"],
        ["--follow", "somewhere"],
        ["--db", "db", "--each", "x"],
        ["--db", "db"],
        [],
        ["-"],
        ["x", "--db", "db", "--finality", "soon"],
        ["x", "--db", "db", "--storage-budget", "lots"],
        ["x", "--db", "db", "--keep-states", "0"],
        ["x", "--db", "db", "--snapshot-every", "0"],
        ["x", "--db", "db", "--keep-snapshots", "2"],
        ["x", "--snapshot-every", "2"],
        ["x", "--db", "db", "--snapshot-every", "20", "--keep-blocks", "20"],
    ],
)
def test_options_that_make_no_sense(arguments: list[str]) -> None:
    assert run("import", *arguments).code == 2


def test_snapshots_that_could_repair_nothing(tmp_path: Path, archive: Path) -> None:
    options = (archive, "--db", tmp_path / "db", "--keep-blocks", 20, "--snapshot-every")
    ran = run("import", *options, 21)
    assert ran.code == 2 and "--snapshot-every 21 must be less than --keep-blocks 20" in ran.err
    assert not (tmp_path / "db").exists() and run("import", *options, 19).code == 0


def test_a_block_that_must_be_refused(db: Path, tmp_path: Path, maker: Maker) -> None:
    head = max(maker.made.values(), key=lambda made: made.slot if made.slot <= 40 else 0)
    bad = maker.make(head.hash, 50).block
    bad = bad._replace(header=bad.header._replace(seal=bytes(96)))
    (tmp_path / "bad.bin").write_bytes(codec(Block, maker.params).encode(bad))
    ran = run("import", tmp_path / "bad.bin", "--db", db)
    assert ran.code == 4 and "bad_seal" in ran.err and "1 refused" in ran.out
    assert head_of(db)["slot"] == 40


def test_inspect(db: Path, main: list[Made], maker: Maker) -> None:
    head = json.loads(run("inspect", "head", db, "--json").out)
    assert head["finalised"]["slot"] == 32
    assert 20 <= head["base"]["slot"] <= 25, "sixteen states are kept, and a few between two moves"
    assert "slot 40" in run("inspect", "head", db).out
    block = json.loads(run("inspect", "block", db, "33", "--json").out)
    assert block["hash"] == "0x" + main[32].hash.hex() and block["octets"] == len(main[32].encoded)
    by_hash = json.loads(run("inspect", "block", db, block["hash"], "--json").out)
    assert by_hash == block and "fallback key" in run("inspect", "block", db).out
    history = run("inspect", "history", db, "--from", "10", "--to", "12", "--json").out.splitlines()
    assert [json.loads(line)["slot"] for line in history] == [10, 11, 12]
    table = run("inspect", "history", db, "--from", "39").out.splitlines()
    assert len(table) == 3 and table[0].split()[0] == "slot" and "yes" in table[2]
    service = json.loads(run("inspect", "service", db, "1000", "--json").out)
    account = main[-1].state.account(1000)
    assert account is not None and service["balance"] == account.balance
    entries = [
        json.loads(line) for line in run("inspect", "state", db, "--values", "--json").out.splitlines()
    ]
    found = [(bytes.fromhex(one["key"][2:]), bytes.fromhex(one["value"][2:])) for one in entries]
    assert found == list(main[-1].state.items())
    some = run("inspect", "state", db, "--from", "0b", "--to", "0b", "--at", "30").out
    assert "time (C11)" in some and len(some.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["block", "99"],
        ["block", "zz"],
        ["block", "0x" + "11" * 32],
        ["service", "7"],
        ["state", "--at", "3"],
        ["state", "--from", "xyz"],
    ],
)
def test_inspect_what_is_not_there(filled: Path, arguments: list[str]) -> None:
    ran = run("inspect", arguments[0], filled, *arguments[1:])
    assert ran.code == 2 and ran.err.splitlines()[-1].startswith("Error: ")


def test_tree_with_forks(db: Path, tmp_path: Path, maker: Maker, side: list[Made]) -> None:
    forks = write_archive(tmp_path / "forks.jam", maker, side)
    assert run("import", forks, "--db", db, "--finality", "manual").code == 0
    rows = [json.loads(line) for line in run("inspect", "tree", db, "--json").out.splitlines()]
    assert [row["slot"] for row in rows] == [*range(32, 41), 43, 44, 45]
    assert [row["slot"] for row in rows if row["leaf"]] == [40, 45]
    assert [row["slot"] for row in rows if row["best"]] == [45]
    assert "| slot 43" in run("inspect", "tree", db).out
    [moved] = run("events", "scan", db, "--kind", "reorganised", "--json").out.splitlines()
    assert json.loads(moved)["left"] == 5 and json.loads(moved)["entered"] == 1
    ran = run("prune", db, "--finalise", "0x" + side[0].hash.hex(), "--json")
    assert ran.code == 0 and json.loads(ran.out)["finalised"]["slot"] == 43
    assert run("inspect", "block", db, "38").code == 2
    assert run("prune", db, "--finalise", "0x" + side[0].parent.hex()).code == 2
    assert run("events", "replay", db).code == 0


def test_prune(db: Path) -> None:
    ran = run("prune", db, "--finalise", "head", "--keep-blocks", "5", "--json")
    record = json.loads(ran.out)
    assert ran.code == 0 and record["finalised"]["slot"] == 40 and record["bodies"] > 15
    history = run("inspect", "history", db, "--json").out.splitlines()
    bodies = {json.loads(line)["slot"] for line in history if json.loads(line)["body"]}
    assert min(bodies) > 20 and max(bodies) == 40
    assert run("prune", db, "--compact").code == 0


def test_events(filled: Path, archive: Path) -> None:
    last = run("events", "tail", filled, "-n", "1").out
    assert "stopped" in last and "reason=done" in last
    lines = run("events", "scan", filled, "--json").out.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["kind"] == "started" and rows[0]["chain"] == "tiny"
    assert sum(row["kind"] == "imported" for row in rows) == 40
    part = run("events", "scan", filled, "--from", "5", "--to", "7").out.splitlines()
    assert [int(line.split()[0]) for line in part] == [5, 6, 7]
    assert run("events", "scan", filled, "--kind", "nothing").code == 2
    assert "whole: events 1 to" in run("events", "verify", filled).out
    replayed = json.loads(run("events", "replay", filled, "--with", archive, "--json").out)
    assert replayed["executed"] == 40 and replayed["skipped"] == 0 and replayed["checked"] >= 3
    kept = json.loads(run("events", "replay", filled, "--execute", "--json").out)
    base = json.loads(run("inspect", "head", filled, "--json").out)["base"]["slot"]
    assert kept["executed"] == 40 - base and kept["digest"] == replayed["digest"]


def test_damaged_events_are_found(db: Path) -> None:
    [log] = (db / "events").glob("*.log")
    octets = bytearray(log.read_bytes())
    octets[len(octets) // 2] ^= 8
    log.write_bytes(octets)
    ran = run("events", "verify", db)
    assert ran.code == 5 and "checksum" in ran.out and "DAMAGED" in ran.out


def test_a_torn_log_is_cut_at_the_next_start(db: Path, archive: Path) -> None:
    [log] = (db / "events").glob("*.log")
    log.write_bytes(log.read_bytes()[:-7])
    ran = run("import", archive, "--db", db)
    assert ran.code == 0 and "cut back to byte" in ran.err
    assert run("events", "verify", db).code == 0 and run("events", "replay", db).code == 0


@pytest.fixture
def start(db: Path) -> Iterator[Callable[..., Service]]:
    with ended() as running:

        def begin(follow: Path, *options: str) -> Service:
            running.append(Service(db, follow, *options))
            return running[-1]

        yield begin


def imported(folder: Path) -> int:
    lines = run("events", "scan", folder, "--kind", "imported").out.splitlines()
    return len(lines)


def test_follow_a_folder(
    start: Callable[..., Service], db: Path, tmp_path: Path, side: list[Made]
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "1.block").write_bytes(side[0].encoded)
    service = start(inbox)
    for number, made in enumerate(reversed(side[1:]), 2):
        (inbox / f"{number}.part").write_bytes(made.encoded)
        (inbox / f"{number}.part").rename(inbox / f"{number}.block")
    until(lambda: imported(db) == 43)
    second = run("import", "--db", db, "--follow", inbox)
    one_line_error(second, 6, str(db), "another process")
    record = service.stop()
    assert record["head"]["hash"] == "0x" + side[-1].hash.hex()
    assert record["outcomes"]["imported"] == 3
    assert "reason=stopped" in run("events", "tail", db, "-n", "1").out


def test_follow_a_socket(
    start: Callable[..., Service], db: Path, tmp_path: Path, side: list[Made]
) -> None:
    path = tmp_path / "blocks.sock"
    service = start(path)
    assert path.stat().st_mode & 0o777 == 0o700 & ~0o077 or not path.stat().st_mode & 0o077
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(20)
        answers = client.makefile("r")
        for made in side:
            client.sendall(len(made.encoded).to_bytes(4, "little") + made.encoded)
            assert answers.readline() == f"imported 0x{made.hash.hex()} {made.slot}\n"
        client.sendall((5).to_bytes(4, "little") + b"wrong")
        assert answers.readline().startswith("refused 0x")
        client.sendall((1 << 31).to_bytes(4, "little"))
        assert "nothing has" in answers.readline() and answers.readline() == ""
    record = service.stop()
    assert record["head"]["hash"] == "0x" + side[-1].hash.hex() and not path.exists()


def test_a_killed_service_starts_again(
    start: Callable[..., Service], db: Path, tmp_path: Path, side: list[Made]
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    service = start(inbox)
    for made in side[:2]:
        (inbox / f"{made.slot}.block").write_bytes(made.encoded)
    until(lambda: imported(db) == 42)
    service.process.kill()
    service.process.wait()
    (inbox / "45.block").write_bytes(side[2].encoded)
    again = start(inbox)
    until(lambda: '"slot": 45' in run("events", "tail", db, "--json", "-n", "5").out)
    assert again.stop()["head"]["slot"] == 45
    assert run("events", "replay", db).code == 0


def test_a_full_disk_stops_the_service_until_there_is_room(
    start: Callable[..., Service], db: Path, tmp_path: Path, maker: Maker, main: list[Made]
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    more = maker.line(main[-1].hash, range(60, 160))
    service = start(inbox, "--finality", "manual")
    unlimited = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    room = (db / "chain.db").stat().st_size
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (room, unlimited[1]))
    for made in more:
        (inbox / f"{made.slot:05}.part").write_bytes(made.encoded)
        (inbox / f"{made.slot:05}.part").rename(inbox / f"{made.slot:05}.block")
    told = service.wait_for("trying again")
    assert "chain.db" in told or "event log" in told
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, unlimited)
    until(lambda: '"slot": 159' in run("events", "tail", db, "--json", "-n", "4").out)
    record = service.stop()
    assert record["head"]["hash"] == "0x" + more[-1].hash.hex()
    assert run("events", "replay", db).code == 0 and run("events", "verify", db).code == 0


def test_a_full_disk_ends_an_import_that_says_so_and_loses_nothing(
    tmp_path: Path, db: Path, maker: Maker, main: list[Made]
) -> None:
    more = maker.line(main[-1].hash, range(60, 160))
    for made in more:
        (tmp_path / f"{made.slot:05}.bin").write_bytes(made.encoded)
    blocks = sorted(tmp_path.glob("*.bin"))
    # sh counts in blocks of 512 octets: less than the database has by now.
    limited = ("sh", "-c", 'ulimit -f 1000; exec "$@"', "sh", *COMMAND)
    ran = run("import", *blocks, "--db", db, "--finality", "depth:8", before=limited)
    one_line_error(ran, 6, "chain.db: File too large")
    assert run("import", *blocks, "--db", db, "--finality", "depth:8").code == 0
    assert head_of(db)["hash"] == "0x" + more[-1].hash.hex()
