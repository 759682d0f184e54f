"""The virtual machine against another interpreter, on the same guests in one run."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, Figure, Options
from jamliquor.pvm.assembler import assemble

TITLE = "Virtual machine against polkavm"
METHOD = """\
The programs of `examples/guests` in the node's engine and in the interpreter of the `polkavm` crate, in
turn within one process; results and gas must be equal. A round takes the best of several runs of each.
*Ratio* is polkavm's time over ours. *Flat* is guest memory on 64-bit hosts, *paged* on 32-bit ones,
*streamed* are programs too large to keep decoded. The comparison is a Rust workspace of its
own (`benchmarks/pvm`), so that nothing of it gets into the node.\
"""

_WORKSPACE = ROOT / "benchmarks" / "pvm"
_GUESTS = ROOT / "examples" / "guests"
_INPUTS = {"sieve": (1_000_000, 0), "hash": (2_000, 0), "sort": (100_000, 0), "copy": (20, 1 << 20)}


def run(options: Options) -> Iterator[Figure]:
    """Build the comparison, run it in rounds."""
    rounds = [_compared() for _ in range(1 if options.quick else 3)]
    for guest in sorted(_INPUTS):
        rows = [found[guest] for found in rounds]
        for column, unit in (("flat", "ns"), ("paged", "ns"), ("streamed", "ns"), ("polkavm", "ns")):
            yield Figure(f"{guest}: {column}", unit, _median(row[column] for row in rows))
        yield Figure(f"{guest}: ratio", "times", _median(row["polkavm"] / row["flat"] for row in rows))


def _median(values: Iterable[float]) -> dict[str, float]:
    return {"median": statistics.median(values)}


def _compared() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        arguments = []
        for name, (first, second) in _INPUTS.items():
            blob = Path(scratch) / name
            blob.write_bytes(assemble((_GUESTS / f"{name}.asm").read_text(encoding="utf-8")))
            arguments.append(f"{name}={blob},{first},{second}")
        manifest = str(_WORKSPACE / "Cargo.toml")
        command = [
            "cargo",
            "run",
            "--release",
            "--quiet",
            "--manifest-path",
            manifest,
            "--",
            *arguments,
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {row["guest"]: row for row in map(json.loads, done.stdout.splitlines())}
