"""Two results side by side: the ratio of their medians, and how sure it is."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_RESAMPLES = 2_000
_CONFIDENCE = 0.95


class Ratio(NamedTuple):
    """A figure that two results have.

    Attributes:
        low, high: where the ratio lies with a confidence of 95 %; None where a result has no rounds.
    """

    name: str
    before: float
    after: float
    low: float | None
    high: float | None

    @property
    def ratio(self) -> float | None:
        """After by before; None where that is nothing."""
        return self.after / self.before if self.before else None

    @property
    def verdict(self) -> str:
        """In a word; nothing where it is not known how sure the ratio is."""
        if self.low is None or self.high is None:
            return ""
        return "less" if self.high < 1 else "more" if self.low > 1 else "no difference shown"


def compare(before: Path, after: Path) -> list[Ratio]:
    """Every figure that both results have.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no result.
    """
    old, new = _figures(before), _figures(after)
    return [_ratio(name, old[name], new[name]) for name in old if name in new]


def lines(ratios: Sequence[Ratio]) -> Iterator[str]:
    """The ratios for people, one a line."""
    for one in ratios:
        ratio = "-" if one.ratio is None else f"{one.ratio:.3f}"
        sure = "" if one.low is None else f"  [{one.low:.3f}, {one.high:.3f}]  {one.verdict}"
        yield f"{one.name:<48}{one.before:>12g}{one.after:>12g}{ratio:>9}{sure}"


def interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float] | None:
    """Where the ratio of the medians lies, by a bootstrap over the rounds; None for too few.

    Rounds of both sides are drawn anew, with replacement, 2000 times; the middle 95 % of the ratios
    of their medians is the interval. The draws are the same each time.
    """
    if min(len(before), len(after)) < 3 or min(before) <= 0:
        return None
    dice = random.Random(0)
    ratios = sorted(
        statistics.median(dice.choices(after, k=len(after)))
        / statistics.median(dice.choices(before, k=len(before)))
        for _ in range(_RESAMPLES)
    )
    cut = round(_RESAMPLES * (1 - _CONFIDENCE) / 2)
    return ratios[cut], ratios[-1 - cut]


def _ratio(name: str, old: dict[str, Any], new: dict[str, Any]) -> Ratio:
    found = interval(old.get("rounds", ()), new.get("rounds", ()))
    low, high = found or (None, None)
    return Ratio(name, old["median"], new["median"], low, high)


def _figures(path: Path) -> dict[str, dict[str, Any]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {
            f"{item['name']} [{item['unit']}]": item
            for item in record["figures"]
            if isinstance(item["median"], int | float)
        }
    except (KeyError, TypeError, json.JSONDecodeError):
        raise ValueError(f"{path} is no result of a benchmark") from None
