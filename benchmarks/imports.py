"""Block import on the public chains: time in this process, memory of ``jamliquor import``."""

from __future__ import annotations

import gc
import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import memory_group, processes
from benchmarks.harness import (
    MEGABYTE,
    Figure,
    Options,
    over_rounds,
    rounded_figure,
    scaled,
    single,
    timed,
    vectors,
)
from jamliquor.conformance.client import Client, replay
from jamliquor.conformance.runner import run_trace
from jamliquor.conformance.traces import find_traces
from jamliquor.crypto.bench import ring_proof
from jamliquor.node.bench.chain import YARDSTICK, target
from jamliquor.node.bench.figures import REFERENCE_RING_MS, normalised
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine

TITLE = "Block import"
METHOD = """\
A round imports a chain from its genesis with a new importer and a new engine, in one process; the
time of a block runs from its octets to the state root, without reading files. *Socket* replays the
chain against `jamliquor fuzz` in a process of its own, from the first octet of a block sent to the
last one of the answer received. The yardstick is the verification of one ring proof, measured
before each chain of each round; its fastest run counts, since noise only adds. *Of a ring proof* is
a chain's median in units of that, *normalised* the median on a machine where one ring proof takes
3.5 ms. Memory is that of `jamliquor import` as a process of its own, the VmHWM of its whole tree.
Each is also run in a memory cgroup of 64 MB without swap, after the cached pages of Python, of the
node and of the chain were dropped.\
"""

CHAINS = (
    "fallback",
    "fuzzy_light",
    "preimages",
    "preimages_light",
    "safrole",
    "storage",
    "storage_light",
)
_LARGEST = ("fuzzy_light",)
_TARGETS = {"fallback": 3.0, "safrole": 8.0, "storage": 12.0, "storage_light": 6.0}
_RSS_TARGET = 64

Samples = dict[int, list[float]]
"""Milliseconds of each block, by the number of its tickets."""


def run(options: Options) -> Iterator[Figure]:
    """Measure time, then memory."""
    yield from _times(options)
    for chain in _LARGEST if options.quick else CHAINS:
        yield _memory(_folder(chain), f"{chain} memory")


def _folder(chain: str) -> Path:
    return vectors() / "traces" / chain


def _times(options: Options) -> Iterator[Figure]:
    rounds: dict[str, list[Samples]] = defaultdict(list)
    sockets: dict[str, list[list[float]]] = defaultdict(list)
    yardstick: list[float] = []
    verify = ring_proof()
    with target(TINY) as client:
        for _ in range(options.rounds):
            # All chains in each round: what the machine does meanwhile hits none of them alone.
            for chain in CHAINS:
                yardstick += [span * 1000 for span in timed(verify, 5)]
                rounds[chain].append(_import(_folder(chain)))
                sockets[chain].append(_replay(client, _folder(chain)))
    for chain in CHAINS:
        found = over_rounds([list(itertools.chain(*one.values())) for one in rounds[chain]])
        relative = normalised(found, min(yardstick))
        yield Figure(chain, "ms", found, _TARGETS.get(chain), relative)
        yield from _socket_figures(chain, sockets[chain], min(yardstick))
        if len(rounds[chain][0]) > 1:
            for tickets in sorted(rounds[chain][0]):
                part = over_rounds([samples[tickets] for samples in rounds[chain]])
                name = f"{chain}, tickets in the block: {tickets}"
                extra: dict[str, Any] = {"blocks": len(rounds[chain][0][tickets])}
                yield Figure(name, "ms", part, extra=extra)
    extra = {"fastest": rounded_figure(min(yardstick))}
    yield Figure(YARDSTICK, "ms", over_rounds([yardstick]), extra=extra)


def _socket_figures(chain: str, rounds: list[list[float]], ring_ms: float) -> Iterator[Figure]:
    """As it was measured, and on the machine of the reference."""
    found = over_rounds(rounds)
    extra: dict[str, Any] = normalised(found, ring_ms)
    extra["p99_of_median"] = round(found["p99"] / found["median"], 2)
    yield Figure(f"{chain}: socket", "ms", found, extra=extra)
    there = scaled(found, REFERENCE_RING_MS / ring_ms)
    yield Figure(f"{chain}: socket, normalised", "ms", there)


def _import(folder: Path) -> Samples:
    """One round."""
    samples: Samples = defaultdict(list)
    [trace] = find_traces([folder])
    gc.collect()
    for result in run_trace(TINY, NativeEngine(), trace):
        if not result.outcome.good:
            raise RuntimeError(f"{result.path}: {result.outcome}, nothing to measure")
        samples[result.tickets].append(result.milliseconds)
    return samples


def _replay(client: Client, folder: Path) -> list[float]:
    """One round through the socket."""
    samples = []
    [trace] = find_traces([folder])
    for result in replay(TINY, client, trace):
        if not result.outcome.good:
            raise RuntimeError(f"{result.path}: {result.outcome}, nothing to measure")
        samples.append(result.milliseconds)
    return samples


def _memory(folder: Path, name: str) -> Figure:
    command = processes.jamliquor("import", folder, "--quiet", "--json")
    record, ran = processes.run_json(command)
    processes.cool([folder])
    group = memory_group.completes(command, _RSS_TARGET * MEGABYTE)
    # The command's own figure also covers what happened since the last look at it.
    peak = max(ran.peak, record["peak_rss_bytes"])
    return Figure(name, "MB", single(peak / MEGABYTE), _RSS_TARGET, {"memory_group": group})
