"""What only a store on disk can show: reopening, refusals, space, counters."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from jamliquor.errors import StoreError
from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.store._db import Database, Table, Trial, Write
from jamliquor.store.disk import DiskStore
from tests.support.stored_chain import Link, digest, first_record, key_pool, line, put

RNG = random.Random(6)
KEYS = key_pool(RNG, 300)
ENTRIES = [(key, RNG.randbytes(RNG.choice([1, 32, 33, 400]))) for key in KEYS[:250]]


def opened(path: Path, **options: object) -> DiskStore:
    return DiskStore(path, TINY, keep_states=4, **{"stride": 1, **options})  # type: ignore[arg-type]


def filled(path: Path, count: int, **options: object) -> tuple[DiskStore, list[Link]]:
    store = opened(path, **options)
    state = State.from_entries(TINY, ENTRIES)
    record = first_record(state)
    store.initialise(record, iter(ENTRIES))
    blocks = list(itertools.islice(line(record, state, random.Random(1), KEYS), count))
    for block in blocks:
        put(store, block)
        store.finalise(block.record.parent, durable=False)
    return store, blocks


@pytest.mark.parametrize("stride", [1, 5])
def test_everything_is_there_after_reopening(tmp_path: Path, stride: int) -> None:
    store, blocks = filled(tmp_path, 25, stride=stride)
    before = {block.record.hash: store.state(block.record.hash) for block in blocks}
    places = (store.head, store.finalised, store.base)
    store.close()
    store = opened(tmp_path, genesis=digest("genesis"), stride=stride)
    assert (store.head, store.finalised, store.base) == places
    for block in blocks:
        state, old = store.state(block.record.hash), before[block.record.hash]
        assert (state is None) == (old is None)
        if state is not None:
            assert state.root == block.record.state_root
            assert State.from_entries(TINY, state.items()).root == state.root
    assert list(store.records(1, 1 << 40)) == [block.record for block in blocks]
    assert store.verify() == []
    for block in itertools.islice(
        line(blocks[-1].record, store.state(blocks[-1].record.hash), RNG, KEYS), 9
    ):  # type: ignore[arg-type]
        put(store, block)
    store.close()


def test_a_load_that_was_interrupted_starts_again(tmp_path: Path) -> None:
    store = opened(tmp_path)

    def broken() -> object:
        yield from ENTRIES
        yield KEYS[299], bytes(5 << 20)
        raise KeyboardInterrupt

    state = State.from_entries(TINY, ENTRIES)
    with pytest.raises(KeyboardInterrupt):
        store.initialise(first_record(state), broken())  # type: ignore[arg-type]
    store.close()
    store = opened(tmp_path, genesis=digest("another"))
    assert store.head is None
    assert store.initialise(first_record(state), iter(ENTRIES)).root == state.root
    store.close()


def test_another_chain_is_refused_by_name(tmp_path: Path) -> None:
    store, blocks = filled(tmp_path, 1)
    store.close()
    with pytest.raises(StoreError) as caught:
        opened(tmp_path, genesis=digest("another"))
    assert digest("another").hex() in str(caught.value)
    assert digest("genesis").hex() in str(caught.value)
    store = opened(tmp_path, genesis=digest("genesis"))
    assert store.head == blocks[-1].record.hash
    assert store.verify() == []
    store.close()


@pytest.mark.parametrize(("version", "advice"), [(b"1", "jamliquor migrate"), (b"4", "update")])
def test_another_format_is_refused(tmp_path: Path, version: bytes, advice: str) -> None:
    store, _ = filled(tmp_path, 1)
    store.close()
    database = Database(tmp_path / "chain.db", 1 << 20, 1 << 20, Trial())
    database.commit([Write(Table.META, b"format", version)], durable=True)
    database.close()
    told = f"has format {version.decode()}, this version reads format 3; .*{advice}"
    with pytest.raises(StoreError, match=told):
        opened(tmp_path)


def test_an_older_format_that_can_be_read_is_marked_as_the_present_one(tmp_path: Path) -> None:
    store, blocks = filled(tmp_path, 3)
    store.close()
    database = Database(tmp_path / "chain.db", 1 << 20, 1 << 20, Trial())
    database.commit([Write(Table.META, b"format", b"2")], durable=True)
    database.close()
    with pytest.raises(StoreError, match="belongs to the chain"):
        opened(tmp_path, genesis=digest("another"))
    database = Database(tmp_path / "chain.db", 1 << 20, 1 << 20, Trial())
    assert database.get(Table.META, b"format") == b"2"
    database.close()
    store = opened(tmp_path)
    assert store.head == blocks[-1].record.hash and store.verify() == []
    store.close()
    database = Database(tmp_path / "chain.db", 1 << 20, 1 << 20, Trial())
    assert database.get(Table.META, b"format") == b"3"
    database.close()


def test_a_second_user_is_refused(tmp_path: Path) -> None:
    store, _ = filled(tmp_path, 1)
    program = (
        "import sys; from jamliquor.params import TINY; from jamliquor.store.disk import DiskStore\n"
        "try: DiskStore(sys.argv[1], TINY)\n"
        "except Exception as error: print(error)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"{tmp_path}: another process uses this directory\n"
    store.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chain.db").write_bytes(b"something else" * 1000)
    with pytest.raises(StoreError, match=r"chain\.db: "):
        opened(tmp_path)
    assert (tmp_path / "chain.db").read_bytes() == b"something else" * 1000


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_path_that_is_no_directory_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=f"{tmp_path}/file"):
        opened(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=f"{tmp_path}.*Permission denied"):
        opened(tmp_path / "db")


def test_space_comes_back(tmp_path: Path) -> None:
    store, blocks = filled(tmp_path, 40)
    parent = store.state(blocks[-1].record.hash)
    assert parent is not None
    for block in itertools.islice(line(blocks[-1].record, parent, RNG, KEYS), 40):
        put(store, block._replace(body=RNG.randbytes(100_000)))
        store.finalise(block.record.hash, durable=False)
    store.sync()
    assert store.size_on_disk > 4_000_000
    while not store.prune_blocks(1 << 31).finished:
        pass
    assert store.compact() > 2_000_000
    assert store.size_on_disk < 2_000_000
    assert store.verify() == []
    store.close()


def test_counters_tell_hits_from_misses(tmp_path: Path) -> None:
    filled(tmp_path, 8)[0].close()
    store = opened(tmp_path)
    head = store.state(store.head or b"")
    assert head is not None
    # A value beyond a kilobyte is looked up twice, the second time with room for it.
    small = [key for key in KEYS if len(head.get(key) or b"") < 1000]
    start = store.counters
    for key in [*small, *small]:
        head.get(key)
    end = store.counters
    reads = len(small)
    assert end.value_hits + end.value_misses - start.value_hits - start.value_misses == 2 * reads
    assert end.value_misses == start.value_misses > len(small) / 8
    assert end.page_misses > 0
    assert 0 < end.cache_bytes < 8 << 20
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store, blocks = filled(tmp_path, 8)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.block(blocks[0].record.hash)
