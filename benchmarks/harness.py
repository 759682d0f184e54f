"""What every benchmark shares. Figures and their statistics are those of ``jamliquor bench``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from jamliquor.conformance.vectors import suite
from jamliquor.node.bench.figures import (
    Figure,
    Quantiles,
    over_rounds,
    quantiles,
    rounded_figure,
    scaled,
    timed,
)

__all__ = [
    "MEGABYTE",
    "ROOT",
    "Figure",
    "Options",
    "measure",
    "over_rounds",
    "quantiles",
    "rounded_figure",
    "scaled",
    "single",
    "timed",
    "vectors",
]

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

MEGABYTE = 1_000_000


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


def measure(run: Callable[[], object], options: Options, count: int) -> Quantiles:
    """Quantiles in seconds of ``count`` calls in each round."""
    return over_rounds([timed(run, count) for _ in range(options.rounds)])


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
