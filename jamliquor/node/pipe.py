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

STANDARD_INPUT: Final = Path("-")

Wait = Callable[[int], None]
"""Returns once a descriptor can be read. What it raises ends the reading, and goes through."""

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


def open_pipe(path: Path, wait: Wait) -> BinaryIO:
    """Open a pipe, or for ``-`` standard input, to be read to its end.

    Raises:
        BadInput: it cannot be opened; standard input is closed, or a terminal.
    """
    if path != STANDARD_INPUT:
        try:
            # Otherwise opening waits for somebody who writes.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise unreadable(path, error) from None
    elif sys.stdin is None:
        raise BadInput("is closed", Path("standard input"), advice="redirect an archive to it")
    elif sys.stdin.isatty():
        raise BadInput("is a terminal", Path("standard input"), advice="redirect an archive to it")
    else:
        descriptor = os.dup(sys.stdin.fileno())
    return io.BufferedReader(_Pipe(descriptor, wait), _BUFFERED)
