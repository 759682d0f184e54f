"""Keeps a store within what its owner allows: a number of blocks, and a number of bytes on disk."""

from __future__ import annotations

from typing import Final, NamedTuple

from jamliquor.store.interface import Store

# Pruning begins before the budget is used up: what it frees is used again before the file grows.
_BEGIN: Final = 0.9

# A file is made smaller when at least this part of the budget was freed in it.
_WORTH_COMPACTING: Final = 0.1

_LAST_SLOT: Final = 2**32 - 1


class Policy(NamedTuple):
    """What may be kept.

    Attributes:
        keep_blocks: how many final blocks keep their bodies, or None for all.
        keep_records: how many final blocks keep their records, or None for all; never fewer than
            lookup anchors may still name.
        storage_budget: bytes on disk above which the oldest bodies go, or None. What cannot be pruned
            (the state, recent blocks) is kept even above it.
    """

    keep_blocks: int | None = None
    keep_records: int | None = None
    storage_budget: int | None = None


class Upkept(NamedTuple):
    """What one step did: bodies and records removed, bytes given back, and whether more is to do.

    Slots below ``bodies_before`` have no bodies any more, those below ``records_before`` no records.
    """

    bodies: int
    records: int
    freed: int
    bodies_before: int
    records_before: int
    finished: bool


class Upkeep:
    """Prunes a store step by step beside imports.

    Args:
        store: the store.
        policy: what may be kept.
        limit: how many blocks a step looks at, at most; the bound of its time.
    """

    def __init__(self, store: Store, policy: Policy, *, limit: int = 64) -> None:
        self._store = store
        self._policy = policy
        self._limit = limit
        self._bodies_before = 0
        self._records_before = 0
        self._reclaimable = 0

    def step(self) -> Upkept:
        """Remove some of what need not be kept.

        A step takes the time of one small write, but for one that makes the file smaller: that happens
        only above the storage budget, after a tenth of it was freed, and takes time with the size.
        """
        bodies = max(
            self._bound(self._policy.keep_blocks, self._bodies_before),
            self._over_budget(),
        )
        records = self._bound(self._policy.keep_records, self._records_before)
        before = self._body_bytes(bodies)
        report = self._store.prune_blocks(bodies, records, limit=self._limit)
        self._bodies_before, self._records_before = report.bodies_before, report.records_before
        self._reclaimable += before
        freed = self._compacted()
        return Upkept(
            report.bodies,
            report.records,
            freed,
            report.bodies_before,
            report.records_before,
            report.finished and report.bodies + report.records == 0,
        )

    def _bound(self, keep: int | None, begin: int) -> int:
        """The slot below which blocks are more than ``keep`` behind the last final one."""
        final = self._store.record(self._store.finalised or b"")
        if keep is None or final is None:
            return 0
        bound = begin
        for count, record in enumerate(self._store.records(begin, final.slot)):
            if final.number - record.number < keep or count >= self._limit:
                break
            bound = record.slot + 1
        return bound

    def _over_budget(self) -> int:
        """The slot below which bodies go because the disk is nearly full."""
        budget = self._policy.storage_budget
        if budget is None or self._store.size_on_disk - self._reclaimable < budget * _BEGIN:
            return 0
        bound = 0
        for count, record in enumerate(self._store.records(self._bodies_before, _LAST_SLOT)):
            if count >= self._limit:
                break
            bound = record.slot + 1
        return bound

    def _body_bytes(self, bound: int) -> int:
        """Bytes of the bodies that a step up to this slot removes."""
        if bound <= self._bodies_before or self._policy.storage_budget is None:
            return 0
        total = 0
        for count, record in enumerate(self._store.records(self._bodies_before, bound - 1)):
            if count >= self._limit:
                break
            total += len(self._store.block(record.hash) or b"")
        return total

    def _compacted(self) -> int:
        budget = self._policy.storage_budget
        if budget is None or self._reclaimable < budget * _WORTH_COMPACTING:
            return 0
        if self._store.size_on_disk <= budget:
            return 0
        self._reclaimable = 0
        return self._store.compact()
