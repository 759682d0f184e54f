"""The store on disk against the one in memory: states of a thousand and of a million entries."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.harness import MEGABYTE, Figure, Options, over_rounds, single
from benchmarks.memory_group import completes
from jamliquor.chain.record import BlockRecord
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.state.trie import Trie
from jamliquor.store._db import Trial
from jamliquor.store.disk import DiskStore
from jamliquor.store.interface import Store
from jamliquor.store.memory import MemoryStore

TITLE = "Store"
METHOD = """\
Values of 280 octets under keys that are spread evenly. A block reads 100 uniformly random entries, sets
them to new values, has a body of 10 KB, and is put with the state after it; the block before it
becomes final. Only the store's and the trie's part is timed: nothing is executed. The base moves on by
8 blocks at once, so one block in 8 is slower: see the percentiles. The file is not in the page cache
when a run begins. `head` waits for the disk at each block, `history` groups commits; with slow
syncs each sync takes 10 ms longer. Bytes written are those handed to the file; flash is what the
kernel charged the process for. For the hit rate a block reads 100 entries with the skew that the public
chains have (of reads in the trace `storage` 62 % go to 16 keys, 3 to 10 % to keys never read before,
the rest to keys read among the last 256): 62 % of reads go to 16 keys, 28 % to keys read lately, 10 %
to any key. The cache of the state has 8 MB.\
"""

_SIZES = (1_000, 1_000_000)
_QUICK_SIZES = (1_000, 20_000)
_VALUE_OCTETS = 280
_READS = 100
_BODY = bytes(10_000)
_STRIDE = 8
_CACHE_OCTETS = 8 << 20
_LIMIT = 96 * MEGABYTE
_HOT, _LATE, _RECENT = 16, 0.62 + 0.28, 256


def run(options: Options) -> Iterator[Figure]:
    """Measure each size and each mode."""
    sizes = _QUICK_SIZES if options.quick else _SIZES
    blocks = 40 if options.quick else 200
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for size in sizes:
            label = f"{size:_} entries".replace("_", " ")
            home = Path(folder) / str(size)
            root, _ = processes.run_json(_command(home, size, "root", 0), watch=False)
            made, _ = processes.run_json(_command(home, size, "load", root["root"]), watch=False)
            yield Figure(f"{label}: load", "s", single(made["seconds"]))
            yield Figure(f"{label}: load, process", "MB", single(made["peak"] / MEGABYTE), 96.0)
            yield Figure(f"{label}: size on disk", "MB", single(made["size"] / MEGABYTE))
            for mode in ("memory", "history", "head", "head, slow syncs"):
                if mode == "memory" and size > _SIZES[0]:
                    continue
                processes.cool([home])
                record, _ = processes.run_json(_command(home, size, mode, blocks), watch=False)
                yield from _mode_figures(f"{label}: {mode}", record, mode)
            processes.cool([home])
            record, _ = processes.run_json(_command(home, size, "skewed", blocks), watch=False)
            yield Figure(f"{label}: skewed reads, hits", "%", single(100 * record["hits"]))
            processes.cool([home])
            group = completes(_command(home, size, "history", blocks), _LIMIT)
            yield Figure(f"{label}: in 96 MB", "blocks", single(blocks), extra={"memory_group": group})


def _mode_figures(label: str, record: dict[str, Any], mode: str) -> Iterator[Figure]:
    yield Figure(f"{label}, block", "ms", record["block"])
    if mode == "memory":
        return
    yield Figure(f"{label}, put", "ms", record["put"])
    yield Figure(f"{label}, written", "KB a block", single(record["written"] / 1000))
    yield Figure(f"{label}, flash", "KB a block", single(record["flash"] / 1000))
    yield Figure(f"{label}, read from disk", "KB a block", single(record["read"] / 1000))
    yield Figure(f"{label}, process", "MB", single(record["peak"] / MEGABYTE), 96.0)


def _command(home: Path, size: int, mode: str, more: object) -> list[str]:
    return processes.own("store", str(home), size, mode, more)


def _key(index: int, size: int) -> bytes:
    """Keys in order of their index, spread evenly."""
    place = (index << 32) // size
    return place.to_bytes(4, "big") + blake2b(index.to_bytes(8, "little"))[:27]


def _value(index: int) -> bytes:
    return index.to_bytes(8, "little") * (_VALUE_OCTETS // 8)


def _entries(size: int) -> Iterator[tuple[bytes, bytes]]:
    return ((_key(index, size), _value(index)) for index in range(size))


def _load(home: Path, size: int, root: str) -> dict[str, Any]:
    begun = time.perf_counter()
    store = DiskStore(home, TINY)
    record = BlockRecord(bytes(32), bytes(32), 0, 0, bytes.fromhex(root), False, b"")
    store.initialise(record, _entries(size))
    seconds = time.perf_counter() - begun
    size_on_disk = store.size_on_disk
    store.close()
    return {"seconds": seconds, "size": size_on_disk, "peak": processes.high_water()}


def _opened(home: Path, size: int, mode: str) -> Store:
    if mode == "memory":
        memory = MemoryStore(TINY)
        root = State.from_entries(TINY, _entries(size)).root
        memory.initialise(BlockRecord(bytes(32), bytes(32), 0, 0, root, False, b""), _entries(size))
        return memory
    trial = Trial(sync_delay_ms=10 if "slow" in mode else 0)
    return DiskStore(home, TINY, stride=_STRIDE, trial=trial, cache_bytes=_CACHE_OCTETS)


def _counts() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


def _blocks(home: Path, size: int, mode: str, blocks: int) -> dict[str, Any]:
    store = _opened(home, size, mode)
    dice = random.Random(os.getpid())
    pick = _skewed(dice, size) if mode == "skewed" else lambda: _key(dice.randrange(size), size)
    before, counted = store.counters, _counts()
    spans, puts = [], []
    for _ in range(blocks):
        keys = [pick() for _ in range(_READS)]
        values = {key: dice.randbytes(_VALUE_OCTETS) for key in keys[:: 10 if mode == "skewed" else 1]}
        begun = time.perf_counter()
        parent = store.record(store.head or b"")
        assert parent is not None, "a store has a head"
        state = store.state(parent.hash)
        assert state is not None, "the head's state is kept"
        for key in keys:
            state.get(key)
        child = state.child({}, values)
        identity = blake2b(parent.hash + child.root)
        record = BlockRecord(
            identity, parent.hash, parent.slot + 1, parent.number + 1, child.root, False, bytes(300)
        )
        putting = time.perf_counter()
        changes = child.take_changes()
        store.put(record, _BODY, child, changes, head=True, durable=mode.startswith("head"))
        store.finalise(parent.hash, durable=False)
        ended = time.perf_counter()
        spans.append(ended - begun)
        puts.append(ended - putting)
    after, done = store.counters, _counts()
    hits, misses = after.value_hits - before.value_hits, after.value_misses - before.value_misses
    store.close()
    return {
        "block": over_rounds([spans], 1000),
        "put": over_rounds([puts], 1000),
        "written": (after.written - before.written) / blocks,
        "flash": (done["write_bytes"] - counted["write_bytes"]) / blocks,
        "read": (done["read_bytes"] - counted["read_bytes"]) / blocks,
        "hits": hits / max(1, hits + misses),
        "peak": processes.high_water(),
    }


def _skewed(dice: random.Random, size: int) -> Callable[[], bytes]:
    hot = [_key(dice.randrange(size), size) for _ in range(_HOT)]
    recent: list[bytes] = []

    def pick() -> bytes:
        share = dice.random()
        if share < 0.62:
            return dice.choice(hot)
        if share < _LATE and recent:
            return dice.choice(recent)
        recent.append(_key(dice.randrange(size), size))
        del recent[:-_RECENT]
        return recent[-1]

    return pick


def _child(home: Path, size: int, mode: str, more: str) -> dict[str, Any]:
    if mode == "root":
        return {"root": Trie.from_entries(_entries(size)).root.hex()}
    if mode == "load":
        return _load(home, size, more)
    return _blocks(home, size, mode, int(more))


if __name__ == "__main__":
    print(json.dumps(_child(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:5])))
