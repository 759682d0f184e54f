"""One body for both stores: what they keep, what they forget, what they refuse."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jamliquor.errors import HostError, StoreError
from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.store.disk import DiskStore
from jamliquor.store.interface import Store
from jamliquor.store.memory import MemoryStore
from tests.support.stored_chain import Link, digest, first_record, key_pool, line, link, put

RNG = random.Random(5)
KEYS = key_pool(RNG, 120)
ENTRIES = [(key, RNG.randbytes(RNG.choice([1, 32, 33, 400]))) for key in KEYS[:90]]

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "disk", "disk, in strides"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore(TINY, keep_states=4)
    if request.param != "memory":
        stride = 1 if request.param == "disk" else 3
        made = DiskStore(tmp_path / "db", TINY, keep_states=4, stride=stride, cache_bytes=20_000)
    yield made
    made.close()


def begin(store: Store) -> State:
    state = State.from_entries(TINY, ENTRIES)
    return store.initialise(first_record(state), iter(ENTRIES))


def grown(store: Store, count: int) -> list[Link]:
    """A line of blocks, each final as soon as the next one is there."""
    state = begin(store)
    blocks = list(itertools.islice(line(first_record(state), state, random.Random(1), KEYS), count))
    for block in blocks:
        put(store, block)
        store.finalise(block.record.parent)
    return blocks


def test_a_new_store_is_empty(store: Store) -> None:
    assert (store.head, store.finalised, store.base) == (None, None, None)
    assert store.state(digest("x")) is None
    assert store.record(digest("x")) is None
    assert store.block(digest("x")) is None
    assert list(store.records(0, 1 << 40)) == []


def test_states_blocks_and_records_come_back(store: Store) -> None:
    blocks = grown(store, 20)
    model = dict(ENTRIES)
    expected = {}
    for block in blocks:
        model = {k: v for k, v in {**model, **block.changes}.items() if v is not None}
        expected[block.record.hash] = dict(model)
    assert store.head == blocks[-1].record.hash
    assert store.finalised == blocks[-2].record.hash
    for block in blocks:
        assert store.record(block.record.hash) == block.record
        assert store.block(block.record.hash) == block.body
        assert store.at_slot(block.record.slot) == [block.record.hash]
    assert list(store.records(1, 1 << 40)) == [block.record for block in blocks]
    for block in blocks[-4:]:
        state = store.state(block.record.hash)
        assert state is not None
        assert state.root == block.record.state_root
        assert dict(state.items()) == expected[block.record.hash]
        assert State.from_entries(TINY, state.items()).root == state.root
    assert store.state(blocks[8].record.hash) is None


def test_forks_live_until_they_are_dropped(store: Store) -> None:
    blocks = grown(store, 6)
    parent = blocks[-1].record
    state = store.state(parent.hash)
    assert state is not None
    forks = [link(parent, state, {KEYS[0]: bytes([name]) * 50}, name=name)[0] for name in range(3)]
    for fork in forks:
        put(store, fork)
    hashes = sorted(fork.record.hash for fork in forks)
    assert store.at_slot(parent.slot + 1) == hashes
    assert {store.state(one).get(KEYS[0]) for one in hashes} == {bytes([n]) * 50 for n in range(3)}  # type: ignore[union-attr]
    winner = forks[2].record.hash
    losers = [one for one in hashes if one != winner]
    store.finalise(winner, losers)
    assert store.at_slot(parent.slot + 1) == [winner]
    assert all(store.state(one) is None and store.block(one) is None for one in losers)
    assert store.state(winner) is not None


def test_a_state_left_behind_gives_no_wrong_data(store: Store) -> None:
    state = begin(store)
    blocks = list(itertools.islice(line(first_record(state), state, random.Random(2), KEYS), 40))
    kept = [put(store, block) for block in blocks]
    store.finalise(blocks[-1].record.hash)
    for block, old in zip(blocks, kept, strict=True):
        for key, value in block.changes.items():
            try:
                assert old.get(key) == value
            except HostError as error:
                assert "pruned" in str(error)
    newest = store.state(blocks[-1].record.hash)
    assert newest is not None
    assert State.from_entries(TINY, newest.items()).root == newest.root


def test_a_pinned_base_stays(store: Store) -> None:
    with pytest.raises(StoreError, match="no base"):
        store.pin()
    blocks = grown(store, 12)
    pinned = store.pin()
    before, parent = list(pinned.trie.items()), store.record(pinned.record.parent)
    assert pinned.record.hash == store.base and pinned.trie.root == pinned.record.state_root
    last = blocks[-1].record
    state = store.state(last.hash)
    assert state is not None
    for block in itertools.islice(line(last, state, random.Random(7), KEYS), 12):
        put(store, block)
        store.finalise(block.record.parent)
    store.prune_blocks(1 << 30, 1 << 30)
    assert store.state(pinned.record.hash) is None
    assert list(pinned.trie.items()) == before
    assert parent is not None and pinned.record_of(parent.hash) == parent
    pinned.release()
    store.pin().release()


def test_what_is_not_final_is_kept(store: Store) -> None:
    state = begin(store)
    blocks = list(itertools.islice(line(first_record(state), state, random.Random(3), KEYS), 30))
    for block in blocks:
        put(store, block)
    assert store.base == digest("genesis")
    assert all(store.state(block.record.hash) is not None for block in blocks)


def test_pruning_forgets_bodies_then_records(store: Store) -> None:
    blocks = grown(store, 60)
    base = store.record(store.base or b"")
    assert base is not None
    slot = blocks[30].record.slot
    reports = [store.prune_blocks(slot, slot, limit=7)]
    while not reports[-1].finished:
        reports.append(store.prune_blocks(slot, slot, limit=7))
    assert all(report.bodies + report.records <= 7 for report in reports)
    # The first block has a record and no body of its own.
    assert sum(report.bodies for report in reports) == 31
    assert reports[-1].bodies_before == slot
    oldest = base.slot - TINY.max_lookup_anchor_age
    for block in blocks:
        assert (store.block(block.record.hash) is None) == (block.record.slot < slot)
        assert (store.record(block.record.hash) is None) == (block.record.slot < min(slot, oldest))
    assert store.prune_blocks(slot, slot).bodies == 0


def test_pruning_spares_kept_states_and_lookup_anchors(store: Store) -> None:
    blocks = grown(store, 60)
    base = store.record(store.base or b"")
    assert base is not None
    report = store.prune_blocks(1 << 31, 1 << 31, limit=1000)
    assert report.finished
    assert report.bodies_before == base.slot
    assert report.records_before == base.slot - TINY.max_lookup_anchor_age
    for block in blocks:
        assert (store.block(block.record.hash) is None) == (block.record.slot < base.slot)


def test_blocks_that_do_not_fit_are_refused(store: Store) -> None:
    blocks = grown(store, 3)
    last = store.state(blocks[-1].record.hash)
    assert last is not None
    good, child = link(blocks[-1].record, last, {KEYS[0]: b"1"})
    wrong = [
        good.record._replace(parent=digest("nobody")),
        good.record._replace(number=9),
        good.record._replace(state_root=bytes(32)),
        blocks[-1].record._replace(parent=blocks[-1].record.hash),
    ]
    for record in wrong:
        with pytest.raises(StoreError):
            store.put(record, None, child, good.changes)
    with pytest.raises(StoreError, match="not kept"):
        store.set_head(digest("nobody"))
    with pytest.raises(StoreError, match="cannot be dropped"):
        store.finalise(blocks[-1].record.hash, [blocks[-1].record.hash])
    with pytest.raises(StoreError, match="not empty"):
        begin(store)
    assert store.head == blocks[-1].record.hash
    put(store, good)


def test_a_head_must_descend_from_what_is_final(store: Store) -> None:
    blocks = grown(store, 3)
    side, _ = link(blocks[0].record, store.state(blocks[0].record.hash), {}, slots=9)  # type: ignore[arg-type]
    child = store.state(blocks[0].record.hash).child({}, {})  # type: ignore[union-attr]
    store.put(side.record, side.body, child, {})
    with pytest.raises(StoreError, match="does not descend"):
        store.set_head(side.record.hash)
    with pytest.raises(StoreError, match="does not descend"):
        store.finalise(side.record.hash)


def test_entries_must_have_the_root_of_the_record(store: Store) -> None:
    with pytest.raises(StoreError, match="root"):
        store.initialise(first_record(State.from_entries(TINY, ENTRIES[1:])), iter(ENTRIES))
    begin(store)


def test_a_key_twice_is_refused(store: Store) -> None:
    record = first_record(State.from_entries(TINY, ENTRIES))
    with pytest.raises(ValueError, match="twice"):
        store.initialise(record, [*ENTRIES, ENTRIES[0]])
