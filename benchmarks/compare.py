"""Two result files side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path


def compare(before: Path, after: Path) -> Iterator[str]:
    """Lines with the medians of both and their ratio, for every figure that both have.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no result.
    """
    medians = [_medians(path) for path in (before, after)]
    for name in medians[0]:
        if name in medians[1]:
            old, new = medians[0][name], medians[1][name]
            ratio = f"{new / old:8.3f}" if old else "       -"
            yield f"{name:<48}{old:>12g}{new:>12g}{ratio}"


def _medians(path: Path) -> dict[str, float]:
    record = json.loads(path.read_text(encoding="utf-8"))
    try:
        return {f"{item['name']} [{item['unit']}]": item["median"] for item in record["figures"]}
    except (KeyError, TypeError):
        raise ValueError(f"{path} is no result of a benchmark") from None
