"""Old blocks go: those that the settings call old, and more of them when the disk budget is passed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jamliquor.chain.events import BlocksPruned
from jamliquor.chain.record import BlockRecord
from jamliquor.node.settings import Settings
from jamliquor.store.interface import PruneReport, Store

_STEP_SLOTS: Final = 16
"""Slots by which the bound moves at once, so that pruning is no write of every block."""

_BUDGET_BLOCKS: Final = 32
"""Finalised blocks between two looks at the budget."""


class Pruner:
    """Decides what is old and has the store forget it, in bounded pieces.

    Bodies go by age; records follow as far as the store lets them, which spares those that lookup
    anchors may still name. What is not final, and what recent states are made from, stays.

    Attributes:
        bodies: how many blocks have lost their body so far.
        records: of how many blocks nothing remains by now.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._bound = 0
        self._finished = True
        self._since_budget = 0
        self.bodies = 0
        self.records = 0

    def prune(self, finalised: BlockRecord, *, everything: bool) -> Iterator[BlocksPruned]:
        """Remove what is old now that a block is final; yields what was removed.

        Raises:
            StoreError: the disk failed; what was removed so far stays removed.
        """
        keep = self._settings.keep_blocks
        if keep is not None:
            wanted = max(0, finalised.slot - keep)
            step = 1 if everything else _STEP_SLOTS
            if wanted >= self._bound + step or not self._finished:
                self._bound = max(wanted, self._bound)
                yield from self._remove(everything=everything)
        self._since_budget += 1
        if everything or self._since_budget >= _BUDGET_BLOCKS:
            self._since_budget = 0
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

    def _keep_budget(self, finalised: BlockRecord) -> Iterator[BlocksPruned]:
        """Halve what is kept until the budget holds, or nothing is left that may go."""
        budget = self._settings.storage_budget
        while budget is not None and self._store.size_on_disk > budget:
            first = next(self._store.records(self._bound, finalised.slot), finalised)
            bound = (max(self._bound, first.slot) + finalised.slot + 1) // 2
            if bound <= self._bound:
                return
            self._bound = bound
            yield from self._remove(everything=True)
            self._store.compact()


def _event(report: PruneReport) -> BlocksPruned:
    return BlocksPruned(report.bodies, report.records, report.bodies_before, report.records_before)
