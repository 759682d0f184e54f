"""Runs a command under a limit of memory and looks at its whole process tree all the time."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from jamliquor.node.edge.group import Group, memory_group

_LOOK_SECONDS = 0.01
_MOST_SAMPLES = 20_000
_PAGE = resource.getpagesize()


class Sample(NamedTuple):
    """The tree at one moment: resident octets of all its processes."""

    seconds: float
    resident: int


class Watched(NamedTuple):
    """A command that ended.

    Attributes:
        code: its exit code; negative for a signal.
        out: what it printed on stdout.
        said: the end of what it printed on stderr.
        peak: VmHWM of every process of the tree, added up.
        limited_by: how the limit was kept.
        group_peak: octets of the memory cgroup at its peak with the page cache, where there is one.
        samples: memory over time; at most 20 000, evenly thinned beyond that.
        written: octets that the tree caused to be written to storage, as far as was seen.
    """

    code: int
    out: str
    said: str
    seconds: float
    processor_seconds: float
    peak: int
    limited_by: str
    group_peak: int | None
    samples: list[Sample]
    written: int


def run_limited(command: Sequence[str], limit: int) -> Watched:
    """Run to the end under ``limit`` octets: in a memory cgroup, else by RLIMIT_DATA and a watchdog."""
    with ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2))
        group: Group | None = None
        try:
            group = stack.enter_context(memory_group(limit))
        except OSError:
            command = _under_rlimit(command, limit)
        else:
            command = group.command(command)
        begun = time.perf_counter()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen(command, stdout=out, stderr=err)
        tree = _Tree(process.pid)
        while process.poll() is None:
            if tree.look(time.perf_counter() - begun) > limit and group is None:
                process.send_signal(signal.SIGKILL)
            time.sleep(_LOOK_SECONDS)
        seconds = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        out.seek(0)
        err.seek(0)
        return Watched(
            process.returncode,
            out.read(),
            err.read()[-500:],
            seconds,
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            tree.peak,
            f"memory cgroup (version {group.version})" if group else "RLIMIT_DATA and an RSS watchdog",
            group.peak() if group else None,
            tree.samples,
            tree.written,
        )


_LIMIT_AND_RUN = (
    "import os, resource, sys; n = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_DATA, (n, n)); "
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


def _under_rlimit(command: Sequence[str], limit: int) -> list[str]:
    return [sys.executable, "-c", _LIMIT_AND_RUN, str(limit), *command]


class _Tree:
    """A process and its descendants."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._peaks: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._every = 1
        self._looks = 0
        self.samples: list[Sample] = []

    @property
    def peak(self) -> int:
        """The peaks of all processes, added up."""
        return sum(self._peaks.values())

    @property
    def written(self) -> int:
        """Octets that all processes sent to storage."""
        return sum(self._written.values())

    def look(self, seconds: float) -> int:
        """Note what every process of the tree has; resident octets of all of them."""
        resident = 0
        waiting = [self._root]
        while waiting:
            pid = waiting.pop()
            place = Path(f"/proc/{pid}")
            try:
                waiting += map(int, (place / f"task/{pid}/children").read_text().split())
                resident += int((place / "statm").read_text().split()[1]) * _PAGE
                self._note(pid, place)
            except (OSError, IndexError, ProcessLookupError):
                continue
        self._looks += 1
        if resident and self._looks % self._every == 0:
            self.samples.append(Sample(round(seconds, 4), resident))
            if len(self.samples) > _MOST_SAMPLES:
                self.samples = self.samples[::2]
                self._every *= 2
        return resident

    def _note(self, pid: int, place: Path) -> None:
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        if "VmHWM" in status:
            high = int(status["VmHWM"].split()[0]) * 1024
            self._peaks[pid] = max(self._peaks.get(pid, 0), high)
        if os.access(place / "io", os.R_OK):
            lines = (place / "io").read_text().splitlines()
            figures = dict(line.split(": ", 1) for line in lines)
            self._written[pid] = int(figures["write_bytes"])
