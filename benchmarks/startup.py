"""From nothing to the version, the help and the first imported block."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import processes
from benchmarks.harness import MEGABYTE, Figure, Options, over_rounds, scaled, single
from jamliquor.conformance.vectors import suite

TITLE = "Start"
METHOD = """\
Whole processes, from their start to their end, with a warm page cache. *First block* runs
`jamliquor import` on a folder with a genesis and one block. *Bare Python* does nothing.\
"""

_VERSION_TARGET_MS = 60.0


def run(options: Options) -> Iterator[Figure]:
    """Measure each command."""
    yield from _start("bare Python", [sys.executable, "-c", ""], options)
    yield from _start("--version", processes.jamliquor("--version"), options, _VERSION_TARGET_MS)
    yield from _start("--help", processes.jamliquor("--help"), options)
    found = suite()
    if found is None:
        return
    source = found / "traces" / "fallback"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("genesis.bin", "00000001.bin"):
            shutil.copy(source / name, Path(folder) / name)
        command = processes.jamliquor("import", folder, "--quiet")
        yield from _start("first block", command, options)


def _start(
    name: str, command: Sequence[str], options: Options, target: float | None = None
) -> Iterator[Figure]:
    peak = processes.run(command).peak
    rounds = [
        [processes.run(command, watch=False).seconds for _ in range(3 if options.quick else 9)]
        for _ in range(options.rounds)
    ]
    yield Figure(name, "ms", scaled(over_rounds(rounds), 1000), target)
    yield Figure(f"{name}: memory", "MB", single(peak / MEGABYTE))
