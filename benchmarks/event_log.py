"""What the event log costs an import: instructions with it and without, by callgrind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import ROOT, Figure, Options, single, vectors

TITLE = "Event log"
METHOD = """\
Blocks of the public `fallback` chain, the ones that cost least, through a whole node on a store in
memory, with the log and without, under callgrind. Instructions of a start without blocks are taken off
both, so that what is compared is blocks alone; kernel time is not in it. The process has one core, so
that no thread's waiting is counted. Finality follows eight blocks behind, so that every block brings
three events; checkpoints and samples come at their intervals. *Log size* is what a block leaves on
disk.\
"""

_TARGET_PERCENT = 1.0
_COLLECTED = re.compile(r"Collected : (\d+)")


def run(options: Options) -> Iterator[Figure]:
    """Measure the cost in instructions, and the size."""
    if shutil.which("valgrind") is None:
        return
    blocks, rounds = (20, 1) if options.quick else (96, 3)
    spent = {
        log: (_instructions(log, blocks, rounds) - _instructions(log, 0, rounds)) / rounds
        for log in (False, True)
    }
    share = (spent[True] - spent[False]) / spent[False] * 100
    yield Figure("cost of the log", "% of an import", single(share), _TARGET_PERCENT)
    yield Figure("a block without the log", "instructions", single(spent[False] / blocks))
    yield Figure("the log for a block", "instructions", single((spent[True] - spent[False]) / blocks))
    with tempfile.TemporaryDirectory() as folder:
        import_blocks(Path(folder), 100)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    yield Figure("log size", "octets a block", single(size / 100))


def _instructions(log: bool, blocks: int, rounds: int) -> int:
    """Instructions of a process that imports so many blocks, on one new node after the other.

    Where memory happens to lie makes a difference of half a million, hence several rounds.
    """
    with tempfile.TemporaryDirectory() as folder:
        places = [f"{folder}/events{at}" if log else None for at in range(rounds)]
        code = (
            "import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}});"
            "from benchmarks.event_log import import_blocks as go;"
            "[go(place, {}) for place in {!r}]"
        )
        # Once beforehand without a log, so that no module has to be compiled and the log is new.
        subprocess.run([sys.executable, "-c", code.format(1, [None])], check=True, cwd=ROOT)
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(
            [*tool, sys.executable, "-c", code.format(blocks, places)],
            check=True,
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    found = _COLLECTED.search(done.stderr)
    assert found is not None, "callgrind ends with the number of instructions"
    return int(found[1])


def import_blocks(folder: Path | str | None, count: int) -> None:
    """Import the first blocks of the chain on a new node, with a log in a folder if one is given."""
    from jamliquor.chain.finality import Finality  # noqa: PLC0415
    from jamliquor.node.node import Node  # noqa: PLC0415
    from jamliquor.node.settings import DEFAULTS  # noqa: PLC0415
    from jamliquor.node.sources import open_source  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415
    from jamliquor.store.events import EventLog  # noqa: PLC0415
    from jamliquor.store.memory import MemoryStore  # noqa: PLC0415

    source = open_source(vectors() / "traces" / "fallback", None)
    genesis = source.genesis
    assert genesis is not None, "the chain has one"
    store = MemoryStore(genesis.params)
    store.initialise(genesis.record(), genesis.entries)
    log = None if folder is None else EventLog(Path(folder))
    settings = DEFAULTS._replace(finality=Finality(8))
    node = Node(genesis.params, NativeEngine(), store, log, settings=settings)
    for _, sent in zip(range(count), source.blocks, strict=False):
        node.receive(sent.octets, sent.source)
    node.close()
