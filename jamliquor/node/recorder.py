"""The flight recorder: tells the event log what happens, and now and then what the node uses."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Sequence
from typing import Final

from jamliquor.chain import events
from jamliquor.chain.best_chain import BestChain
from jamliquor.chain.events import Event
from jamliquor.chain.tree import BlockTree
from jamliquor.store.events import EventLog
from jamliquor.store.interface import Store

CHECKPOINT_BLOCKS: Final = 32
"""Imported blocks between two checkpoints."""

SAMPLE_BLOCKS: Final = 64
"""Imported blocks between two samples of what the node uses."""

_PAGE: Final = resource.getpagesize()


class Recorder:
    """Passes events on to a log, or to nobody.

    Attributes:
        on: whether anybody listens: making an event costs more than passing it on.
        tell: records an event; it is written with the next :meth:`commit`.
        tell_fields: the same for the events of every block, by class and fields, which is cheaper.

    Args:
        log: None records nothing.
    """

    __slots__ = ("_imported", "_log", "on", "tell", "tell_fields")

    def __init__(self, log: EventLog | None) -> None:
        self._log = log
        self._imported = 0
        self.on = log is not None
        self.tell: Callable[[Event], object] = _ignore
        self.tell_fields: Callable[[type[Event], Sequence[object]], object] = _ignore
        if log is not None:
            self.tell, self.tell_fields = log.append, log.append_fields

    def imported(self, tree: BlockTree, best: BestChain, store: Store, waiting: int) -> None:
        """Count a block; checkpoints and samples come at their intervals."""
        self._imported += 1
        if self._log is None:
            return
        if self._imported % CHECKPOINT_BLOCKS == 0:
            self.checkpoint(tree, best)
        if self._imported % SAMPLE_BLOCKS == 0:
            self.tell(_sample(store.size_on_disk, waiting))

    def checkpoint(self, tree: BlockTree, best: BestChain) -> None:
        """Record what the node knows of the chain now."""
        head = tree.node(best.head).record
        digest = events.digest(tree, head.hash)
        self.tell(events.Checkpoint(head.hash, head.state_root, digest, self._imported))

    def commit(self, tree: BlockTree, best: BestChain, *, durable: bool) -> None:
        """Write what was told; a segment that is full is followed by a new one.

        Raises:
            StoreFull, StoreError: nothing is lost, the next call writes it.
        """
        if self._log is not None and self._log.commit(durable=durable):
            self._log.begin_segment(events.listed(tree, best.head))

    def close(self) -> None:
        """Write and sync everything.

        Raises:
            StoreFull, StoreError: the last events could not be written.
        """
        if self._log is not None:
            self._log.close()


def _ignore(*_: object) -> None:
    pass


def _sample(store_octets: int, waiting: int) -> events.Sampled:
    file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        resident = int(os.read(file, 128).split()[1]) * _PAGE
    finally:
        os.close(file)
    # The kernel brings the two counters up to date at different moments.
    peak = max(resident, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    cpu_ms = int(time.process_time() * 1000)
    return events.Sampled(resident, peak, cpu_ms, store_octets, waiting)
