"""Old blocks go: those that the settings call old, and more of them when the disk budget is passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from jamliquor.chain.events import BlocksPruned
from jamliquor.chain.record import BlockRecord
from jamliquor.node.settings import Settings
from jamliquor.store.interface import PruneReport, Store

_STEP_SLOTS: Final = 16
"""Slots by which the bound moves at once, so that pruning is no write of every block."""

_BUDGET_BLOCKS: Final = 32
"""Finalised blocks between two looks at the budget."""

_FEW_BODIES: Final = 8


class Pruner:
    """Decides what is old and has the store forget it, in bounded pieces.

    Bodies go by age; records follow as far as the store lets them, which spares those that lookup
    anchors may still name. What is not final, and what recent states are made from, stays.

    Args:
        reserve: octets of the budget that blocks leave to something else.

    Attributes:
        bodies: how many blocks have lost their body so far.
        records: of how many blocks nothing remains by now.
    """

    def __init__(
        self, settings: Settings, store: Store, reserve: Callable[[], int] = lambda: 0
    ) -> None:
        self._settings = settings
        self._store = store
        self._reserve = reserve
        self._bound = 0
        self._finished = True
        self._since_budget = 0
        # Disk space at the last bound that the budget set, and how many bodies were gone then.
        self._reached = 0
        self._bodies_then: int | None = None
        self.bodies = 0
        self.records = 0

    def prune(self, finalised: BlockRecord, *, everything: bool) -> Iterator[BlocksPruned]:
        """Remove what is old now that a block is final; yields what was removed.

        Args:
            everything: do all of it now and give the space back to the disk. Otherwise a bounded piece
                is done, and the space is used again by the database.

        Raises:
            StoreError: the disk failed; what was removed so far stays removed.
        """
        keep = self._settings.keep_blocks
        wanted = 0 if keep is None else max(0, finalised.slot - keep)
        if wanted >= self._bound + (1 if everything else _STEP_SLOTS):
            self._bound, self._finished = wanted, False
        self._since_budget += 1
        if self._finished and not everything and self._has_outgrown():
            self._bodies_then = self.bodies if self._halve(finalised) else None
        if not self._finished:
            yield from self._remove(everything=everything)
        if everything:
            yield from self._keep_budget(finalised)

    def prune_behind(self, finalised: BlockRecord, keep_blocks: int) -> tuple[bool, list[BlocksPruned]]:
        """Remove a bounded piece of what lies so many slots behind the final block.

        Returns:
            Whether that was the last piece, and what was removed. What is left goes with later calls,
            also those of :meth:`prune`.

        Raises:
            StoreError: as for :meth:`prune`.
        """
        wanted = max(0, finalised.slot - keep_blocks)
        if wanted > self._bound:
            self._bound, self._finished = wanted, False
        removed = [] if self._finished else list(self._remove(everything=False))
        return self._finished, removed

    def begin(self, finalised: BlockRecord) -> Iterator[BlocksPruned]:
        """Before the first block: bring what is above the budget below it; yields what was removed.

        Raises:
            StoreError: as for :meth:`prune`.
        """
        yield from self._keep_budget(finalised)

    def _remove(self, *, everything: bool) -> Iterator[BlocksPruned]:
        while True:
            report = self._store.prune_blocks(self._bound, self._bound)
            self._finished = report.finished
            self.bodies += report.bodies
            self.records += report.records
            if report.bodies or report.records:
                yield _event(report)
            if report.finished or not everything:
                return

    def _has_outgrown(self) -> bool:
        """Whether the disk space passed the budget, and all that earlier pruning freed is used up."""
        if self._bodies_then is not None and self.bodies - self._bodies_then < _FEW_BODIES:
            # Next to nothing was old enough for the last bound.
            return True
        if self._since_budget < _BUDGET_BLOCKS:
            return False
        self._since_budget = 0
        budget = self._budget()
        if budget is None:
            return False
        size = self._store.size_on_disk
        if size <= max(budget, self._reached):
            return False
        self._reached = size
        return True

    def _keep_budget(self, finalised: BlockRecord) -> Iterator[BlocksPruned]:
        """Halve what is kept until the budget holds, or nothing is left that may go."""
        budget = self._budget()
        if budget is None or self._store.size_on_disk <= budget:
            return
        self._store.compact()
        while self._store.size_on_disk > budget and self._halve(finalised):
            yield from self._remove(everything=True)
            self._store.compact()
        self._reached = 0

    def _budget(self) -> int | None:
        budget = self._settings.storage_budget
        return None if budget is None else budget - self._reserve()

    def _halve(self, finalised: BlockRecord) -> bool:
        """Move the bound half the way to the final block; False if it is there."""
        first = next(self._store.records(self._bound, finalised.slot), finalised)
        bound = (max(self._bound, first.slot) + finalised.slot + 1) // 2
        if bound <= self._bound:
            return False
        self._bound, self._finished = bound, False
        return True


def _event(report: PruneReport) -> BlocksPruned:
    return BlocksPruned(report.bodies, report.records, report.bodies_before, report.records_before)
