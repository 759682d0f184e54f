"""Runs commands as processes of their own and tells how much memory they took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]

from benchmarks.harness import ROOT

_POLL_SECONDS = 0.005


class Ran(NamedTuple):
    """A finished command.

    Attributes:
        out: its standard output.
        peak: the peak resident octets (VmHWM) of every process of its tree, added up.
        seconds: from its start to its end.
    """

    out: str
    peak: int
    seconds: float


class CommandFailed(Exception):
    """A command ended with an error, so that there is nothing to measure."""

    def __init__(self, command: Sequence[str], code: int, said: str) -> None:
        super().__init__(f"{' '.join(command)} ended with {code}: {said[-2000:]}")
        self.code = code


def jamliquor(*arguments: object) -> list[str]:
    """The command line of the installed node."""
    script = Path(sys.executable).with_name("jamliquor")
    start = [str(script)] if script.is_file() else [sys.executable, "-m", "jamliquor"]
    return [*start, *map(str, arguments)]


def own(module: str, *arguments: object) -> list[str]:
    """The command line of a module of this package that is run in a process of its own."""
    return [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]


def run(command: Sequence[str], *, watch: bool = True) -> Ran:
    """Run a command to its end; with ``watch`` look at its memory all the time.

    Raises:
        CommandFailed: it did not end well.
    """
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err)
        peaks: dict[int, int] = {}
        while watch and process.poll() is None:
            _look(process.pid, peaks)
            time.sleep(_POLL_SECONDS)
        code = process.wait()
        seconds = time.perf_counter() - begun
        out.seek(0)
        err.seek(0)
        if code:
            raise CommandFailed(command, code, err.read())
        return Ran(out.read(), sum(peaks.values()), seconds)


def run_json(command: Sequence[str], *, watch: bool = True) -> tuple[dict[str, Any], Ran]:
    """Run a command whose last line of output is a JSON object."""
    ran = run(command, watch=watch)
    record: dict[str, Any] = json.loads(ran.out.splitlines()[-1])
    return record, ran


def high_water(pid: int | str = "self") -> int:
    """Peak resident octets of one process; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _look(pid: int, peaks: dict[int, int]) -> None:
    try:
        pids = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return
    for each in pids:
        peaks[each] = max(peaks.get(each, 0), high_water(each))


def cool(folders: Iterable[Path]) -> None:
    """Ask the kernel to forget the cached pages of Python, of the node and of these folders.

    Pages that other running processes have mapped stay.
    """
    library = Path(sysconfig.get_path("stdlib"))
    packages = Path(sysconfig.get_path("platlib"))
    places = [library, packages / "cffi", packages / "click", ROOT / "jamliquor", *folders]
    _forget(Path(sys.executable).resolve())
    for place in places:
        for path in place.rglob("*"):
            if path.is_file() and "site-packages" not in path.relative_to(place).parts:
                _forget(path)


def _forget(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
