"""The virtual machine: instructions, host calls, and what preparing a program takes."""

from __future__ import annotations

from collections.abc import Iterator

from jamliquor.node.bench.figures import Figure, over_rounds, timed
from jamliquor.node.edge.yardsticks import GUEST_INSTRUCTIONS, HOST_CALLS, operations, yardsticks

_REPEAT = 10


def run(rounds: int) -> Iterator[Figure]:
    """Each in several rounds."""
    wanted = (
        ("an instruction", "ns", yardsticks()["guest"], 1e9 / GUEST_INSTRUCTIONS, None),
        ("a host call", "µs", operations()["host_call"], 1e6 / HOST_CALLS, 1000.0),
        ("preparing a program of 100 KB", "ms", operations()["compile"], 1e3, 50.0),
    )
    for name, unit, call, scale, target in wanted:
        found = over_rounds([timed(call, _REPEAT) for _ in range(rounds)], scale)
        yield Figure(name, unit, found, target)
