"""Drives the command line as a person would: as a process, with pipes or on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from typing import NamedTuple

COMMAND = (sys.executable, "-m", "jamliquor")


class Ran(NamedTuple):
    """What a finished command said."""

    code: int
    out: str
    err: str


def run(*arguments: object, before: tuple[str, ...] = COMMAND) -> Ran:
    """Run to the end with pipes for its output."""
    done = subprocess.run(
        [*before, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def run_on_terminal(
    *arguments: object,
    columns: int = 80,
    when: Callable[[str], bool] = lambda seen: False,
    send: signal.Signals = signal.SIGINT,
    answers: Sequence[tuple[str, str]] = (),
) -> Ran:
    """Run with a terminal for stderr and stdout; ``send`` a signal once ``when`` likes what is seen.

    Each of ``answers`` is typed, with a line's end, when the text before it comes up.

    ``out`` holds everything that the terminal got; ``err`` is empty.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    seen, sent = "", False
    waiting, answered = list(answers), 0
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data.decode()
        if waiting and waiting[0][0] in seen[answered:]:
            answered = len(seen)
            os.write(master, waiting.pop(0)[1].encode() + b"\n")
        if not sent and when(seen):
            process.send_signal(send)
            sent = True
    os.close(master)
    return Ran(process.wait(timeout=60), seen, "")
