"""What the edge benchmark does, stage by stage, each in processes of its own under the budgets."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jamliquor.node.edge.profile import Profile, Range
from jamliquor.node.edge.watch import run_limited

MEGABYTE = 1_000_000
SLOT_SECONDS = 6.0
IMPORT_MB = 64
BLOCK_MS = 100.0
SHARE_PERCENT = 5.0
START_MS = 500.0
STORAGE_MB = 1000

_JAMLIQUOR = [sys.executable, "-m", "jamliquor"]
_AUTHORED_SLOTS = 48
_VALIDATORS = 6
_STARTS = 7
_SHOWN_SAMPLES = 200

Tell = Callable[[str], None]


def check(name: str, value: float, unit: str, budget: float, note: str = "") -> dict[str, Any]:
    """A budget and whether it is kept."""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "budget": budget,
        "met": value < budget,
        "note": note,
    }


def run(
    profile: Profile, folders: Sequence[Path], rounds: int, *, real: bool, tell: Tell
) -> dict[str, Any]:
    """All stages.

    Args:
        folders: recorded chains, each with its genesis.
        rounds: how often each chain is timed; of a block the least time counts.
        real: this machine is the board, so that times are measured and not estimated.

    Raises:
        RuntimeError: a command failed that was to be measured.
    """
    chains = []
    for folder in folders:
        tell(f"{folder.name}: importing in {IMPORT_MB} MB")
        chains.append(_memory(folder))
    tell("timing every block")
    blocks = _times(profile, folders, rounds, real=real)
    for chain in chains:
        chain |= blocks["chains"][chain["name"]]
    tell("storing and pruning")
    store = _store(folders[-1])
    tell("the bundled chain, and making blocks")
    network = ["devnet", "--fast", "--slots", str(_AUTHORED_SLOTS), "--quiet"]
    commands = {
        "the bundled chain": _limited(["demo", "--quiet"]),
        f"{_VALIDATORS} validators making {_AUTHORED_SLOTS} blocks": _limited(network),
    }
    tell("starting")
    start = _start(profile, folders[0])
    checks = _checks(chains, {**commands, **store["steps"]}, store, start, real=real)
    return {
        "checks": checks,
        "chains": chains,
        "commands": commands,
        "store": store,
        "start": start,
        "factors": blocks["factors"],
        "yardsticks_ms": blocks["yardsticks"],
    }


def _memory(folder: Path) -> dict[str, Any]:
    return {"name": folder.name, **_limited(["import", str(folder), "--quiet"])}


def _limited(arguments: Sequence[str]) -> dict[str, Any]:
    """A command under the budget that importer and authorer share."""
    ran = run_limited([*_JAMLIQUOR, *arguments], IMPORT_MB * MEGABYTE)
    every = max(1, len(ran.samples) // _SHOWN_SAMPLES)
    return {
        "completed": ran.code == 0,
        "said": ran.said if ran.code else "",
        "seconds": round(ran.seconds, 3),
        "processor_seconds": round(ran.processor_seconds, 3),
        "peak_mb": round(ran.peak / MEGABYTE, 2),
        "limited_by": ran.limited_by,
        "group_peak_mb": None if ran.group_peak is None else round(ran.group_peak / MEGABYTE, 2),
        "written_mb": round(ran.written / MEGABYTE, 3),
        "samples": [[one.seconds, round(one.resident / MEGABYTE, 2)] for one in ran.samples[::every]],
    }


def _times(profile: Profile, folders: Sequence[Path], rounds: int, *, real: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "jamliquor.node.edge.blocks", str(rounds), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the blocks could not be timed: {done.stderr[-500:]}")
    found = json.loads(done.stdout)
    factors = {kind: Range(1.0, 1.0) for kind in found["yardsticks"]}
    if not real:
        factors = profile.factors(found["yardsticks"])
    chains = {name: _estimates(blocks, factors) for name, blocks in found["chains"].items()}
    told = {kind: [round(value, 2) for value in factor] for kind, factor in factors.items()}
    return {"chains": chains, "factors": told, "yardsticks": found["yardsticks"]}


def _estimates(blocks: list[dict[str, float]], factors: dict[str, Range]) -> dict[str, Any]:
    here = [sum(block.values()) for block in blocks]
    low, high = (
        [sum(spent * factors[kind][end] for kind, spent in block.items()) for block in blocks]
        for end in (0, 1)
    )
    kinds = {kind: sum(block.get(kind, 0.0) for block in blocks) / len(blocks) for kind in factors}
    return {
        "blocks": len(blocks),
        "here_ms": [round(value, 3) for value in here],
        "low_ms": [round(value, 2) for value in low],
        "high_ms": [round(value, 2) for value in high],
        "share_percent": [
            round(statistics.fmean(times) / (SLOT_SECONDS * 1000) * 100, 3) for times in (low, high)
        ],
        "kinds_ms": {kind: round(value, 4) for kind, value in kinds.items()},
    }


def _store(folder: Path) -> dict[str, Any]:
    """Import into a database and prune it, both in the importer's budget."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        place = Path(scratch) / "node"
        source = [str(folder), "--db", str(place), "--audit", "assume", "--finality", "depth:8"]
        first = _limited(["import", *source, "--quiet"])
        less = [str(place), "--finalise", "head", "--keep-blocks", "10", "--compact"]
        second = _limited(["prune", *less])
        size = sum(path.stat().st_blocks * 512 for path in place.rglob("*") if path.is_file())
    return {
        "name": folder.name,
        "steps": {"import into a database": first, "prune": second},
        "directory_mb": round(size / MEGABYTE, 3),
    }


