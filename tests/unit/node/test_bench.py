"""Figures of benchmarks and their comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jamliquor.node.bench.compare import compare, interval, lines
from jamliquor.node.bench.figures import Figure, normalised, over_rounds, scaled

ROUNDS = (1.02, 1.0, 0.99, 1.01, 1.03, 0.98, 1.0)


def test_a_round_that_was_disturbed_does_not_count() -> None:
    found = over_rounds([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [1.0, 2.0, 4.0]])
    assert found == {"median": 2.0, "p90": 4.0, "p99": 4.0, "max": 4.0}
    assert found.rounds == (2.0, 20.0, 2.0)
    record = Figure("x", "s", scaled(found, 1000)).record()
    assert record["median"] == 2000.0 and record["rounds"] == [2000.0, 20000.0, 2000.0]


def test_normalised_by_the_ring_proof() -> None:
    found = normalised({"median": 1.0}, 2.0)
    assert found == {"of_ring_proof": 0.5, "normalised": 1.75}


def test_the_interval_holds_the_ratio() -> None:
    low, high = interval(ROUNDS, [2 * one for one in ROUNDS]) or (0.0, 0.0)
    assert 1.9 < low <= 2.0 <= high < 2.1
    low, high = interval(ROUNDS, ROUNDS) or (0.0, 0.0)
    assert low <= 1.0 <= high
    assert interval(ROUNDS, ROUNDS[:2]) is None
    assert interval((0.0, 1.0, 1.0), ROUNDS) is None


def test_verdicts(tmp_path: Path) -> None:
    def result(name: str, factor: float) -> Path:
        figures: list[dict[str, Any]] = [
            {"name": "same", "unit": "ms", "median": 1.0, "rounds": ROUNDS},
            {"name": "scaled", "unit": "ms", "median": factor, "rounds": [factor * x for x in ROUNDS]},
            {"name": "single", "unit": "MB", "median": factor},
            {"name": name, "unit": "ms", "median": 1.0},
        ]
        path = tmp_path / name
        path.write_text(json.dumps({"figures": figures}))
        return path

    before, after = result("before", 1.0), result("after", 0.5)
    found = {one.name: one for one in compare(before, after)}
    assert {name: one.verdict for name, one in found.items()} == {
        "same [ms]": "no difference shown",
        "scaled [ms]": "less",
        "single [MB]": "",
    }
    assert found["single [MB]"].ratio == 0.5 and found["single [MB]"].low is None
    assert [line.split()[-1] for line in lines(compare(after, before))] == ["shown", "more", "2.000"]


@pytest.mark.parametrize("text", ["{", "[]", '{"figures": [1]}', "{}"])
def test_what_is_no_result(text: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="no result"):
        compare(path, path)
