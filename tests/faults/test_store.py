"""The store on disk under faults: killed, without power, without space, with errors, with flipped bits.

The number of rounds can be raised with JAMLIQUOR_FAULT_ROUNDS.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jamliquor.errors import HostError, StoreClosed, StoreError, StoreFull
from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.store._db import Trial
from jamliquor.store.disk import DiskStore
from tests.support.power import STYLES, apply, recorded, weathered
from tests.support.stored_chain import Link, first_record, key_pool, line, put

ROUNDS = int(os.environ.get("JAMLIQUOR_FAULT_ROUNDS", "25"))

RNG = random.Random(7)
KEYS = key_pool(RNG, 150)
ENTRIES = [(key, RNG.randbytes(RNG.choice([1, 32, 33, 400]))) for key in KEYS[:120]]
GENESIS = State.from_entries(TINY, ENTRIES)
FIRST = first_record(GENESIS)
# Their change sets have several parts.
BLOCKS = list(itertools.islice(line(FIRST, GENESIS, random.Random(1), KEYS, 40), 30))
NUMBERS = {FIRST.hash: 0} | {block.record.hash: block.record.number for block in BLOCKS}


NO_TRIAL = Trial()


def opened(path: Path, trial: Trial = NO_TRIAL) -> DiskStore:
    return DiskStore(path, TINY, keep_states=4, stride=3, cache_bytes=30_000, trial=trial)


def entries_after(number: int) -> dict[bytes, bytes]:
    model: dict[bytes, bytes | None] = dict(ENTRIES)
    for block in BLOCKS[:number]:
        model |= block.changes
    return {key: value for key, value in model.items() if value is not None}


EXPECTED = [entries_after(number) for number in range(len(BLOCKS) + 1)]


def is_durable(block: Link) -> bool:
    """Some blocks are put as in history, some as at the head of the chain."""
    return block.record.number % 4 == 0


def resume(store: DiskStore, report: bool = False) -> None:
    """Put what is missing of the chain, from wherever the store is; final behind the head."""
    if store.head is None:
        store.initialise(FIRST, iter(ENTRIES))
        if report:
            print(0, flush=True)
    head = store.record(store.head or b"")
    assert head is not None
    for block in BLOCKS[head.number :]:
        put(store, block, durable=is_durable(block))
        if block.record.number >= 2:
            store.finalise(BLOCKS[block.record.number - 2].record.hash, durable=False)
        if report and is_durable(block):
            print(block.record.number, flush=True)


def check_intact(store: DiskStore, acknowledged: int) -> None:
    """Nothing acknowledged is lost, and whatever is there is right."""
    if store.head is None:
        assert acknowledged < 0
        return
    number = NUMBERS[store.head]
    assert number >= acknowledged
    for block in BLOCKS[:number]:
        assert store.record(block.record.hash) == block.record
        assert store.block(block.record.hash) == block.body
    for block in BLOCKS[number:]:
        assert store.state(block.record.hash) is None
    state = store.state(store.head)
    assert state is not None
    assert dict(state.items()) == EXPECTED[number]
    assert State.from_entries(TINY, state.items()).root == state.root


def check_and_finish(path: Path, acknowledged: int) -> None:
    store = opened(path)
    check_intact(store, acknowledged)
    resume(store)
    check_intact(store, len(BLOCKS))
    assert store.verify() == []
    store.close()


def test_loss_of_power_anywhere(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    opened(tmp_path / "db").close()
    new = (tmp_path / "db" / "chain.db").read_bytes()
    store = opened(tmp_path / "db", Trial(journal=str(journal)))
    promised = [(0, -1)]
    store.initialise(FIRST, iter(ENTRIES))
    promised.append((journal.stat().st_size, 0))
    for block in BLOCKS:
        put(store, block, durable=is_durable(block))
        if block.record.number >= 2:
            store.finalise(BLOCKS[block.record.number - 2].record.hash, durable=False)
        if is_durable(block):
            promised.append((journal.stat().st_size, block.record.number))
    store.close()
    changes = recorded(journal)
    syncs = [index for index, change in enumerate(changes) if change.kind == "S"]
    rng = random.Random(11)
    cuts = sorted(rng.sample(range(len(changes)), min(4 * ROUNDS, len(changes))))
    for cut in cuts:
        last_sync = max((index for index in syncs if index < cut), default=0)
        image = bytearray(new)
        apply(image, changes[:last_sync])
        unsynced = changes[last_sync:cut]
        # Some losses leave everything that was written.
        style = rng.choice([*STYLES, ""])
        apply(image, weathered(unsynced, style, rng) if style else unsynced)
        reached = changes[cut - 1].end if cut else 0
        folder = tmp_path / "image"
        folder.mkdir()
        (folder / "chain.db").write_bytes(image)
        check_and_finish(folder, max(number for size, number in promised if size <= reached))
        shutil.rmtree(folder)


_CHILD = """
import sys
from pathlib import Path
from tests.faults.test_store import opened, resume
store = opened(Path(sys.argv[1]))
print("open", flush=True)
resume(store, report=True)
"""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    rng = random.Random(time.time_ns())
    acknowledged, rounds = -1, 0
    while rounds < ROUNDS:
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path / "db")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        time.sleep(rng.random() * 0.15)
        child.send_signal(signal.SIGKILL)
        lines = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        acknowledged = max([acknowledged, *map(int, lines)])
        rounds += 1
        store = opened(tmp_path / "db")
        check_intact(store, acknowledged)
        store.close()
        if acknowledged > 20:
            check_and_finish(tmp_path / "db", acknowledged)
            shutil.rmtree(tmp_path / "db")
            acknowledged = -1


def run_until_it_fails(path: Path, trial: Trial) -> int:
    """The last block that was promised to be durable before the disk failed; -1 for none."""
    promised = -1
    try:
        store = opened(path, trial)
    except StoreError:
        return promised
    try:
        store.initialise(FIRST, iter(ENTRIES))
        promised = 0
        for block in BLOCKS:
            put(store, block, durable=is_durable(block))
            if is_durable(block):
                promised = block.record.number
            if block.record.number >= 2:
                store.finalise(BLOCKS[block.record.number - 2].record.hash, durable=False)
    except StoreError as error:
        assert str(path) in str(error)
    with contextlib.suppress(StoreError):
        store.close()
    return promised


def test_an_error_at_any_write(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run_until_it_fails(tmp_path / "whole", Trial(journal=str(journal)))
    total = len(recorded(journal))
    for number in sorted(
        {1, 2, 3, *random.Random(3).sample(range(1, total), min(total - 1, 3 * ROUNDS))}
    ):
        path = tmp_path / f"db{number}"
        check_and_finish(path, run_until_it_fails(path, Trial(fail_at=number)))


@pytest.mark.parametrize("kib", [4, 60, 100, 200, 300, 500])
def test_a_disk_that_fills(tmp_path: Path, kib: int) -> None:
    promised = run_until_it_fails(tmp_path / "db", Trial(capacity=kib << 10))
    assert promised < len(BLOCKS)
    check_and_finish(tmp_path / "db", promised)


def test_only_the_write_that_failed_tells_why(tmp_path: Path) -> None:
    store = opened(tmp_path / "db", Trial(capacity=300 << 10))
    store.initialise(FIRST, iter(ENTRIES))
    refused = []
    for block in BLOCKS:
        try:
            put(store, block, durable=True)
        except StoreError as error:
            refused.append(error)
            with pytest.raises(StoreClosed, match="earlier failure"):
                put(store, block, durable=True)
            break
    assert [type(error) for error in refused] == [StoreFull]
    with contextlib.suppress(StoreError):
        store.close()


def test_a_flipped_bit_is_repaired_or_named(tmp_path: Path) -> None:
    store = opened(tmp_path / "db")
    resume(store)
    store.close()
    image = (tmp_path / "db" / "chain.db").read_bytes()
    rng = random.Random(13)
    used = [at for at in range(0, len(image), 64) if any(image[at : at + 64])]
    for _ in range(8 * ROUNDS):
        bad = bytearray(image)
        bad[rng.choice(used) + rng.randrange(64)] ^= 1 << rng.randrange(8)
        (tmp_path / "db" / "chain.db").write_bytes(bad)
        try:
            store = opened(tmp_path / "db")
        except HostError as error:
            assert str(error)
            continue
        missing = False
        try:
            missing = store.head != BLOCKS[-1].record.hash or not all_right(store)
        except HostError as error:
            assert str(error)
        if missing:
            assert store.verify()
        with contextlib.suppress(StoreError):
            store.close()


def all_right(store: DiskStore) -> bool:
    """Whether everything is there; what is there must be right."""
    whole = True
    for block in BLOCKS:
        state, body = store.state(block.record.hash), store.block(block.record.hash)
        assert body in (None, block.body)
        whole = whole and body is not None and store.record(block.record.hash) == block.record
        if state is not None:
            assert state.root == block.record.state_root
            assert dict(state.items()) == EXPECTED[block.record.number]
    return whole
