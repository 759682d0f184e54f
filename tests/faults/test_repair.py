"""Damage of the state on disk: what is repaired, by what, and what is only named."""

from __future__ import annotations

import itertools
import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jamliquor.chain import events
from jamliquor.chain.finality import Finality
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import HostError, StoreDamaged, StoreError
from jamliquor.node.directory import Directory
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.rebuilding import rebuild
from jamliquor.node.settings import Settings
from jamliquor.node.sources import open_source
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state.state import State
from jamliquor.store._db import Database, Table, Trial, Write
from jamliquor.store.directory import REBUILD_FOLDER
from jamliquor.store.disk import DiskStore
from jamliquor.store.snapshot_writer import write_snapshot
from jamliquor.types.header import Header
from tests.support import scripted_service
from tests.support.archives import write_archive
from tests.support.command import run
from tests.support.maker import Made, Maker, own_genesis
from tests.support.nodes import deliver, told, verdicts
from tests.support.stored_chain import key_pool, line, put

RNG = random.Random(21)
KEYS = key_pool(RNG, 900)
ENTRIES = [(key, RNG.randbytes(RNG.choice([1, 32, 33, 600]))) for key in KEYS[:700]]
GENESIS = State.from_entries(TINY, ENTRIES)
HEADER = codec(Header, TINY).encode(own_genesis().header)
FIRST = BlockRecord(blake2b(HEADER), bytes(32), 0, 0, GENESIS.root, False, HEADER)
BLOCKS = list(itertools.islice(line(FIRST, GENESIS, random.Random(2), KEYS), 30))
SETTINGS = Settings(finality=Finality(4))


