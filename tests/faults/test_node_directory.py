"""A node's directory after damage: what is put right at the start, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jamliquor.chain.finality import Finality
from jamliquor.errors import StoreError
from jamliquor.node.directory import Directory
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.settings import Settings
from jamliquor.node.sources import open_source
from jamliquor.pvm.engine import NativeEngine
from jamliquor.store._db import Database, Table, Trial, Write
from jamliquor.store.rows import changes_key
from tests.support.archives import write_archive
from tests.support.maker import Made, Maker
from tests.support.nodes import deliver, replayed, verdicts

SETTINGS = Settings(finality=Finality(4))


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, range(1, 21))


def opened(folder: Path, archive: Path | None = None) -> tuple[Directory, Node]:
    genesis = None if archive is None else open_source(archive, None).genesis
    directory = Directory(folder, genesis, keep_states=6)
    return directory, directory.node(NativeEngine(), SETTINGS)


@pytest.fixture
def db(tmp_path: Path, maker: Maker, main: list[Made]) -> Path:
    archive = write_archive(tmp_path / "chain.jam", maker, [])
    directory, node = opened(tmp_path / "db", archive)
    assert verdicts(deliver(node, main)) == [Verdict.IMPORTED] * 20
    node.close()
    directory.close()
    return tmp_path / "db"


def write_rows(db: Path, *writes: Write) -> None:
    """Change rows behind the store's back."""
    database = Database(db / "chain.db", 1 << 20, 1 << 20, Trial())
    database.commit(writes, durable=True)
    database.close()


def changes_row(made: Made, row: bytes | None) -> Write:
    return Write(Table.CHANGES, changes_key(made.slot, made.hash), row)


@pytest.mark.parametrize("row", [None, b"", b"\xff" * 50])
def test_a_head_without_its_state_is_imported_again(
    db: Path, maker: Maker, main: list[Made], row: bytes | None
) -> None:
    write_rows(db, changes_row(main[17], row))
    directory, node = opened(db)
    assert node.recovered == ["3 states were missing: their blocks were imported again"]
    assert node.head == main[-1].hash == directory.store.head
    assert all(directory.store.state(made.hash) for made in main[15:])
    node.close()
    directory.close()
    directory, node = opened(db)
    assert node.recovered == [] and node.head == main[-1].hash
    node.close()
    directory.close()
    assert replayed(maker, db / "events").head == main[-1].hash


def test_a_head_that_cannot_be_made_again_goes_back(db: Path, maker: Maker, main: list[Made]) -> None:
    write_rows(db, changes_row(main[18], None), Write(Table.BLOCKS, main[18].hash, None))
    directory, node = opened(db)
    assert node.head == main[17].hash and "the head is now" in node.recovered[0]
    assert verdicts(deliver(node, main[18:])) == [Verdict.IMPORTED] * 2
    node.close()
    directory.close()
    assert replayed(maker, db / "events").head == main[-1].hash


def test_a_final_state_that_is_missing_is_refused(db: Path, main: list[Made]) -> None:
    write_rows(db, changes_row(main[15], None))
    with pytest.raises(StoreError, match=main[15].hash.hex()):
        opened(db)


def test_another_format_is_refused(db: Path) -> None:
    write_rows(db, Write(Table.META, b"format", b"0"))
    before = (db / "events" / "00000001.log").read_bytes()
    with pytest.raises(StoreError, match="format 0"):
        opened(db)
    assert (db / "events" / "00000001.log").read_bytes() == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "{}",
        lambda text: text[:40],
        lambda text: json.dumps({**json.loads(text), "genesis": "zz"}),
        lambda text: json.dumps({**json.loads(text), "protocol_parameters": "00"}),
    ],
)
def test_a_damaged_description_of_the_chain(db: Path, spoil: Callable[[str], str]) -> None:
    path = db / "chain.json"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(StoreError, match=r"chain\.json: damaged"):
        opened(db)


def test_a_directory_in_use(db: Path) -> None:
    directory, node = opened(db)
    with pytest.raises(StoreError, match="another process uses"):
        opened(db)
    node.close()
    directory.close()
