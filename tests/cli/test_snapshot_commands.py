"""Snapshots, proofs and witnesses on the command line, as a person would use them."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jamliquor.cli.main import commands
from jamliquor.node import restoring
from jamliquor.node.restoring import contents_of
from jamliquor.params import TINY
from jamliquor.store.disk import DiskStore
from jamliquor.store.snapshot import Contents, SnapshotReader
from jamliquor.store.snapshot_writer import write_snapshot
from tests.support.archives import write_archive
from tests.support.command import COMMAND, Ran, run
from tests.support.maker import Made, Maker

LAST = 40


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, range(1, LAST + 1))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, maker: Maker, main: list[Made]) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "chain.jam", maker, main)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "db"
    assert run("import", archive, "--db", folder, "--finality", "depth:8").code == 0
    return folder


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory, db: Path) -> Path:
    path = tmp_path_factory.mktemp("snapshots") / "tiny.jamsnap"
    assert run("snapshot", "create", db, path).code == 0
    return path


def told(*arguments: object) -> dict[str, Any]:
    ran = run(*arguments, "--json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def one_line_error(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran
    assert len(ran.err.splitlines()) == 1 and ran.err.startswith("Error: "), ran.err
    for word in words:
        assert word in ran.err, ran.err


def test_create_verify_list(snapshot: Path, main: list[Made]) -> None:
    shown = told("snapshot", "verify", snapshot)
    final = main[LAST - 9]
    assert (shown["slot"], shown["block"]) == (final.slot, "0x" + final.hash.hex())
    assert shown["state_root"] == "0x" + final.state.root.hex() and shown["ancestors"] == 24
    listed = json.loads(run("snapshot", "list", snapshot.parent, "--json").out)
    assert [row["block"] for row in listed] == [shown["block"]]
    for slots, wanted in (
        (("--from", final.slot), 1),
        (("--from", final.slot + 1), 0),
        (("--from", 0, "--to", final.slot), 1),
        (("--to", final.slot - 1), 0),
    ):
        rows = json.loads(run("snapshot", "list", snapshot.parent, *slots, "--json").out)
        assert len(rows) == wanted, slots
    assert (
        f"slot {final.slot}, {len(final.state.trie)} entries"
        in run("snapshot", "list", snapshot.parent).out
    )


def test_the_log_tells_of_a_snapshot(db: Path, snapshot: Path) -> None:
    ran = run("events", "tail", db)
    assert snapshot.name in ran.out, ran


def test_a_second_board_goes_on_and_writes_the_same_file(
    tmp_path: Path, snapshot: Path, archive: Path, main: list[Made]
) -> None:
    assert run("snapshot", "restore", snapshot, tmp_path / "db").code == 0
    assert told("snapshot", "create", tmp_path / "db", tmp_path / "again")["finished"]
    assert (tmp_path / "again").read_bytes() == snapshot.read_bytes()
    end = told("import", archive, "--db", tmp_path / "db", "--finality", "depth:8")
    assert end["head"]["hash"] == "0x" + main[-1].hash.hex()
    assert end["outcomes"]["imported"] == 8


def test_import_from_a_snapshot_and_once_more(
    tmp_path: Path, snapshot: Path, archive: Path, main: list[Made]
) -> None:
    arguments = ("import", archive, "--db", tmp_path / "db", "--from-snapshot", snapshot)
    assert told(*arguments)["state_root"] == "0x" + main[-1].state.root.hex()
    again = run(*arguments)
    assert again.code == 0 and "not needed" in again.err


def test_ctrl_c_and_the_same_command_again(tmp_path: Path, db: Path, snapshot: Path) -> None:
    """A stop that comes at once leaves a part, unless the snapshot was quicker."""
    path = tmp_path / "s.jamsnap"
    process = subprocess.Popen([*COMMAND, "snapshot", "create", str(db), str(path)])
    while not path.exists() and not (tmp_path / "s.jamsnap.part").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.wait(60)
    if not path.exists():
        assert run("snapshot", "create", db, path).code == 0
    assert path.read_bytes() == snapshot.read_bytes()


def test_a_node_removes_snapshots_while_they_are_looked_at(
    tmp_path: Path, snapshot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a.jamsnap", "b.jamsnap", "c.jamsnap.part")
    for name in names:
        (tmp_path / name).write_bytes(snapshot.read_bytes())

    def look(path: Path) -> Contents:
        (tmp_path / names[0]).unlink(missing_ok=True)
        (tmp_path / names[2]).unlink(missing_ok=True)
        return contents_of(path)

    monkeypatch.setattr(restoring, "contents_of", look)
    ran = CliRunner().invoke(commands, ["snapshot", "list", str(tmp_path), "--json"])
    assert ran.exit_code == 0
    assert [Path(row["file"]).name for row in json.loads(ran.stdout)] == ["b.jamsnap"]
    verify = SnapshotReader.verify

    def finish(reader: SnapshotReader) -> None:
        (tmp_path / names[1]).unlink()
        verify(reader)

    monkeypatch.setattr(SnapshotReader, "verify", finish)
    ran = CliRunner().invoke(commands, ["snapshot", "verify", str(tmp_path / names[1]), "--json"])
    assert ran.exit_code == 0 and json.loads(ran.stdout)["octets"] == snapshot.stat().st_size


def changed(snapshot: Path, path: Path, place: int, value: int | None = None) -> Path:
    octets = bytearray(snapshot.read_bytes())
    octets[place] = octets[place] ^ 1 if value is None else value
    path.write_bytes(octets)
    return path


@pytest.mark.parametrize("command", ["verify", "restore", "import"])
def test_bad_snapshots_are_named_and_change_nothing(
    tmp_path: Path, snapshot: Path, command: str
) -> None:
    short = tmp_path / "short"
    short.write_bytes(snapshot.read_bytes()[:-50])
    notes = tmp_path / "notes"
    notes.write_text("no snapshot at all")
    for path, words in (
        (changed(snapshot, tmp_path / "damaged", -1000), ("checksum", "damaged")),
        (changed(snapshot, tmp_path / "newer", 7, 2), ("format 2", "update")),
        (short, ("cut short",)),
        (notes, ("no snapshot",)),
        (tmp_path / "missing", ("does not exist",)),
    ):
        arguments = {
            "verify": ("snapshot", "verify", path),
            "restore": ("snapshot", "restore", path, tmp_path / "db"),
            "import": ("import", "--db", tmp_path / "db", "--from-snapshot", path),
        }[command]
        one_line_error(run(*arguments), 3, str(path), *words)
        assert not (tmp_path / "db").exists()


def test_a_snapshot_of_another_chain_is_refused(
    tmp_path: Path, snapshot: Path, db: Path, maker: Maker
) -> None:
    wrong = "0x" + "11" * 32
    restored = run("snapshot", "restore", snapshot, tmp_path / "db", "--genesis", wrong)
    one_line_error(restored, 3, str(snapshot), wrong, "0x" + maker.root.hex())
    one_line_error(run("snapshot", "verify", snapshot, "--root", wrong), 3, wrong)
    assert not (tmp_path / "db").exists()
    one_line_error(run("snapshot", "restore", snapshot, db), 6, str(db), "not empty")


def test_a_directory_of_another_chain_is_left_alone(tmp_path: Path, db: Path, maker: Maker) -> None:
    store = DiskStore(db, TINY)
    assert store.head is not None
    write_snapshot(tmp_path / "other", store, store.head, TINY, b"\7" * 32)
    store.close()
    before = told("inspect", "head", db)
    ran = run("import", "--db", db, "--from-snapshot", tmp_path / "other")
    one_line_error(ran, 6, str(db), "0x" + maker.root.hex(), "0x" + "07" * 32)
    assert told("inspect", "head", db) == before


def test_nothing_is_overwritten(db: Path, snapshot: Path) -> None:
    before = snapshot.read_bytes()
    one_line_error(run("snapshot", "create", db, snapshot), 3, str(snapshot), "exists")
    assert snapshot.read_bytes() == before


def test_proofs(tmp_path: Path, db: Path, main: list[Made]) -> None:
    root = "0x" + main[-1].state.root.hex()
    path = tmp_path / "proof.json"
    assert run("proof", "create", db, "0x0b", "--out", path).code == 0
    shown = told("proof", "verify", path, "--root", root)
    assert [row["value"] for row in shown["entries"]] == ["0x" + LAST.to_bytes(4, "little").hex()]
    assert run("proof", "create", db, "01", "10", "--out", path).code == 0
    assert len(told("proof", "verify", path, "--root", root)["entries"]) == 16
    one_line_error(run("proof", "verify", path, "--root", "11" * 32), 3, str(path), "root")
    record = json.loads(path.read_text())
    del record["entries"][3]
    path.write_text(json.dumps(record))
    one_line_error(run("proof", "verify", path, "--root", root), 3, str(path), "missing")
    path.write_text(json.dumps({**record, "format": 9}))
    one_line_error(run("proof", "verify", path, "--root", root), 3, "format 9")
    path.write_text("[]")
    one_line_error(run("proof", "verify", path, "--root", root), 3, "no proof")


def test_witnesses(tmp_path: Path, db: Path, main: list[Made]) -> None:
    block, path = tmp_path / "block.bin", tmp_path / "w"
    block.write_bytes(main[-1].encoded)
    assert run("witness", "create", block, path, "--db", db).code == 0
    root = "0x" + main[-1].state.root.hex()
    shown = told("validate", "--witness", path, block, "--root", root)
    assert shown["root"] == root and shown["anchors_checked"]
    by_hash = run("witness", "create", main[-1].hash.hex(), tmp_path / "same", "--db", db)
    assert by_hash.code == 0 and (tmp_path / "same").read_bytes() == path.read_bytes()
    assert run("validate", "--witness", path, block, "--root", "11" * 32).code == 5
    block.write_bytes(main[-2].encoded)
    ran = run("validate", "--witness", path, block)
    one_line_error(ran, 3, "0x" + main[-2].parent.hex())
    block.write_bytes(main[-1].encoded[:-1] + b"\7")
    assert run("validate", "--witness", path, block).code in (3, 4)
    path.write_bytes(path.read_bytes()[:-1])
    block.write_bytes(main[-1].encoded)
    one_line_error(run("validate", "--witness", path, block), 3, str(path), "cut short")
