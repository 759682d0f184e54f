"""The recorded chains: after every block the root that was recorded, and no block wrongly judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jamliquor.conformance.runner import run_trace
from jamliquor.conformance.traces import GENESIS_NAME, find_traces
from jamliquor.conformance.vectors import CONFORMANCE, VECTORS
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from tests.support.vectors import suite

CHAINS = 7
CONFORMANCE_CHAINS = 85
CONFORMANCE_STEPS = 295


def folders(name: str, count: int) -> list[Any]:
    """One parameter for each folder of traces in a suite; as many as it is known to have."""
    root = suite(name)
    if root is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="JAM_VECTORS is not set"))]
    found = sorted(path for path in (root / "traces").iterdir() if path.is_dir())
    if len(found) != count:
        raise FileNotFoundError(f"{len(found)} traces below {root} where {count} belong")
    return [pytest.param(path, id=path.name) for path in found]


def run(folder: Path, *, each: bool) -> int:
    """Import a trace's steps; their number.

    Raises:
        AssertionError: a step does not go as it was recorded.
    """
    (trace,) = find_traces([folder])
    done = 0
    for result in run_trace(TINY, NativeEngine(), trace, each=each):
        where = f"{result.path.name} (slot {result.slot}): {result.outcome}"
        details = "".join(f"\n  {difference}" for difference in result.differences)
        assert result.outcome.good, f"{where}: {result.refusal or details}"
        # A traceback would hold the states that its frames hold.
        assert result.refusal is None or result.refusal.__traceback__ is None
        done += 1
    assert done == len(trace.steps)
    return done


@pytest.mark.parametrize("folder", folders(VECTORS, CHAINS))
def test_a_chain_forwards_from_its_genesis(folder: Path) -> None:
    assert (folder / GENESIS_NAME).is_file()
    assert run(folder, each=False) >= 100


@pytest.mark.parametrize("folder", folders(VECTORS, CHAINS))
def test_each_step_of_a_chain_by_itself(folder: Path) -> None:
    assert run(folder, each=True) >= 100


@pytest.mark.parametrize("folder", folders(CONFORMANCE, CONFORMANCE_CHAINS))
def test_each_step_of_a_conformance_chain_by_itself(folder: Path) -> None:
    run(folder, each=True)


def test_the_conformance_chains_are_whole() -> None:
    root = suite(CONFORMANCE)
    if root is None:
        pytest.skip("JAM_VECTORS is not set")
    assert len(list((root / "traces").glob("*/[0-9]*.bin"))) == CONFORMANCE_STEPS
