"""Which reports may be accumulated, and the queue of those that wait for others (section 12.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from jamliquor.types.state import AccumulationHistory, ReadyQueue, ReadyReport
from jamliquor.types.work import WorkReport

__all__ = [
    "accumulatable",
    "edit",
    "next_history",
    "next_queue",
    "package_hashes",
    "partition",
    "prioritized",
]

Waiting = Sequence[ReadyReport]


def partition(
    available: Sequence[WorkReport], history: AccumulationHistory
) -> tuple[list[WorkReport], list[ReadyReport]]:
    """R! and R^Q: newly available reports that wait for nothing, and the others with what they wait
    for (equations 12.4 and 12.5)."""
    immediate = []
    queued = []
    for report in available:
        if report.context.prerequisites or report.segment_root_lookup:
            packages = {package for package, _ in report.segment_root_lookup}
            packages.update(report.context.prerequisites)
            queued.append(ReadyReport(report, frozenset(packages)))
        else:
            immediate.append(report)
    if queued:
        queued = edit(queued, frozenset().union(*history))
    return immediate, queued


def edit(waiting: Iterable[ReadyReport], accumulated: Collection[bytes]) -> list[ReadyReport]:
    """Function E: without the reports, and without the dependencies, that were accumulated."""
    if not accumulated:
        return list(waiting)
    return [
        item
        if item.dependencies.isdisjoint(accumulated)
        else ReadyReport(item.report, item.dependencies.difference(accumulated))
        for item in waiting
        if item.report.specification.package_hash not in accumulated
    ]


def prioritized(waiting: Waiting) -> list[WorkReport]:
    """Function Q: the reports that can be accumulated one after the other, in rounds.

    A round takes, in order, the reports with nothing left to wait for; accumulating them releases
    others for the next round. Reports left behind were not accumulatable. The cost is linear in the
    reports and their dependencies, however long the chains are.
    """
    missing = [len(item.dependencies) for item in waiting]
    dependents: dict[bytes, list[int]] = {}
    namesakes: dict[bytes, list[int]] = {}
    for index, item in enumerate(waiting):
        namesakes.setdefault(item.report.specification.package_hash, []).append(index)
        for package in item.dependencies:
            dependents.setdefault(package, []).append(index)
    taken = [False] * len(waiting)
    ready = [index for index, count in enumerate(missing) if count == 0]
    order: list[WorkReport] = []
    while ready:
        released: list[int] = []
        packages = set()
        for index in ready:
            order.append(waiting[index].report)
            packages.add(waiting[index].report.specification.package_hash)
        for package in packages:
            # A report of an accumulated package is dropped, whatever it waits for itself.
            for index in namesakes[package]:
                taken[index] = True
            for index in dependents.get(package, ()):
                missing[index] -= 1
                if missing[index] == 0:
                    released.append(index)
        ready = sorted(index for index in released if not taken[index])
    return order


def accumulatable(
    immediate: Sequence[WorkReport],
    queued: Waiting,
    ready_queue: ReadyQueue,
    phase: int,
) -> list[WorkReport]:
    """R*: all reports that may be accumulated in this block, in order (equations 12.10 to 12.12).

    Args:
        phase: the block's slot within its epoch.
    """
    oldest_first = [item for items in ready_queue[phase:] for item in items]
    oldest_first += [item for items in ready_queue[:phase] for item in items]
    oldest_first += queued
    if not oldest_first:
        return list(immediate)
    return [*immediate, *prioritized(edit(oldest_first, package_hashes(immediate)))]


def package_hashes(reports: Iterable[WorkReport]) -> frozenset[bytes]:
    """Function P: the packages that reports speak about."""
    return frozenset(report.specification.package_hash for report in reports)


def next_queue(
    ready_queue: ReadyQueue, queued: Waiting, accumulated: Collection[bytes], phase: int, elapsed: int
) -> ReadyQueue:
    """The ready queue after the block (section 12.3); the same object if nothing changes.

    Args:
        accumulated: the packages accumulated in this block.
        phase: the block's slot within its epoch.
        elapsed: slots since the block before; what they skipped is forgotten.
    """
    length = len(ready_queue)
    items = list(ready_queue)
    for age in range(length):
        place = (phase - age) % length
        if age == 0:
            items[place] = tuple(edit(queued, accumulated))
        elif age < elapsed:
            items[place] = ()
        elif accumulated and items[place]:
            items[place] = tuple(edit(items[place], accumulated))
    after = tuple(items)
    return ready_queue if after == ready_queue else after


def next_history(history: AccumulationHistory, accumulated: frozenset[bytes]) -> AccumulationHistory:
    """The history with this block's packages added and the oldest forgotten (section 12.3);
    the same object if nothing changes."""
    after = (*history[1:], accumulated)
    return history if after == history else after
