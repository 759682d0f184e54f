"""What a development network does, for people: a view that is drawn anew, or a line for each slot."""

from __future__ import annotations

import os
import sys
from collections import Counter, deque
from typing import Final

from jamliquor.node.devnet import Devnet, Happening, Kind

_ROWS: Final = 6
_BAR: Final = 24
_CLEAR_LINE: Final = "\x1b[K"


class View:
    """Shows what happens, as it happens.

    Args:
        quiet: show nothing.
    """

    def __init__(self, devnet: Devnet, *, quiet: bool = False) -> None:
        self._devnet = devnet
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._recent: deque[Happening] = deque(maxlen=_ROWS)
        self._authors: Counter[int] = Counter()
        self._kinds: Counter[Kind] = Counter()
        self._contest = 0
        self._drawn = 0

    def show(self, happened: Happening) -> None:
        """Take one thing into account, and show it."""
        self._kinds[happened.kind] += 1
        self._recent.append(happened)
        if happened.kind in (Kind.BLOCK, Kind.FORK):
            self._authors[happened.author] += 1
            self._contest = happened.contest
        if self._quiet:
            return
        if self._terminal:
            self._draw()
        else:
            sys.stderr.write(_line(happened) + "\n")

    def end(self) -> None:
        """Leave the view standing."""
        sys.stderr.flush()

    def _draw(self) -> None:
        lines = self._lines()
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        columns = _columns()
        body = "".join(f"{line[: columns - 1]}{_CLEAR_LINE}\n" for line in lines)
        sys.stderr.write(f"{up}{body}")
        sys.stderr.flush()
        self._drawn = len(lines)

    def _lines(self) -> list[str]:
        devnet, params = self._devnet, self._devnet.params
        epoch, phase = params.epoch_of(devnet.slot)
        filled = _BAR * min(self._contest, params.epoch_length) // params.epoch_length
        bar = "#" * filled + "-" * (_BAR - filled)
        ticketed = any(each.ticketed for each in list(self._recent)[-1:])
        authors = "  ".join(f"{index}:{self._authors[index]}" for index in sorted(self._authors)[:12])
        head = devnet.node.head_record
        on_cores = self._recent[-1].work[1] if self._recent else 0
        return [
            f"epoch {epoch}, slot {phase + 1} of {params.epoch_length} ({devnet.slot}),"
            f" sealed by {'tickets' if ticketed else 'fallback keys'}",
            f"contest  [{bar}] {self._contest} of {params.epoch_length} tickets",
            f"authors  {authors}",
            f"queues   {on_cores} of {params.core_count} cores hold a report",
            "so far   " + ", ".join(f"{self._kinds[kind]} {kind}" for kind in Kind),
            f"head     {head.slot} 0x{head.hash.hex()[:16]} state 0x{head.state_root.hex()[:16]}",
            *[f"  {_line(each)}" for each in self._recent],
            *[""] * (_ROWS - len(self._recent)),
        ]


def _line(happened: Happening) -> str:
    if happened.kind is Kind.SKIPPED:
        return f"slot {happened.slot}: skipped, {happened.reason}"
    text = f"slot {happened.slot}: {happened.kind} 0x{happened.hash.hex()[:8]} by {happened.author}"
    if happened.kind is Kind.REFUSED:
        return f"{text}: {happened.reason}"
    text += f", {'ticket' if happened.ticketed else 'fallback'}, {len(happened.octets or b'')} octets"
    counted = (
        (happened.work[0], "reports"),
        (happened.preimages, "preimages"),
        (happened.offenders, "offenders"),
    )
    return text + "".join(f", {count} {name}" for count, name in counted if count)


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
