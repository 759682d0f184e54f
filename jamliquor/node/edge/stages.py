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
from typing import Any, NamedTuple

from jamliquor.node.edge import budgets
from jamliquor.node.edge.budgets import FULL_MB, IMPORT_MB, LARGE_MB, MEGABYTE, SLOT_SECONDS
from jamliquor.node.edge.profile import OPERATIONS, Profile, Range
from jamliquor.node.edge.watch import run_limited

_JAMLIQUOR = [sys.executable, "-m", "jamliquor"]
_OWN = [sys.executable, "-m"]
_SCRATCH = "/var/tmp"
_AUTHORED_SLOTS = 48
_VALIDATORS = 6
_FULL_VALIDATORS = 1023
_FULL_SLOTS = 6
_LARGE_BLOCKS = 40
_GUEST_MB = 48
_STARTS = 7
_SHOWN_SAMPLES = 200

Tell = Callable[[str], None]


class Job(NamedTuple):
    """What a run is to do.

    Attributes:
        folders: recorded chains, each with its genesis.
        rounds: how often each chain is timed; of a block the least time counts.
        entries: of the large state.
        counts: instructions of blocks and calls on aarch64, as ``edge/calibrate.sh blocks`` counts
            them; None estimates from times here.
        real: this machine is the board, so that times are measured and not estimated.
    """

    profile: Profile
    folders: Sequence[Path]
    rounds: int
    entries: int
    counts: dict[str, Any] | None
    real: bool

    @property
    def sync_ms(self) -> int:
        """How much longer each sync is to take: a real card is slow by itself."""
        return 0 if self.real else self.profile.sync_ms


def run(job: Job, tell: Tell) -> dict[str, Any]:
    """All stages.

    Raises:
        RuntimeError: a command failed that was to be measured.
    """
    chains = []
    for folder in job.folders:
        tell(f"{folder.name}: importing in {IMPORT_MB} MB")
        chains.append({"name": folder.name, **_limited(["import", str(folder), "--quiet"])})
    tell("timing every block")
    times = _times(job)
    for chain in chains:
        chain |= times["chains"][chain["name"]]
    tell(f"storing and pruning, {job.sync_ms} ms a sync")
    store = _store(job)
    tell("the bundled chain, making blocks, the full chain specification")
    commands = _commands()
    tell(f"a state of {job.entries} entries: blocks and snapshots, {job.sync_ms} ms a sync")
    large = _large(job)
    tell("guests, and starting")
    found = {
        "chains": chains,
        "commands": commands,
        "store": store,
        "large": large,
        "guests": _guests(),
        "start": _start(job),
        **{name: times[name] for name in ("made", "operations", "factors", "yardsticks_ms")},
        "counted": job.counts is not None,
        "sync_ms": job.sync_ms,
    }
    return {"checks": budgets.checks(found, real=job.real), **found}