def opened(path: Path, *, repair: bool = True) -> DiskStore:
    return DiskStore(path, TINY, keep_states=4, stride=3, cache_bytes=30_000, repair=repair)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of thirty blocks, with a snapshot of its first state."""
    path = tmp_path_factory.mktemp("whole") / "db"
    store = opened(path)
    store.initialise(FIRST, iter(ENTRIES))
    (path / "snapshots").mkdir()
    write_snapshot(path / "snapshots" / "a.jamsnap", store, FIRST.hash, TINY, FIRST.hash)
    store.close()
    store = opened(path)
    for number, block in enumerate(BLOCKS, 1):
        put(store, block, durable=True)
        if number > 2:
            store.finalise(BLOCKS[number - 3].record.hash)
    assert store.base == BLOCKS[26].record.hash or store.base == BLOCKS[24].record.hash
    store.close()
    return path


@pytest.fixture
def db(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "db")
    return tmp_path / "db"


def flip(path: Path, octets: bytes) -> None:
    """Flip a bit in every place of a file that holds some octets."""
    data = path.read_bytes()
    assert octets in data
    path.write_bytes(data.replace(octets, bytes([octets[0] ^ 1]) + octets[1:]))


def expected() -> dict[bytes, bytes]:
    model: dict[bytes, bytes | None] = dict(ENTRIES)
    for block in BLOCKS:
        model |= block.changes
    return {key: value for key, value in model.items() if value is not None}


EXPECTED = expected()


def value_on_disk(of_size: int) -> bytes:
    """A value of the first state that nothing changed, so that it lies in the base alone."""
    changed = {key for block in BLOCKS for key in block.changes}
    return next(value for key, value in ENTRIES if key not in changed and len(value) == of_size)


def test_a_page_that_the_start_needs_is_made_anew_at_once(db: Path) -> None:
    flip(db / "chain.db", value_on_disk(32))
    store = opened(db)
    assert [name[:9] for name in store.repaired] == ["trie page"]
    assert dict(store.state(store.head or b"").items()) == EXPECTED  # type: ignore[union-attr]
    store.close()


def test_a_value_is_made_anew_when_the_store_is_told_to_look(db: Path) -> None:
    flip(db / "chain.db", value_on_disk(600))
    store = opened(db)
    assert store.repaired == []
    with pytest.raises(StoreDamaged):
        dict(store.state(store.head or b"").items())  # type: ignore[union-attr]
    store.suspect()
    store.close()
    store = opened(db)
    assert len(store.repaired) == 1 and store.damage == ""
    assert dict(store.state(store.head or b"").items()) == EXPECTED  # type: ignore[union-attr]
    assert store.verify() == []
    store.close()
    store = opened(db)
    assert store.repaired == []
    store.close()


def test_bits_flipped_anywhere_are_repaired_or_named(whole: Path, db: Path) -> None:
    image = (whole / "chain.db").read_bytes()
    used = [at for at in range(0, len(image), 64) if any(image[at : at + 64])]
    rng = random.Random(5)
    repaired = named = 0
    for _ in range(60):
        bad = bytearray(image)
        for place in rng.sample(used, 3):
            bad[place + rng.randrange(64)] ^= 1 << rng.randrange(8)
        (db / "chain.db").write_bytes(bad)
        (db / "damaged").touch()
        try:
            store = opened(db)
        except HostError as error:
            assert str(error)
            named += 1
            continue
        repaired += bool(store.repaired)
        try:
            state = store.state(BLOCKS[-1].record.hash)
            if state is None or dict(state.items()) != EXPECTED:
                # The head went back, or something is damaged and named; never a wrong root.
                assert store.damage or store.verify()
        except HostError:
            assert store.damage
        finally:
            with_errors(store)
    assert repaired >= 10 and repaired + named < 60


def with_errors(store: DiskStore) -> None:
    try:
        store.close()
    except StoreError as error:
        assert str(error)


def test_a_snapshot_that_does_not_fit_repairs_nothing(db: Path) -> None:
    """Its entries are not what the base refers to, so nothing is written."""
    value = value_on_disk(600)
    flip(db / "chain.db", value)
    (db / "damaged").touch()
    snapshot = db / "snapshots" / "a.jamsnap"
    good = snapshot.read_bytes()
    bad = bytearray(good)
    bad[-1000] ^= 1
    for octets, reason in ((bytes(bad), "checksum"), (None, "no snapshot")):
        snapshot.unlink()
        if octets is not None:
            snapshot.write_bytes(octets)
        store = opened(db)
        assert store.repaired == [] and reason in store.damage and "value of key" in store.damage
        assert (db / "damaged").exists()
        store.close()
    snapshot.write_bytes(good)
    store = opened(db)
    assert len(store.repaired) == 1 and store.damage == ""
    store.close()


def test_changes_are_kept_for_repairs_and_no_longer(db: Path) -> None:
    def kept() -> list[int]:
        database = Database(db / "chain.db", 1 << 20, 1 << 20, Trial())
        rows = database.rows(Table.CHANGES, b"", b"\xff" * 64)
        numbers = [int.from_bytes(key[:8], "big") for key, _ in rows]
        database.close()
        return numbers

    assert kept() == list(range(1, 31))
    store = opened(db)
    store.prune_blocks(BLOCKS[9].record.slot + 1)
    store.close()
    assert kept() == list(range(11, 31))
    flip(db / "chain.db", value_on_disk(600))
    store = opened(db)
    store.mend()
    assert f"(slot {BLOCKS[9].record.slot}) are gone" in store.damage
    store.close()
    (db / "snapshots" / "a.jamsnap").unlink()
    store = opened(db)
    base = store.record(store.base or b"")
    parent, state = BLOCKS[-1].record, store.state(BLOCKS[-1].record.hash)
    assert base is not None and state is not None
    for block in itertools.islice(line(parent, state, random.Random(3), KEYS[700:]), 6):
        put(store, block)
        store.finalise(block.record.hash)
    moved = store.record(store.base or b"")
    assert moved is not None and moved.number > base.number
    store.close()
    assert min(kept()) == moved.number + 1


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    return maker.line(maker.root, range(1, 31))


@pytest.fixture(scope="module")
def archive(maker: Maker, main: list[Made], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive") / "chain.jam", maker, main)


@pytest.fixture(scope="module")
def node_db(archive: Path, main: list[Made], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node at block 24, with a snapshot of block 4."""
    path = tmp_path_factory.mktemp("node") / "db"
    with node_on(path, archive) as node:
        deliver(node, main[:8])
    assert run("snapshot", "create", path, "--at", main[3].hash.hex()).code == 0
    with node_on(path) as node:
        deliver(node, main[8:24])
    return path


@pytest.fixture
def damaged(node_db: Path, tmp_path: Path) -> Path:
    """The same, where a value is damaged that no block changes: the code of the service."""
    folder = tmp_path / "db"
    shutil.copytree(node_db, folder)
    flip(folder / "chain.db", scripted_service.code()[:200])
    return folder


@contextmanager
def node_on(folder: Path, archive: Path | None = None) -> Iterator[Node]:
    genesis = None if archive is None else open_source(archive, None).genesis
    directory = Directory(folder, genesis, keep_states=6)
    try:
        node = directory.node(NativeEngine(), SETTINGS)
        yield node
        node.close()
    finally:
        directory.close()


def read_all(node: Node) -> None:
    state = node.state_of(node.head)
    assert state is not None
    for _ in state.items():
        pass


def test_damage_met_while_importing_is_repaired_by_the_next_start(
    damaged: Path, main: list[Made]
) -> None:
    with pytest.raises(StoreDamaged, match="start again"), node_on(damaged) as node:
        try:
            node.receive(main[24].encoded)
            # No block calls the service whose code it is; a base that moves on reads it.
            with node._noticing():
                read_all(node)
        finally:
            node.close()
    with node_on(damaged) as node:
        assert "made anew" in node.recovered[0]
        read_all(node)
        assert verdicts(deliver(node, main[24:])) == [Verdict.KNOWN] + [Verdict.IMPORTED] * 5
        assert node.head == main[-1].hash
    found = told(damaged / "events", events.Recovered)
    assert [one.what for one in found] == [b"state"]  # type: ignore[union-attr]
    with node_on(damaged) as node:
        assert node.recovered == []


