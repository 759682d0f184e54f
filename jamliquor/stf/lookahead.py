"""Looking ahead: what the services of the next block will read is read while this one is judged.

Work is reported in one block and accumulated in a later one, so what its services will ask for can be
found out in between. Nothing is decided by it: it fills the cache of a state's store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from jamliquor.state.foresight import Foresight
from jamliquor.state.trie import KEY_BYTES
from jamliquor.types.work import WorkReport

__all__ = ["Lookahead"]

_REMEMBERED: Final = 1024
"""Reports that are known to have been looked at: those of three blocks of a full chain."""

_NEEDED_BLOCKS: Final = 16
"""Blocks of which the keys are kept that their reports asked for; most are accumulated soon."""

_NEEDED_OCTETS: Final = 1024 * KEY_BYTES
"""Octets of keys that are kept of a block."""

Look = Callable[[Foresight, Sequence[WorkReport]], None]
"""Runs the services of reports on a foresight."""

Lend = Callable[[], Foresight | None]
"""Gives a foresight of the state before a block; None where reading ahead saves nothing."""

Warm = Callable[[bytes], None]
"""Goes where lookups of keys will in the state before a block."""


class Lookahead:
    """Remembers for which reports the reading ahead has begun, and waits for it where it matters."""

    __slots__ = ("_foreseen", "_needed", "_reading")

    def __init__(self) -> None:
        self._foreseen: OrderedDict[bytes, None] = OrderedDict()
        # What the reports of a block asked for stands with the first of them.
        self._needed: OrderedDict[bytes, bytes] = OrderedDict()
        self._reading: Foresight | None = None

    def begin(self, lend: Lend, blocks: Sequence[Sequence[WorkReport]], look: Look) -> None:
        """Find out what the reports will need that blocks bring; nothing is read yet.

        Services run here, on bounded gas, so the blocks are valid or their source is trusted.
        """
        found = [new for reports in blocks if (new := self._unforeseen(reports))]
        foresight = lend() if found else None
        if foresight is None:
            return
        self._reading = foresight
        for new in found:
            look(foresight, new)
            self._foreseen.update(dict.fromkeys(map(_package, new)))
            self._needed[_package(new[0])] = foresight.take_asked()[:_NEEDED_OCTETS]
        while len(self._foreseen) > _REMEMBERED:
            self._foreseen.popitem(last=False)
        while len(self._needed) > _NEEDED_BLOCKS:
            self._needed.popitem(last=False)

    def start(self) -> None:
        """Begin to read what the last block told of.

        Reading takes processors and the disk from whatever else is done, so it comes last for a block.
        """
        if self._reading is not None:
            self._reading.start()

    def finish(self, lend: Lend, warm: Warm, reports: Sequence[WorkReport], look: Look) -> None:
        """Wait until what the reports need that are about to be accumulated is in memory.

        What no block before told of, as after a start or on another fork, is looked at now.
        """
        if self._reading is not None:
            self._reading.wait()
            self._reading = None
        new = self._unforeseen(reports)
        foresight = lend() if new else None
        if foresight is not None:
            look(foresight, new)
            foresight.wait()
        needed = b"".join(self._needed.pop(_package(report), b"") for report in reports)
        if needed:
            warm(needed)

    def _unforeseen(self, reports: Sequence[WorkReport]) -> list[WorkReport]:
        known = self._foreseen
        return [report for report in reports if _package(report) not in known]


def _package(report: WorkReport) -> bytes:
    return report.specification.package_hash