def _limited(
    arguments: Sequence[str], limit: int = IMPORT_MB, *, start: Sequence[str] = _JAMLIQUOR
) -> dict[str, Any]:
    """A command under a budget of so many megabytes."""
    ran = run_limited([*start, *arguments], limit * MEGABYTE)
    every = max(1, len(ran.samples) // _SHOWN_SAMPLES)
    return {
        "completed": ran.code == 0,
        "said": ran.said if ran.code else "",
        "limit_mb": limit,
        "seconds": round(ran.seconds, 3),
        "processor_seconds": round(ran.processor_seconds, 3),
        "peak_mb": round(ran.peak / MEGABYTE, 2),
        "limited_by": ran.limited_by,
        "group_peak_mb": None if ran.group_peak is None else round(ran.group_peak / MEGABYTE, 2),
        "written_mb": round(ran.written / MEGABYTE, 3),
        "samples": [[one.seconds, round(one.resident / MEGABYTE, 2)] for one in ran.samples[::every]],
        "out": ran.out,
    }


def _slow(job: Job, scratch: Path, arguments: Sequence[str], limit: int = IMPORT_MB) -> dict[str, Any]:
    """A command under a budget, on a card as slow as the board's."""
    told = scratch / "waits"
    start = [*_OWN, "jamliquor.node.edge.slow_disk", str(job.sync_ms), str(told)]
    found = _limited(arguments, limit, start=start)
    found["waits"] = int(told.read_text()) if told.is_file() else 0
    return found


def _times(job: Job) -> dict[str, Any]:
    command = [*_OWN, "jamliquor.node.edge.blocks", str(job.rounds), *map(str, job.folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the blocks could not be timed: {done.stderr[-500:]}")
    here = json.loads(done.stdout)
    factors = {kind: Range(1.0, 1.0) for kind in here["yardsticks"]}
    operations = {kind: Range(value, value) for kind, value in here["operations"].items()}
    source = here
    if not job.real:
        factors = job.profile.factors(here["yardsticks"])
        operations = job.profile.operations()
    estimated = factors
    if job.counts is not None and not job.real:
        source, estimated = job.counts, job.profile.by_instruction()
        operations = {
            kind: estimated[OPERATIONS[kind]].times(count)
            for kind, count in source["operations"].items()
        }
    chains = {}
    for name, blocks in here["chains"].items():
        counted = source["chains"].get(name)
        if counted is None or len(counted) != len(blocks):
            raise RuntimeError(f"the counts do not have the {len(blocks)} blocks of {name}")
        chains[name] = _estimates(blocks, counted, estimated)
    return {
        "chains": chains,
        "made": _estimates([here["made"]], [source["made"]], estimated),
        "operations": {kind: [round(one, 4) for one in ends] for kind, ends in operations.items()},
        "factors": {kind: [round(value, 2) for value in factor] for kind, factor in factors.items()},
        "yardsticks_ms": here["yardsticks"],
    }


def _estimates(
    here: list[dict[str, float]], source: list[dict[str, float]], factors: dict[str, Range]
) -> dict[str, Any]:
    """What the blocks take here, and on the board.

    Args:
        source: what the factors apply to: milliseconds here, or instructions.
    """
    low, high = (
        [sum(spent * factors[kind][end] for kind, spent in block.items()) for block in source]
        for end in (0, 1)
    )
    slowest = max(range(len(high)), key=high.__getitem__)
    parts = {
        kind: round(spent * factors[kind].high, 2) for kind, spent in sorted(source[slowest].items())
    }
    return {
        "blocks": len(here),
        "here_ms": [round(sum(block.values()), 3) for block in here],
        "low_ms": [round(value, 2) for value in low],
        "high_ms": [round(value, 2) for value in high],
        "slowest": {"block": slowest + 1, "parts_ms": parts},
        "share_percent": [
            round(statistics.fmean(times) / (SLOT_SECONDS * 1000) * 100, 3) for times in (low, high)
        ],
    }


def _store(job: Job) -> dict[str, Any]:
    """Import into a database and prune it, both in the importer's budget."""
    folder = job.folders[-1]
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as name:
        scratch = Path(name)
        place = scratch / "node"
        source = [str(folder), "--db", str(place), "--audit", "assume", "--finality", "depth:8"]
        first = _slow(job, scratch, ["import", *source, "--quiet"])
        less = [str(place), "--finalise", "head", "--keep-blocks", "10", "--compact"]
        second = _slow(job, scratch, ["prune", *less])
        size = sum(path.stat().st_blocks * 512 for path in place.rglob("*") if path.is_file())
    return {
        "name": folder.name,
        "steps": {"import into a database": first, "prune": second},
        "directory_mb": round(size / MEGABYTE, 3),
    }


def _commands() -> dict[str, Any]:
    """The bundled chain, six validators in one process, and a chain of the full specification."""
    network = ["devnet", "--fast", "--slots", str(_AUTHORED_SLOTS), "--quiet"]
    found = {
        "the bundled chain": _limited(["demo", "--quiet"]),
        f"{_VALIDATORS} validators making {_AUTHORED_SLOTS} blocks": _limited(network),
    }
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as scratch:
        archive = f"{scratch}/full.jam"
        full = ["--validators", str(_FULL_VALIDATORS), "--slots", str(_FULL_SLOTS), "--tickets", "0"]
        made = ["devnet", "--fast", *full, "--work", "none", "--out", archive, "--quiet"]
        subprocess.run([*_JAMLIQUOR, *made], check=True, capture_output=True)
        wanted = ["import", archive, "--db", f"{scratch}/node", "--quiet"]
        found["import of the full chain specification"] = _limited(wanted, FULL_MB)
    return found


def _large(job: Job) -> dict[str, Any]:
    """Blocks on a state of many entries, and its snapshot: created, verified, restored."""
    own = "jamliquor.node.edge.large"
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as name:
        scratch = Path(name)
        place, file = str(scratch / "node"), scratch / "state.jamsnap"
        subprocess.run([*_OWN, own, "fill", place, str(job.entries)], check=True)
        blocks = ["import", place, str(_LARGE_BLOCKS)]
        steps = {"import of empty blocks": _limited(blocks, LARGE_MB, start=[*_OWN, own])}
        wanted = {
            "snapshot create": ["create", place, str(file), "--json"],
            "snapshot verify": ["verify", str(file), "--json"],
            "snapshot restore": ["restore", str(file), str(scratch / "restored"), "--json"],
        }
        for step, arguments in wanted.items():
            found = _slow(job, scratch, ["snapshot", *arguments], LARGE_MB)
            if found["completed"]:
                told = json.loads(found["out"])
                found["entries_per_second"] = told["entries_per_second"]
                if told["entries"] < job.entries:
                    raise RuntimeError(f"{step}: {told['entries']} of {job.entries} entries")
            steps[step] = found
        size = file.stat().st_size if file.is_file() else 0
    return {"entries": job.entries, "steps": steps, "file_mb": round(size / MEGABYTE, 3)}


def _guests() -> dict[str, Any]:
    """One guest that takes more memory than the engine keeps resident."""
    found = _limited([str(_GUEST_MB)], start=[*_OWN, "jamliquor.node.edge.guests"])
    return found | (json.loads(found["out"]) if found["completed"] else {})


def _start(job: Job) -> dict[str, Any]:
    """From nothing to the first imported block."""
    folder = job.folders[0]
    with tempfile.TemporaryDirectory() as scratch:
        names = sorted(path.name for path in folder.glob("*.bin") if path.name[0].isdigit())
        for name in ("genesis.bin", names[0]):
            shutil.copy(folder / name, Path(scratch) / name)
        spans = []
        for _ in range(_STARTS):
            begun = time.perf_counter()
            subprocess.run([*_JAMLIQUOR, "import", scratch, "--quiet"], check=True)
            spans.append((time.perf_counter() - begun) * 1000)
    board = [round(one) for one in job.profile.start()]
    return {"here_ms": round(min(spans), 1), "board_ms": board}
