"""Blocks that touch uniformly random keys of a large state, imported within a small memory."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import big_chain, processes
from benchmarks.harness import MEGABYTE, Figure, Options, over_rounds, single
from benchmarks.memory_group import within
from jamliquor.node.node import Node
from jamliquor.node.restoring import restore
from jamliquor.node.settings import DEFAULTS
from jamliquor.node.sources import TOLD_BLOCKS
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.store._db import Trial
from jamliquor.store.disk import DiskStore
from jamliquor.store.interface import Store
from jamliquor.store.memory import MemoryStore
from jamliquor.store.snapshot_writer import write_snapshot

TITLE = "A large state in a small memory"
METHOD = """\
The key-value service of the development network holds a thousand, or a million, entries of 280
octets. The block maker's blocks each bring 2 reports that set 102 uniformly random keys of it to new
values; a block accumulates the reports of the block before: the service runs in the machine, and
each write of it reads what the key holds. Each state has its own chain. A node imports it: the time
runs from a block's octets to the stored state, with every signature checked. All of it, page cache
included, in a memory cgroup of 96 MB, from a cold page cache. `history` waits for the disk every 16
blocks, as a node does that imports, and the next block is there at once. `head` waits for the disk at
every block, and 50 ms for the next block (a slot has 6 s): meanwhile what it will accumulate is read
ahead. With slow syncs each sync takes 10 ms longer. The first 8 blocks have little to do and are left
out. The base moves on by 8 blocks at once: one block in 8 bears that, so see the mean. Bytes written
are those handed to the file; flash is what the kernel charged the process for. Imports of both sizes
take turns; a ratio is the median of those of imports that followed each other. Each is of its own
copy of the store, by its own process. The snapshot is written and restored in such a group too.\
"""

_SIZES = (1_000, 1_000_000)
_QUICK_SIZES = (1_000, 20_000)
_LIMIT = 96 * MEGABYTE
_LIMIT_RATIO = 2.0
_LIMIT_OVERHEAD = 1.5
_FIRST = 8
_SLOW_MS = 10
_PAUSE_SECONDS = 0.05
_ROUNDS = {"memory": 5, "history": 5, "head": 3, "head, slow syncs": 1}


def run(options: Options) -> Iterator[Figure]:
    """Measure each size and each mode."""
    blocks = 56 if options.quick else 200
    sizes = _QUICK_SIZES if options.quick else _SIZES
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        homes = {size: Path(folder) / str(size) for size in sizes}
        for size, home in homes.items():
            processes.run(processes.own("big_chain", home, size, blocks), watch=False)
        found = _rounds(homes, quick=options.quick)
        for size, home in homes.items():
            label = f"{size:_} entries".replace("_", " ")
            size_on_disk = sum(path.stat().st_blocks * 512 for path in (home / "db").iterdir())
            yield Figure(f"{label}: size on disk", "MB", single(size_on_disk / MEGABYTE))
            for mode in _ROUNDS:
                if (size, mode) in found:
                    yield from _figures(f"{label}: {mode}", found[size, mode], mode)
            yield from _snapshot(home, label, size)
        yield from _ratios(found)


def _rounds(homes: dict[int, Path], *, quick: bool) -> dict[tuple[int, str], list[dict[str, Any]]]:
    """Imports of all sizes in turns, so that what the machine does meanwhile falls on all of them."""
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for turn in range(1 if quick else max(_ROUNDS.values())):
        for mode, size in itertools.product(_ROUNDS, homes):
            if turn < _ROUNDS[mode] and (mode != "memory" or size == min(homes)):
                found.setdefault((size, mode), []).append(_imported(homes[size], mode))
    return found


def _ratios(found: dict[tuple[int, str], list[dict[str, Any]]]) -> Iterator[Figure]:
    small, large = min(found)[0], max(found)[0]
    for mode in _ROUNDS:
        if mode != "memory":
            ratios = _divided(found[large, mode], found[small, mode])
            yield Figure(
                f"large to small: {mode}",
                "times",
                _middle(ratios),
                _LIMIT_RATIO,
                extra={"rounds": ratios},
            )
    for mode in _ROUNDS:
        if mode != "memory":
            ratios = _divided(found[small, mode], found[small, "memory"])
            target = _LIMIT_OVERHEAD if mode == "history" else None
            yield Figure(
                f"disk to memory: {mode}", "times", _middle(ratios), target, extra={"rounds": ratios}
            )


def _divided(these: list[dict[str, Any]], those: list[dict[str, Any]]) -> list[float]:
    """Ratios of the medians of imports that followed each other."""
    pairs = zip(these, those, strict=False)
    return [statistics.median(a["spans"]) / statistics.median(b["spans"]) for a, b in pairs]


def _middle(values: Iterable[float]) -> dict[str, float]:
    return single(statistics.median(values))


def _imported(home: Path, mode: str) -> dict[str, Any]:
    """One import by a fresh process, of a fresh copy of the store."""
    copy = home / "copy"
    if mode != "memory":
        shutil.copytree(home / "db", copy)
        os.sync()
    try:
        processes.cool([home])
        record, group = within(processes.own("big_state", "import", home, mode), _LIMIT)
        return {**record, "group": group}
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _figures(label: str, records: list[dict[str, Any]], mode: str) -> Iterator[Figure]:
    def middle(key: str, unit: float = 1) -> dict[str, float]:
        return _middle(record[key] / unit for record in records)

    means = [1000 * statistics.mean(record["spans"]) for record in records]
    extra = {"means": means, "memory_groups": [record["group"] for record in records]}
    spans = over_rounds([record["spans"] for record in records], 1000)
    yield Figure(f"{label}, block", "ms", spans, extra=extra)
    yield Figure(f"{label}, mean", "ms", _middle(means))
    peak = max(record["peak"] for record in records)
    yield Figure(f"{label}, process", "MB", single(peak / MEGABYTE), 96.0)
    if mode == "memory":
        return
    yield Figure(f"{label}, put", "ms", over_rounds([record["puts"] for record in records], 1000))
    yield Figure(f"{label}, written", "KB a block", middle("written", 1000))
    yield Figure(f"{label}, flash", "KB a block", middle("flash", 1000))
    yield Figure(f"{label}, read from disk", "KB a block", middle("read", 1000))
    yield Figure(f"{label}, hits", "%", middle("hits", 0.01))


def _snapshot(home: Path, label: str, size: int) -> Iterator[Figure]:
    for step in ("create", "restore"):
        processes.cool([home])
        record, group = within(processes.own("big_state", step, home), _LIMIT)
        rate = single(record["entries"] / record["seconds"])
        yield Figure(f"{label}: snapshot, {step}", "entries/s", rate, extra={"memory_group": group})
        rate = single(size * big_chain.VALUE_OCTETS / MEGABYTE / record["seconds"])
        yield Figure(f"{label}: snapshot, {step}, values", "MB/s", rate)
        peak = single(record["peak"] / MEGABYTE)
        yield Figure(f"{label}: snapshot, {step}, process", "MB", peak, 96.0)
    shutil.rmtree(home / "restored")


class _Timed:
    """A store that tells how long the writes of a block took."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._spent(found) if name in {"put", "finalise"} else found

    def _spent(self, call: Any) -> Any:
        def timed(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - begun

        return timed


def _opened(home: Path, mode: str) -> Store:
    if mode == "memory":
        store = MemoryStore(TINY)
        begun = big_chain.beginning(home)
        store.initialise(begun.record, begun.entries())
        return store
    return DiskStore(home / "copy", TINY, trial=Trial(sync_delay_ms=_SLOW_MS if "slow" in mode else 0))


def _counts() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def _import(home: Path, mode: str) -> dict[str, Any]:
    timed = _Timed(_opened(home, mode))
    store: Any = timed
    settings = DEFAULTS._replace(sync_blocks=1) if mode.startswith("head") else DEFAULTS
    node = Node(TINY, NativeEngine(), store, settings=settings)
    spans, puts = [], []
    before, counted = store.counters, _counts()
    files = big_chain.block_files(home)
    for number, path in enumerate(files):
        octets = path.read_bytes()
        told = []
        if mode == "history" and number % TOLD_BLOCKS == 0:
            told = [one.read_bytes() for one in files[number : number + TOLD_BLOCKS]]
        if number == _FIRST:
            before, counted = store.counters, _counts()
        time.sleep(_PAUSE_SECONDS if mode.startswith("head") else 0)
        timed.seconds = 0.0
        begun = time.perf_counter()
        if told:
            node.announce(told)
        node.receive(octets)
        spans.append(time.perf_counter() - begun)
        puts.append(timed.seconds)
    after, done = store.counters, _counts()
    hits, misses = after.value_hits - before.value_hits, after.value_misses - before.value_misses
    if node.head_record.state_root.hex() != big_chain.final_root(home):
        raise RuntimeError("the import ended with another state than the chain")
    node.close()
    store.close()
    spans, puts = spans[_FIRST:], puts[_FIRST:]
    return {
        "spans": spans,
        "puts": puts,
        "written": (after.written - before.written) / len(spans),
        "flash": (done["write_bytes"] - counted["write_bytes"]) / len(spans),
        "read": (done["read_bytes"] - counted["read_bytes"]) / len(spans),
        "hits": hits / max(1, hits + misses),
        "counters": [b - a for a, b in zip(before, after, strict=True)],
        "peak": processes.high_water(),
    }


def _create(home: Path) -> dict[str, Any]:
    store = DiskStore(home / "db", TINY)
    assert store.head is not None, "filled before"
    genesis = store.head
    begun = time.perf_counter()
    written = write_snapshot(home / "snapshot", store, store.head, TINY, genesis)
    seconds = time.perf_counter() - begun
    store.close()
    return {"entries": written.entries, "seconds": seconds, "peak": processes.high_water()}


def _restore(home: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    contents = restore(home / "snapshot", home / "restored")
    seconds = time.perf_counter() - begun
    return {"entries": contents.entries, "seconds": seconds, "peak": processes.high_water()}


def _child(step: str, home: Path, *more: str) -> dict[str, Any]:
    match step:
        case "import":
            return _import(home, *more)
        case "create":
            return _create(home)
        case _:
            return _restore(home)


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])))
