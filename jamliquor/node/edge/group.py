"""A memory cgroup of a budget's size, where this machine lets us have one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


class _Files(NamedTuple):
    """What the two versions of cgroups call the same things."""

    version: int
    limit: str
    swap: str
    swap_value: str
    peak: str


class Group(NamedTuple):
    """A memory cgroup.

    Attributes:
        version: of the interface, 1 or 2.
    """

    folder: Path
    version: int
    peak_file: Path

    def command(self, command: Sequence[str]) -> list[str]:
        """The same command inside the group, with all its page cache."""
        return ["/bin/sh", "-c", _JOIN, str(self.folder), *command]

    def peak(self) -> int | None:
        """Octets at the peak with the page cache; None where the kernel does not say."""
        return int(self.peak_file.read_text()) if self.peak_file.is_file() else None


@contextmanager
def memory_group(limit: int) -> Iterator[Group]:
    """A group below the one that this process is in, so that every outer limit holds too.

    Raises:
        OSError: no group can be had.
    """
    parent, files = _parent()
    folder = parent / f"jamliquor-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / files.limit).write_text(str(limit))
        if (folder / files.swap).exists():
            (folder / files.swap).write_text(files.swap_value or str(limit))
        yield Group(folder, files.version, folder / files.peak)
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
