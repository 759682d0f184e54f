"""Clocks around the native core: how much processor time a block takes, by kind of work.

The clock is the processor time of all threads, to the nanosecond: Linux only samples how it divides
into the program's own and the kernel's. Under emulation a counter of instructions takes its place,
which nothing else on the machine can disturb.

Everything native goes through the one door ``jamliquor._native.lib``, so a door with clocks, put in
place before anything else takes it, sees all of it. What is left of a block's time is Python.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

PYTHON = "python"
KINDS = {"ring": "ring", "vrf": "vrf", "ed25519": "ed25519", "pvm": "guest", "trie": "trie"}
"""Kind of work by the area in an export's name, ``jam_<area>_<verb>``."""

_COST_ROUNDS = 20
_COST_CALLS = 200

Now = Callable[[], int]
"""A clock: nanoseconds of processor time, or instructions."""


class Clocks:
    """Adds up what a clock shows, by kind of work."""

    def __init__(self, now: Now = time.process_time_ns) -> None:
        self._now = now
        self._spent: dict[str, int] = defaultdict(int)
        self._calls: dict[str, int] = defaultdict(int)
        self._inside = self._outside = 0.0
        self._inside, self._outside = self._cost()

    def _cost(self) -> tuple[float, float]:
        """What a clock takes: what it shows of that itself, and what is beside."""
        nothing = self.around(PYTHON, int)
        now = self._now
        shown, beside = [], []
        for _ in range(_COST_ROUNDS):
            self._spent.clear()
            begun = now()
            for _ in range(_COST_CALLS):
                nothing()
            whole = now() - begun
            shown.append(self._spent[PYTHON] / _COST_CALLS)
            beside.append((whole - self._spent[PYTHON]) / _COST_CALLS)
        return min(shown), min(beside)

    def around(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function with a clock."""
        spent, calls, now = self._spent, self._calls, self._now

        def clocked(*arguments: Any) -> Any:
            begun = now()
            try:
                return function(*arguments)
            finally:
                spent[kind] += now() - begun
                calls[kind] += 1

        return clocked

    def split(self, work: Callable[[], object]) -> dict[str, float]:
        """Run ``work``; what it took by kind, without what the clocks took."""
        self._spent.clear()
        self._calls.clear()
        begun = self._now()
        work()
        whole = self._now() - begun
        rest = whole - sum(self._spent.values()) - self._outside * sum(self._calls.values())
        found = {
            kind: max(0.0, spent - self._inside * self._calls[kind])
            for kind, spent in self._spent.items()
        }
        found[PYTHON] = max(0.0, rest)
        return found


class _Door:
    """Stands for the core; functions of a known area carry a clock."""

    def __init__(self, lib: Any, clocks: Clocks) -> None:
        self._lib = lib
        self._clocks = clocks

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._lib, name)
        area = name.removeprefix("jam_").partition("_")[0]
        if area in KINDS:
            function = self._clocks.around(KINDS[area], function)
        setattr(self, name, function)
        return function


def instructions(page: Path) -> Now:
    """A clock that reads the counter which ``edge/calibration/count.c`` keeps in a file."""
    with page.open("rb") as file:
        shared = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    form = struct.Struct("<Q")

    def now() -> int:
        return int(form.unpack_from(shared)[0])

    return now


def install(now: Now = time.process_time_ns) -> Clocks:
    """Put the clocks in place; every module that uses the core must be imported after this."""
    from jamliquor import _native  # noqa: PLC0415 - the effect of this function, not of the module

    clocks = Clocks(now)
    _native.lib = _Door(_native.lib, clocks)
    return clocks
