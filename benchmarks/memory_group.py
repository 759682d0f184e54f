"""Runs a command in a memory cgroup of a budget's size, where this machine lets us have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.harness import MEGABYTE
from benchmarks.processes import CommandFailed, run, run_json
from jamliquor.node.edge.group import memory_group


def completes(command: Sequence[str], limit: int) -> dict[str, Any]:
    """Whether a command completes where all its memory and page cache must fit ``limit`` octets.

    Returns:
        A record with ``completed`` (None where no group can be had, with the ``reason``), the
        ``limit_mb``, and the ``peak_mb`` of the group with its page cache.
    """
    wanted: dict[str, Any] = {"limit_mb": limit // MEGABYTE}
    try:
        with memory_group(limit) as group:
            try:
                run(group.command(command), watch=False)
                completed, reason = True, ""
            except CommandFailed as failure:
                completed, reason = False, str(failure)
            peak = group.peak()
            record = {**wanted, "completed": completed, "cgroup": group.version}
            if peak is not None:
                record["peak_mb"] = round(peak / MEGABYTE, 1)
            return record | ({"reason": reason} if reason else {})
    except OSError as error:
        return {**wanted, "completed": None, "reason": f"no memory cgroup here: {error}"}


def within(command: Sequence[str], limit: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a command whose last line of output is a JSON object in a memory cgroup.

    Where no group can be had it runs without; the second record says so.

    Returns:
        What the command printed, and a record as :func:`completes` gives it.

    Raises:
        CommandFailed: it did not end well, for want of memory perhaps.
    """
    group: dict[str, Any] = {"limit_mb": limit // MEGABYTE}
    try:
        with memory_group(limit) as made:
            record, _ = run_json(made.command(command), watch=False)
            group |= {"completed": True, "cgroup": made.version}
            peak = made.peak()
            if peak is not None:
                group["peak_mb"] = round(peak / MEGABYTE, 1)
    except OSError as error:
        record, _ = run_json(command, watch=False)
        group |= {"completed": None, "reason": f"no memory cgroup here: {error}"}
    return record, group
