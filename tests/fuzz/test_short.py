"""A short run of every fuzz target, always the same, and every input that ever was a finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.all_targets import TARGETS
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Check

RUNS = {"blocks-sealed": 60, "states": 60, "signatures": 60, "framing": 60, "conversation": 60}
FINDINGS = sorted((Path(__file__).parent / "findings").glob("*/*"))


@pytest.fixture(scope="module")
def checks() -> dict[str, Check]:
    return {}


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_their_neighbours(name: str) -> None:
    target = TARGETS[name]
    check = target.start()
    seeds = list(target.seeds())
    for seed in seeds[:60]:
        check(seed[: target.max_size])
    for data in mutated(target, seeds, RUNS.get(name, 300), 0):
        check(data)


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_findings(path: Path) -> None:
    TARGETS[path.parent.name].start()(path.read_bytes())
