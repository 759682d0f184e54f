"""Blocks of a directory as an archive, and the archive as a directory again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import write_archive
from tests.support.command import Ran, run
from tests.support.maker import Made, Maker


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, range(1, 41))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, maker: Maker, main: list[Made]) -> Path:
    fork = maker.make(main[35].hash, 50)
    path = tmp_path_factory.mktemp("archive") / "chain.jam"
    return write_archive(path, maker, [*main[:36], fork, *main[36:], maker.make(main[39].hash, 51)])


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "db"
    assert run("import", archive, "--db", folder, "--finality", "depth:8").code == 0
    return folder


def told(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def head(db: Path) -> Any:
    return told(run("inspect", "head", db, "--json"))["head"]


def test_an_archive_of_everything_gives_the_same_head(tmp_path: Path, db: Path, archive: Path) -> None:
    path = tmp_path / "out.jam"
    found = told(run("export", db, "--out", path, "--genesis", archive, "--json"))
    assert (found["blocks"], found["first_slot"], found["last_slot"]) == (41, 1, 51)
    assert found["entries"] and found["octets"] == path.stat().st_size
    assert run("import", path, "--db", tmp_path / "db").code == 0
    assert head(tmp_path / "db") == head(db)


def test_a_part_goes_on_where_another_ends(tmp_path: Path, db: Path, archive: Path) -> None:
    parts = [tmp_path / "one.jam", tmp_path / "two.jam"]
    run("export", db, "--to", "20", "--out", parts[0], "--genesis", archive)
    ran = run("export", db, "--from", "21", "--out", parts[1])
    assert "21 blocks, slots 21 to 51" in ran.out and "without the state" in ran.out
    assert run("import", *parts, "--db", tmp_path / "db").code == 0
    assert head(tmp_path / "db") == head(db)
    alone = run("import", parts[1], "--db", tmp_path / "new")
    assert alone.code == 6 and "root" in alone.err


def test_what_cannot_be_written(tmp_path: Path, db: Path, maker: Maker, archive: Path) -> None:
    there = tmp_path / "there.jam"
    there.write_bytes(b"mine")
    refused = run("export", db, "--out", there)
    assert refused.code == 3 and "exists" in refused.err and there.read_bytes() == b"mine"
    pruned = tmp_path / "db"
    assert run("import", archive, "--db", pruned, "--finality", "depth:2").code == 0
    assert run("prune", pruned, "--keep-blocks", "30").code == 0
    refused = run("export", pruned, "--out", tmp_path / "b.jam")
    assert refused.code == 6 and "name a source with it: --genesis" in refused.err
    from_archive = ("export", pruned, "--genesis", archive, "--out")
    assert told(run(*from_archive, tmp_path / "a.jam", "--json"))["first_slot"] > 1
    refused = run(*from_archive, tmp_path / "b.jam", "--from", "1")
    assert refused.code == 6 and "dropped" in refused.err
    refused = run("export", db, "--from", "9", "--to", "8", "--out", tmp_path / "b.jam")
    assert refused.code == 2 and "nothing to write" in refused.err
    assert [path.name for path in tmp_path.iterdir() if "b.jam" in path.name] == []


def test_events_by_slot(db: Path) -> None:
    ran = run(
        "events", "scan", db, "--from-slot", "10", "--to-slot", "11", "--kind", "imported", "--json"
    )
    assert [json.loads(line)["slot"] for line in ran.out.splitlines()] == [10, 11]
