"""Figures of a benchmark, their statistics, and timing that resists noise.

Everything is measured in several rounds. Of each round the quantiles are taken, and of those the
median over the rounds, so that a round in which the machine did something else does not count. The
medians of the rounds are kept: they tell how sure a figure is.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Samples = Sequence[float]

REFERENCE_RING_MS = 3.5
"""What one ring proof takes to verify on the machine that normalised figures are for."""


class Quantiles(dict[str, float]):
    """``median`` and, where there are samples to take them from, ``p90``, ``p99``, ``max``.

    Attributes:
        rounds: the median of each round; empty for a figure that is one number.
    """

    def __init__(self, values: dict[str, float], rounds: Samples = ()) -> None:
        super().__init__(values)
        self.rounds = tuple(rounds)


class Figure(NamedTuple):
    """One measured thing.

    Attributes:
        quantiles: in ``unit``.
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
        if isinstance(self.quantiles, Quantiles) and len(self.quantiles.rounds) > 1:
            record["rounds"] = [rounded_figure(value) for value in self.quantiles.rounds]
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


def over_rounds(rounds: Iterable[Samples], scale: float = 1.0) -> Quantiles:
    """Each quantile as the median of what the rounds have for it, times ``scale``."""
    found = [quantiles(samples) for samples in rounds]
    medians = [one["median"] * scale for one in found]
    values = {name: statistics.median(one[name] for one in found) * scale for name in found[0]}
    return Quantiles(values, medians)


def scaled(found: dict[str, float], factor: float) -> Quantiles:
    """The same quantiles in another unit."""
    rounds = found.rounds if isinstance(found, Quantiles) else ()
    values = {name: value * factor for name, value in found.items()}
    return Quantiles(values, [value * factor for value in rounds])


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


def normalised(found: dict[str, float], ring_ms: float) -> dict[str, float]:
    """A figure in milliseconds, with its ratio to a ring proof of the same run, for ``extra``."""
    ratio = found["median"] / ring_ms
    return {
        "of_ring_proof": round(ratio, 3),
        "normalised": round(ratio * REFERENCE_RING_MS, 3),
    }


def write(path: Path, record: dict[str, Any]) -> None:
    """Write a result for ``bench compare``."""
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
