"""Imports recorded chains in this process and tells the processor time of each block by kind of work.

Run as a process of its own, ``python -m jamliquor.node.edge.blocks ROUNDS FOLDER...``, because the
clocks must be in place before anything else takes the core. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jamliquor.node.edge import clocks

_KEPT_STATES = 4


def main(rounds: int, folders: list[Path]) -> dict[str, Any]:
    """Every block of every chain: of some rounds the one that took least, since noise only adds."""
    installed = clocks.install()
    chains: dict[str, list[dict[str, float]]] = {}
    for folder in folders:
        found = [_chain(installed, folder) for _ in range(rounds)]
        chains[folder.name] = [
            min(times, key=lambda one: sum(one.values())) for times in zip(*found, strict=True)
        ]
    from jamliquor.node.edge.yardsticks import measure  # noqa: PLC0415 - after the clocks

    return {"chains": chains, "yardsticks": measure()}


def _chain(installed: clocks.Clocks, folder: Path) -> list[dict[str, float]]:
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
        spent.append(
            installed.split(
                lambda: roots.append(importer.import_block(step.encoded_block).root)  # noqa: B023
            )
        )
        if roots != [step.posterior.root]:
            raise ValueError(f"{path}: the state differs from the recorded one")
    return spent


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), [Path(name) for name in sys.argv[2:]])))
