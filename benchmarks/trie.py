"""The state trie from a thousand to a million entries, each size in a process of its own."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator

from benchmarks import processes
from benchmarks.harness import MEGABYTE, Figure, Options, measure, over_rounds, scaled, single
from jamliquor.crypto.hashing import blake2b
from jamliquor.state.trie import KEY_BYTES, Trie

TITLE = "State trie"
METHOD = """\
Entries with hashed keys and values of 32 octets, made by a fixed seed. `apply` puts 20 existing, adds 5
new and removes 5 entries, and gives the new root. `load` builds the trie and its root from a
listing. Memory is what the process peaked at, less what it had before the trie.\
"""

_SIZES = (1_000, 10_000, 100_000, 1_000_000)
_VALUE_OCTETS = 32
_TARGETS = {1_000_000: 96.0}


def run(options: Options) -> Iterator[Figure]:
    """Measure each size."""
    for size in _SIZES[:-1] if options.quick else _SIZES:
        record, _ = processes.run_json(processes.own("trie", size, int(options.quick)), watch=False)
        label = f"{size:_} entries".replace("_", " ")
        for name, unit in (("get", "µs"), ("get absent", "µs"), ("apply", "µs")):
            yield Figure(f"{label}: {name}", unit, scaled(record[name], 1e6))
        yield Figure(f"{label}: load", "ms", single(record["load"] * 1000))
        yield Figure(f"{label}: memory", "MB", single(record["grown"] / MEGABYTE))
        peak = record["peak"] / MEGABYTE
        yield Figure(f"{label}: process", "MB", single(peak), _TARGETS.get(size))


def _key(index: int) -> bytes:
    return blake2b(index.to_bytes(8, "little"))[:KEY_BYTES]


def _entries(size: int) -> Iterator[tuple[bytes, bytes]]:
    for index in range(size):
        key = _key(index)
        yield key, key[:_VALUE_OCTETS].ljust(_VALUE_OCTETS, b"\1")


def _child(size: int, quick: bool) -> dict[str, object]:
    options = Options(quick)
    dice = random.Random(size)
    before = processes.high_water()
    begun = time.perf_counter()
    trie = Trie.from_entries(_entries(size))
    load = time.perf_counter() - begun
    grown = processes.high_water() - before
    count = 50 if quick else 500

    def get(first: int) -> dict[str, float]:
        return measure(lambda: trie.get(_key(first + dice.randrange(size))), options, count)

    def changes() -> dict[bytes, bytes | None]:
        drawn: dict[bytes, bytes | None] = {
            _key(dice.randrange(size)): dice.randbytes(_VALUE_OCTETS) for _ in range(20)
        }
        drawn |= {_key(size + dice.randrange(size)): bytes(_VALUE_OCTETS) for _ in range(5)}
        return drawn | {_key(dice.randrange(size)): None for _ in range(5)}

    def apply() -> float:
        drawn = changes()
        begun = time.perf_counter()
        trie.apply(drawn)
        return time.perf_counter() - begun

    return {
        "load": load,
        "get": get(0),
        "get absent": get(size),
        "apply": over_rounds([[apply() for _ in range(count)] for _ in range(options.rounds)]),
        "grown": grown,
        "peak": processes.high_water(),
    }


if __name__ == "__main__":
    print(json.dumps(_child(int(sys.argv[1]), bool(int(sys.argv[2])))))
