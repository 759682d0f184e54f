"""What every benchmark shares: figures, their statistics, and timing that resists noise.

Everything is measured in several rounds. Of each round the quantiles are taken, and of those the
median over the rounds, so that a round in which the machine did something else does not count.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jamliquor.conformance.vectors import suite

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

MEGABYTE = 1_000_000

Samples = Sequence[float]


class Options(NamedTuple):
    """How a run was asked for.

    Attributes:
        quick: few repetitions and no large inputs, for continuous integration.
    """

    quick: bool

    @property
    def rounds(self) -> int:
        """Rounds of each measurement."""
        return 3 if self.quick else 9


class Figure(NamedTuple):
    """One measured thing.

    Attributes:
        quantiles: ``median`` and, where there are samples to take them from, ``p90``, ``p99``,
            ``max``; in ``unit``.
        target: what the median must stay below, or None.
        extra: further values for the JSON; numbers named in the page's columns are shown there.
    """

    name: str
    unit: str
    quantiles: dict[str, float]
    target: float | None = None
    extra: dict[str, Any] = {}  # noqa: RUF012 - never modified

    def record(self) -> dict[str, Any]:
        """The figure for JSON."""
        rounded = {name: rounded_figure(value) for name, value in self.quantiles.items()}
        record: dict[str, Any] = {"name": self.name, "unit": self.unit, **rounded, **self.extra}
        if self.target is not None:
            record |= {"target": self.target, "met": self.quantiles["median"] < self.target}
        return record


def rounded_figure(value: float) -> float:
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def quantiles(samples: Samples) -> dict[str, float]:
    """Median, 90th and 99th percentile (nearest rank) and maximum of one round."""
    ordered = sorted(samples)

    def rank(percent: int) -> float:
        return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]

    return {
        "median": statistics.median(ordered),
        "p90": rank(90),
        "p99": rank(99),
        "max": ordered[-1],
    }


def over_rounds(rounds: Iterable[Samples], scale: float = 1.0) -> dict[str, float]:
    """Each quantile as the median of what the rounds have for it, times ``scale``."""
    found = [quantiles(samples) for samples in rounds]
    return {name: statistics.median(one[name] for one in found) * scale for name in found[0]}


def timed(run: Callable[[], object], count: int) -> list[float]:
    """Seconds of each of ``count`` calls, after one that does not count."""
    run()
    clock = time.perf_counter
    spans = []
    for _ in range(count):
        begun = clock()
        run()
        spans.append(clock() - begun)
    return spans


def measure(run: Callable[[], object], options: Options, count: int) -> dict[str, float]:
    """Quantiles in seconds of ``count`` calls in each round."""
    return over_rounds([timed(run, count) for _ in range(options.rounds)])


def scaled(found: dict[str, float], factor: float) -> dict[str, float]:
    """The same quantiles in another unit."""
    return {name: value * factor for name, value in found.items()}


def single(value: float) -> dict[str, float]:
    """A figure that is one number."""
    return {"median": value}


@functools.cache
def vectors() -> Path:
    """Folder of the public test vectors.

    Raises:
        FileNotFoundError: there are none, or ``JAM_VECTORS`` does not name their place.
    """
    found = suite()
    if found is None:
        raise FileNotFoundError("this benchmark needs the public vectors: set JAM_VECTORS")
    return found