def _start(profile: Profile, folder: Path) -> dict[str, Any]:
    """From nothing to the first imported block."""
    with tempfile.TemporaryDirectory() as scratch:
        names = sorted(path.name for path in folder.glob("*.bin") if path.name[0].isdigit())
        for name in ("genesis.bin", names[0]):
            shutil.copy(folder / name, Path(scratch) / name)
        spans = []
        for _ in range(_STARTS):
            begun = time.perf_counter()
            subprocess.run([*_JAMLIQUOR, "import", scratch, "--quiet"], check=True)
            spans.append((time.perf_counter() - begun) * 1000)
    board = [round(one) for one in profile.start()]
    return {"here_ms": round(min(spans), 1), "board_ms": board}


def _checks(
    chains: list[dict[str, Any]],
    commands: dict[str, dict[str, Any]],
    store: dict[str, Any],
    start: dict[str, Any],
    *,
    real: bool,
) -> list[dict[str, Any]]:
    found = []
    most = max(chains, key=lambda one: one["peak_mb"])
    found.append(check("memory of an import, the most", most["peak_mb"], "MB", IMPORT_MB, most["name"]))
    failed = [one["name"] for one in chains if not one["completed"]]
    how = chains[0]["limited_by"]
    note = f"{how} of {IMPORT_MB} MB" + (f"; failed: {', '.join(failed)}" if failed else "")
    found.append(check("chains that do not complete in it", len(failed), "", 1, note))
    kind = "measured" if real else "estimate"
    for end, key in (("low", "low_ms"), ("high", "high_ms")):
        slowest = max(chains, key=lambda one: max(one[key]))
        name = f"slowest block, {kind}" if real else f"slowest block, {end} estimate"
        found.append(check(name, max(slowest[key]), "ms", BLOCK_MS, slowest["name"]))
    busiest = max(chains, key=lambda one: one["share_percent"][1])
    note = f"{busiest['name']}, one block in {SLOT_SECONDS:g} s on one core"
    share = busiest["share_percent"][1]
    found.append(check(f"processor, {kind}", share, "%", SHARE_PERCENT, note))
    found.append(check("start to first block, on this machine", start["here_ms"], "ms", START_MS))
    if not real:
        for end, value in zip(("low", "high"), start["board_ms"], strict=True):
            found.append(check(f"start to first block, {end} estimate", value, "ms", START_MS))
    for name, one in commands.items():
        note = "" if one["completed"] else f"failed: {one['said']}"
        value = one["peak_mb"] if one["completed"] else float(IMPORT_MB)
        found.append(check(f"memory of {name}", value, "MB", IMPORT_MB, note))
    found.append(
        check("database of that chain", store["directory_mb"], "MB", STORAGE_MB, store["name"])
    )
    return found