def test_the_command_repairs_or_names(damaged: Path) -> None:
    looked = run("repair", damaged, "--check", "--json")
    assert looked.code == 5 and "trie page" in json.loads(looked.out)["damage"][0]
    snapshots = damaged / "snapshots"
    snapshots.rename(damaged / "away")
    ran = run("repair", damaged)
    assert ran.code == 5 and "no snapshot" in ran.out
    refused = run("import", "--db", damaged, "--follow", damaged / "socket")
    assert refused.code == 6 and "repair --rebuild" in refused.err
    (damaged / "away").rename(snapshots)
    ran = run("repair", damaged)
    assert ran.code == 0 and "made anew" in ran.out
    assert run("repair", damaged, "--check").code == 0


def test_a_rebuilt_directory_is_what_it_was(
    damaged: Path, node_db: Path, archive: Path, main: list[Made]
) -> None:
    lost = Database(damaged / "chain.db", 1 << 20, 1 << 20, Trial())
    lost.commit([Write(Table.META, b"anchor", b"rubbish")], durable=True)
    lost.close()
    with pytest.raises(StoreDamaged, match="repair --rebuild"), node_on(damaged):
        pass
    for start in (None, archive):
        rebuilt = rebuild(damaged, NativeEngine(), start=start)
        expected = (4, 5, 20) if start is None else (0, 1, 24)
        assert (rebuilt.start_slot, rebuilt.copied, rebuilt.imported) == expected
        assert rebuilt.lost == 0 and not (damaged / REBUILD_FOLDER).exists()
        [*_, said] = told(damaged / "events", events.Recovered)
        assert str(start or "snapshots") in said.detail.decode()  # type: ignore[union-attr]
        with node_on(damaged) as node, node_on(node_db) as other:
            assert (node.head, node.finalised) == (other.head, other.finalised)
            read_all(node)
            for made in main[:24]:
                assert node.store.block(made.hash) == made.encoded
                assert node.store.record(made.hash) == other.store.record(made.hash)
            assert node.store.verify() == []  # type: ignore[attr-defined]


def test_an_older_format_is_migrated(damaged: Path, main: list[Made]) -> None:
    past = Database(damaged / "chain.db", 1 << 20, 1 << 20, Trial())
    past.commit(
        [Write(Table.META, b"format", b"0"), Write(Table.META, b"anchor", b"other")], durable=True
    )
    past.close()
    refused = run("import", "--db", damaged, "--follow", damaged / "socket")
    assert refused.code == 6 and f"jamliquor migrate {damaged}" in refused.err
    assert run("migrate", damaged).code == 0
    with node_on(damaged) as node:
        assert node.head == main[23].hash
        read_all(node)
    assert "needs no migration" in run("migrate", damaged).out


def test_a_rebuilding_that_fails_leaves_everything(
    damaged: Path, main: list[Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (damaged / "chain.db").stat().st_ino
    with pytest.raises(BadInput, match="of the state with root"):
        other = damaged / "other.jamsnap"
        store = opened(damaged.parent / "other")
        store.initialise(FIRST, iter(ENTRIES))
        _, genesis = directory_of(damaged)
        write_snapshot(other, store, FIRST.hash, TINY, genesis)
        store.close()
        rebuild(damaged, NativeEngine(), start=other)
    full = iter(range(5))

    def receive(node: Node, octets: bytes, *rest: object) -> list[object]:
        if next(full, None) is None:
            raise StoreError("no room")
        return real(node, octets, *rest)  # type: ignore[arg-type, return-value]

    real = Node.receive
    monkeypatch.setattr(Node, "receive", receive)
    with pytest.raises(StoreError, match="no room"):
        rebuild(damaged, NativeEngine())
    assert (damaged / "chain.db").stat().st_ino == before
    assert not (damaged / REBUILD_FOLDER).exists()
    monkeypatch.undo()
    (damaged / REBUILD_FOLDER).mkdir()
    (damaged / REBUILD_FOLDER / "chain.db").write_bytes(b"of an attempt that lost power")
    assert rebuild(damaged, NativeEngine()).head_slot == main[23].slot


def test_a_snapshot_of_no_use_is_no_beginning(damaged: Path) -> None:
    (next((damaged / "snapshots").iterdir())).unlink()
    with pytest.raises(StoreError, match="--start"):
        rebuild(damaged, NativeEngine())


def directory_of(folder: Path) -> tuple[object, bytes]:
    with Directory(folder, repair=False) as directory:
        return directory.params, directory.genesis
