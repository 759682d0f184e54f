"""Loss of power, errors and full disks at every change that a node makes of its database's file.

``python -m tests.faults.power --every`` starts a node on every prefix of a recorded run, with what was
not synced dropped, torn by sectors, or reordered; then it lets every single change fail, and fills the
disk at every length that the file has. The short test draws some of these (``test_power.py``).

The event log has no share in the recording: it is never synced by itself, so that it may be older or
newer than the database. Each start finds all of it, a torn part of it, or none.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from jamliquor.chain.finality import Finality
from jamliquor.errors import StoreError
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.settings import Settings
from jamliquor.params import TINY
from jamliquor.store._db import Trial
from jamliquor.store.disk import DiskStore
from tests.support.maker import Made, Maker
from tests.support.nodes import initialise, node_on
from tests.support.power import STYLES, Change, apply, recorded, weathered

BLOCKS = 12
SETTINGS = Settings(finality=Finality(2), sync_blocks=3, keep_blocks=3)
NO_TRIAL = Trial()


@functools.cache
def chain() -> tuple[Maker, list[Made]]:
    """The chain of every run: a line with one fork in it."""
    maker = Maker()
    line = maker.line(maker.root, [*range(1, 6), *range(7, BLOCKS + 2)])
    return maker, [*line[:5], maker.make(line[3].hash, 6), *line[5:]]


class Recording(NamedTuple):
    """A run, as it can be played again.

    Attributes:
        new: the file as it was before.
        promised: length of the journal at some moments, and the slot of the last synced block then.
        log: the event log at the end.
    """

    new: bytes
    changes: list[Change]
    promised: list[tuple[int, int]]
    log: bytes


def store_in(folder: Path, trial: Trial = NO_TRIAL) -> DiskStore:
    """The store of every run: its base moves often."""
    return DiskStore(folder, TINY, keep_states=2, stride=2, cache_bytes=30_000, trial=trial)


def drive(node: Node, note: Callable[[int], object]) -> None:
    """Give a node the chain and have it prune; notes the slots up to which everything was synced."""
    for number, made in enumerate(chain()[1]):
        node.receive(made.encoded, "run")
        if number % 4 == 3:
            node.prune(everything=True)
        if not node._unsynced:
            note(made.slot)


def record(folder: Path) -> Recording:
    """Run a node on a new directory, and record what happens to its file."""
    journal = folder / "journal"
    store_in(folder / "db").close()
    new = (folder / "db" / "chain.db").read_bytes()
    store = store_in(folder / "db", Trial(journal=str(journal)))
    promised = [(0, -1)]
    initialise(store, chain()[0])
    promised.append((journal.stat().st_size, 0))
    node = node_on(store, folder / "db" / "events", SETTINGS)
    drive(node, lambda slot: promised.append((journal.stat().st_size, slot)))
    node.close()
    store.close()
    log = (folder / "db" / "events" / "00000001.log").read_bytes()
    return Recording(new, recorded(journal), promised, log)


def start_and_finish(folder: Path, least: int) -> None:
    """Start a node on what is left: nothing promised is lost, everything is right, and it goes on.

    Args:
        least: slot of the last block that was synced; -1 if not even the first was.
    """
    maker, blocks = chain()
    store = store_in(folder)
    if store.head is None:
        assert least < 0, "the genesis was synced and is gone"
        initialise(store, maker)
    node = node_on(store, folder / "events", SETTINGS)
    assert node.head_record.slot >= least, f"slot {least} was synced, the head is before it"
    for one in node.tree:
        state = store.state(one.hash)
        assert state is not None and state.root == one.state_root
    for made in blocks:
        outcomes = node.receive(made.encoded, "again")
        assert outcomes[0].verdict is not Verdict.REFUSED
    assert node.head == blocks[-1].hash
    state = store.state(node.head)
    assert state is not None and dict(state.items()) == dict(blocks[-1].state.items())
    node.close()
    assert store.verify() == []
    store.close()


def images(recording: Recording, style: str, rng: random.Random) -> Iterator[tuple[bytes, int]]:
    """The file after a loss of power behind each change, and the slot that was promised by then."""
    whole = bytearray(recording.new)
    changes, synced = recording.changes, 0
    for cut in range(len(changes) + 1):
        image = bytearray(whole)
        apply(image, weathered(changes[synced:cut], style, rng))
        reached = changes[cut - 1].end if cut else 0
        yield bytes(image), max(slot for size, slot in recording.promised if size <= reached)
        if cut < len(changes) and changes[cut].kind == "S":
            apply(whole, changes[synced : cut + 1])
            synced = cut + 1


def lose_power(recording: Recording, image: bytes, least: int, rng: random.Random) -> None:
    """Start on an image, beside a log that is whole, torn or missing."""
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        folder = Path(name)
        (folder / "chain.db").write_bytes(image)
        log = recording.log[: rng.choice([0, len(recording.log), rng.randrange(len(recording.log))])]
        if log:
            (folder / "events").mkdir()
            (folder / "events" / "00000001.log").write_bytes(log)
        start_and_finish(folder, least)


def fail(trial: Trial) -> None:
    """Run on a disk that fails, then start on what it left, on one that does not."""
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        folder, synced = Path(name), [-1]
        store = None
        try:
            store = store_in(folder, trial)
            initialise(store, chain()[0])
            synced.append(0)
            drive(node_on(store, folder / "events", SETTINGS), synced.append)
        except StoreError as error:
            assert str(error)
        if store is not None:
            with contextlib.suppress(StoreError):
                store.close()
        start_and_finish(folder, synced[-1])


def lengths(recording: Recording) -> list[int]:
    """Lengths at which a disk is full in mid-run: each that the file has, and a little less."""
    found = {change.place for change in recording.changes if change.kind == "L"}
    return sorted({size - less for size in found for less in (1, 4096)} | {4096})


def main() -> int:
    """Run everything, or every ``--step``-th thing; say what was run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--every", action="store_true", help="every prefix, change and length")
    which.add_argument("--step", type=int, metavar="N", help="every Nth of them")
    parser.add_argument("--seed", type=int, default=1, help="of what is dropped, torn, reordered")
    options = parser.parse_args()
    step, rng = options.step or 1, random.Random(options.seed)
    begun, counts = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="power-") as name:
        recording = record(Path(name))
    syncs = sum(change.kind == "S" for change in recording.changes)
    print(f"{BLOCKS} blocks and a fork: {len(recording.changes)} changes, {syncs} of them syncs")
    for style in STYLES:
        for number, (image, least) in enumerate(images(recording, style, rng)):
            if number % step == 0:
                lose_power(recording, image, least, rng)
                counts[style] += 1
        print(f"{style:<12}{counts[style]} starts", flush=True)
    for number in range(1, len(recording.changes) + 1, step):
        fail(Trial(fail_at=number))
        counts["errors"] += 1
    print(f"{'errors':<12}{counts['errors']} runs and starts", flush=True)
    for size in lengths(recording)[::step]:
        fail(Trial(capacity=size))
        counts["full"] += 1
    print(f"{'full disks':<12}{counts['full']} runs and starts")
    print(f"nothing lost, nothing wrong; {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
