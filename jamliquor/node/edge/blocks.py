"""Imports recorded chains in this process and tells what each block takes, by kind of work.

Run as a process of its own, ``python -m jamliquor.node.edge.blocks ROUNDS FOLDER...``, because the
clocks must be in place before anything else takes the core. Prints one JSON object. ``--page FILE``
reads instructions from a counter of the emulator in place of the processor time; then one round after
a first, which fills the caches, is as good as many.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jamliquor.node.edge import clocks

_KEPT_STATES = 4
_MADE_ROUNDS = 5
_OPERATIONS = 3

Split = dict[str, float]
"""Milliseconds, or instructions, by kind of work."""


def main(rounds: int, folders: list[Path], page: Path | None) -> dict[str, Any]:
    """Every block of every chain, the making of one, and the calls that the estimates need."""
    now = time.process_time_ns if page is None else clocks.instructions(page)
    unit = 1e6 if page is None else 1.0
    # One core, so that nothing runs in a thread beside: a clock cannot tell whose time it shows.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    installed = clocks.install(now)
    chains = {}
    for folder in folders:
        found = [_chain(installed, folder) for _ in range(rounds)]
        chains[folder.name] = [_least(times, unit) for times in zip(*found, strict=True)]
    from jamliquor.node.edge import making, yardsticks  # noqa: PLC0415 - after the clocks

    make = making.prepared()
    made = _least([installed.split(make) for _ in range(max(rounds, _MADE_ROUNDS))], unit)
    return {
        "chains": chains,
        "made": made,
        "yardsticks": yardsticks.measure(now, unit, yardsticks.yardsticks()),
        "operations": yardsticks.measure(now, unit, yardsticks.operations(), _OPERATIONS),
    }


def _least(rounds: Sequence[Split], unit: float) -> Split:
    """Of each kind of work the round that took least: what disturbs a round only adds."""
    kinds = sorted({kind for one in rounds for kind in one})
    return {kind: round(min(one.get(kind, 0.0) for one in rounds) / unit, 6) for kind in kinds}


def _chain(installed: clocks.Clocks, folder: Path) -> list[Split]:
    from jamliquor.chain.importer import Importer  # noqa: PLC0415 - after the clocks
    from jamliquor.conformance.runner import load_state  # noqa: PLC0415
    from jamliquor.conformance.traces import (  # noqa: PLC0415
        find_traces,
        infer_params,
        read_genesis,
        read_step,
    )
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    [trace] = find_traces([folder])
    if trace.genesis is None:
        raise ValueError(f"{folder} has no genesis to import a chain from")
    params = infer_params(trace)
    importer = Importer(params, NativeEngine(), kept_states=_KEPT_STATES)
    stored = read_genesis(trace.genesis, params)
    importer.start_genesis(stored.header, load_state(params, stored.state))
    spent = []
    for path in trace.steps:
        step = read_step(path, params)
        roots: list[bytes] = []

        def work(
            octets: bytes = step.encoded_block, add: Callable[[bytes], None] = roots.append
        ) -> None:
            add(importer.import_block(octets).root)

        spent.append(installed.split(work))
        if roots != [step.posterior.root]:
            raise ValueError(f"{path}: the state differs from the recorded one")
    return spent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--page", type=Path)
    chosen = parser.parse_args()
    print(json.dumps(main(chosen.rounds, chosen.folders, chosen.page)))
