"""A store stays within what its owner allows, and keeps what the chain needs."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.store.disk import DiskStore
from jamliquor.store.upkeep import Policy, Upkeep
from tests.support.stored_chain import Link, first_record, key_pool, line, put

RNG = random.Random(8)
KEYS = key_pool(RNG, 60)
ENTRIES = [(key, RNG.randbytes(100)) for key in KEYS[:50]]


def begun(path: Path) -> tuple[DiskStore, list[Link]]:
    store = DiskStore(path, TINY, keep_states=4, stride=2)
    state = State.from_entries(TINY, ENTRIES)
    record = first_record(state)
    store.initialise(record, iter(ENTRIES))
    return store, list(itertools.islice(line(record, state, random.Random(1), KEYS), 120))


def test_a_number_of_blocks_is_kept(tmp_path: Path) -> None:
    store, blocks = begun(tmp_path)
    upkeep = Upkeep(store, Policy(keep_blocks=20, keep_records=60), limit=8)
    for block in blocks:
        put(store, block)
        store.finalise(block.record.hash, durable=False)
        assert upkeep.step().bodies <= 8
    while not upkeep.step().finished:
        pass
    assert [store.block(block.record.hash) is not None for block in blocks] == [False] * 100 + [
        True
    ] * 20
    assert [store.record(block.record.hash) is not None for block in blocks] == [False] * 60 + [
        True
    ] * 60
    store.close()


def test_a_storage_budget_is_kept(tmp_path: Path) -> None:
    store, blocks = begun(tmp_path)
    budget = 6_000_000
    upkeep = Upkeep(store, Policy(storage_budget=budget), limit=8)
    largest = 0
    for block in blocks:
        put(store, block._replace(body=RNG.randbytes(200_000)))
        store.finalise(block.record.hash, durable=False)
        upkeep.step()
        largest = max(largest, store.size_on_disk)
    assert sum(store.block(block.record.hash) is not None for block in blocks) > 10
    assert store.block(blocks[-1].record.hash) is not None
    # The last group of writes, and what a write frees, is on disk besides.
    assert largest < 2 * budget
    store.sync()
    assert store.size_on_disk < 1.5 * budget
    assert store.verify() == []
    store.close()


def test_without_a_policy_everything_stays(tmp_path: Path) -> None:
    store, blocks = begun(tmp_path)
    for block in blocks[:30]:
        put(store, block)
        store.finalise(block.record.hash, durable=False)
    done = Upkeep(store, Policy()).step()
    assert (done.bodies, done.records, done.freed, done.finished) == (0, 0, 0, True)
    assert all(store.block(block.record.hash) == block.body for block in blocks[:30])
    store.close()
