"""Progress on stderr: one line that changes on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import os
import sys
import time

_TERMINAL_SECONDS = 0.1
_PLAIN_SECONDS = 5.0
_BAR = 20
_COLUMNS = 80
_CLEAR = "\r\x1b[K"


class Progress:
    """Tells how far the work is, often enough to be believed and no more.

    Args:
        total: how many blocks there are to import.
        quiet: say nothing at all.
    """

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._total = total
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._begun = self._shown = time.monotonic()
        self._line = False

    def at(self, done: int, name: str) -> None:
        """``done`` blocks are behind us, the last one of the trace ``name``."""
        now = time.monotonic()
        least = _TERMINAL_SECONDS if self._terminal else _PLAIN_SECONDS
        if self._quiet or (now - self._shown < least and done < self._total):
            return
        if not self._terminal and done == self._total:
            return
        self._shown = now
        rate = done / max(now - self._begun, 1e-9)
        rest = _clock((self._total - done) / rate)
        if self._terminal:
            filled = _BAR * done // self._total
            bar = "#" * filled + "-" * (_BAR - filled)
            self._write(
                _CLEAR
                + self._fitted(name, f"{done}/{self._total} [{bar}] {rate:7.0f} blocks/s  ETA {rest}")
            )
            self._line = True
        else:
            self._write(f"{name}: {done} of {self._total} blocks, {rate:.0f} blocks/s, ETA {rest}\n")

    def pause(self) -> None:
        """Clear the line, so that something else can be printed."""
        if self._line:
            self._write(_CLEAR)
            self._line = False

    def _fitted(self, name: str, tail: str) -> str:
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
        except OSError:
            columns = _COLUMNS
        # The last column stays empty: some terminals wrap when it is written.
        room = max(columns - 1 - len(tail) - 1, 0)
        shown = name if len(name) <= room else name[: max(room - 1, 0)] + "…"
        return f"{shown} {tail}"[: columns - 1]

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
