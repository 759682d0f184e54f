"""Standard input and named pipes, which may bring nothing for a long time."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from jamliquor.conformance.bad_input import BadInput
from jamliquor.conformance.cursor import unreadable

Wait = Callable[[int], None]
"""Returns once a descriptor can be read. What it raises ends the reading, and goes through."""

STANDARD_INPUT: Final = Path("standard input")
"""What it is called."""

_BUFFERED: Final = 64 << 10


def wait_idly(descriptor: int) -> None:
    """Do nothing until a descriptor can be read."""
    select.select([descriptor], [], [])


class _Pipe(io.RawIOBase):
    """A pipe whose reader is asked to wait before every read."""

    def __init__(self, descriptor: int, wait: Wait) -> None:
        self._descriptor = descriptor
        self._wait = wait

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        """Read what has come, at least one octet before the end; see :class:`io.RawIOBase`."""
        while True:
            self._wait(self._descriptor)
            try:
                return os.readv(self._descriptor, [buffer])
            except BlockingIOError:
                continue

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def open_standard_input(wait: Wait) -> BinaryIO:
    """Open standard input, to be read to its end.

    Raises:
        BadInput: it is closed, or a terminal.
    """
    if sys.stdin is None or sys.stdin.isatty():
        reason = "is closed" if sys.stdin is None else "is a terminal"
        raise BadInput(reason, STANDARD_INPUT, advice="redirect an archive to it")
    return _reader(os.dup(sys.stdin.fileno()), wait)


def open_pipe(path: Path, wait: Wait) -> BinaryIO:
    """Open a named pipe, to be read to its end.

    Raises:
        BadInput: it cannot be opened.
    """
    try:
        # Otherwise opening waits for somebody who writes.
        return _reader(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), wait)
    except OSError as error:
        raise unreadable(path, error) from None


def _reader(descriptor: int, wait: Wait) -> BinaryIO:
    return io.BufferedReader(_Pipe(descriptor, wait), _BUFFERED)
