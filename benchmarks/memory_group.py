"""Runs a command in a memory cgroup of a budget's size, where this machine lets us have one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import MEGABYTE
from benchmarks.processes import CommandFailed, run

_JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


class _Files(NamedTuple):
    """What the two versions of cgroups call the same things."""

    version: int
    limit: str
    swap: str
    swap_value: str
    peak: str


def completes(command: Sequence[str], limit: int) -> dict[str, Any]:
    """Whether a command completes where all its memory and page cache must fit ``limit`` octets.

    Returns:
        A record with ``completed`` (None where no group can be had, with the ``reason``), the
        ``limit_mb``, and the ``peak_mb`` of the group with its page cache.
    """
    wanted: dict[str, Any] = {"limit_mb": limit // MEGABYTE}
    try:
        with _group(limit) as (folder, files):
            try:
                run(["/bin/sh", "-c", _JOIN, str(folder), *command], watch=False)
                completed, reason = True, ""
            except CommandFailed as failure:
                completed, reason = False, str(failure)
            peak = folder / files.peak
            record = {**wanted, "completed": completed, "cgroup": files.version}
            if peak.is_file():
                record["peak_mb"] = round(int(peak.read_text()) / MEGABYTE, 1)
            return record | ({"reason": reason} if reason else {})
    except OSError as error:
        return {**wanted, "completed": None, "reason": f"no memory cgroup here: {error}"}


@contextmanager
def _group(limit: int) -> Iterator[tuple[Path, _Files]]:
    """A group below the one that this process is in, so that every outer limit holds too."""
    parent, files = _parent()
    folder = parent / f"jamliquor-benchmark-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / files.limit).write_text(str(limit))
        if (folder / files.swap).exists():
            (folder / files.swap).write_text(files.swap_value or str(limit))
        yield folder, files
    finally:
        folder.rmdir()


def _parent() -> tuple[Path, _Files]:
    memberships = dict[str, str]()
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            memberships[controller] = path
    if "memory" in memberships:
        files = _Files(
            1,
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
            "",
            "memory.max_usage_in_bytes",
        )
        return Path("/sys/fs/cgroup/memory") / memberships["memory"].lstrip("/"), files
    folder = Path("/sys/fs/cgroup") / memberships.get("", "").lstrip("/")
    if "memory" not in (folder / "cgroup.subtree_control").read_text().split():
        raise OSError(f"{folder} hands no memory controller down")
    return folder, _Files(2, "memory.max", "memory.swap.max", "0", "memory.peak")
