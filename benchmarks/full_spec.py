"""Every full-spec vector of a chapter (1023 validators, 341 cores), in one process each."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import memory_group, processes
from benchmarks.harness import MEGABYTE, Figure, Options, single, vectors

TITLE = "Full chain specification: single chapters"
METHOD = """\
Every public vector of `stf/*/full` (1023 validators, 341 cores) runs in a process of its own, through
the functions of its vector test, which also compares the result with the record. The time is that of
chapter and comparison without decoding the file, in a cold process. Memory is the process's VmHWM,
which includes some 12 MB of the test framework. Shown are the ten that took most memory and the ten
that took most time; `results/full_spec.json` has all. The one that took most memory also runs in a
memory cgroup of 96 MB.\
"""

_TARGET = 96
_SHOWN = 10
_MODULE = "tests.vectors.test_stf_{}"


def run(options: Options) -> Iterator[Figure]:
    """Measure every vector; of each chapter only the largest when in a hurry."""
    found = [(path, *_measured(path, options)) for path in _paths(options)]
    most_memory = sorted(found, key=lambda one: -one[2])[:_SHOWN]
    most_time = sorted(found, key=lambda one: -one[1])[:_SHOWN]
    worst, _, most = most_memory[0]
    processes.cool([])
    group = memory_group.completes(processes.own("full_spec", worst), _TARGET * MEGABYTE)
    extra: dict[str, Any] = {"memory_group": group, "vectors": len(found)}
    yield Figure("most memory of all", "MB", single(most / MEGABYTE), _TARGET, extra)
    for one in found:
        path, milliseconds, peak = one
        name = f"{path.parent.parent.name}/{path.stem}"
        yield Figure(
            f"memory {name}", "MB", single(peak / MEGABYTE), extra={"shown": one in most_memory}
        )
        yield Figure(f"time {name}", "ms", single(milliseconds), extra={"shown": one in most_time})


def _paths(options: Options) -> list[Path]:
    chapters = sorted(path for path in (vectors() / "stf").iterdir() if path.is_dir())
    found = []
    for chapter in chapters:
        paths = sorted(chapter.glob("full/*.bin"))
        found += [max(paths, key=lambda path: path.stat().st_size)] if options.quick else paths
    return found


def _measured(path: Path, options: Options) -> tuple[float, int]:
    """The fastest time, since noise only adds, and the largest memory of two processes."""
    times, peaks = [], []
    for _ in range(1 if options.quick else 2):
        record, _ = processes.run_json(processes.own("full_spec", path), watch=False)
        times.append(record["ms"])
        peaks.append(record["peak"])
    return min(times), max(peaks)


def _child(path: Path) -> dict[str, object]:
    """Run the vector's test; the clock starts when its file is decoded."""
    module: Any = importlib.import_module(_MODULE.format(path.parent.parent.name))
    [test] = [getattr(module, name) for name in vars(module) if name.startswith("test_")]
    begun = 0.0
    load = module.load

    def loaded(*arguments: Any) -> Any:
        nonlocal begun
        found = load(*arguments)
        begun = time.perf_counter()
        return found

    module.load = loaded
    arguments: dict[str, Any] = {"path": path}
    if "engine" in test.__code__.co_varnames[: test.__code__.co_argcount]:
        arguments["engine"] = module.NativeEngine()
    test(**arguments)
    milliseconds = (time.perf_counter() - begun) * 1000
    return {"ms": milliseconds, "peak": processes.high_water()}


if __name__ == "__main__":
    print(json.dumps(_child(Path(sys.argv[1]))))
