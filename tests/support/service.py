"""A node that runs as a service, driven as a service manager would."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.support.command import COMMAND


class Service:
    """``jamliquor import --follow`` as a service manager runs it."""

    def __init__(
        self, folder: Path, follow: Path, *options: str, command: Sequence[str] = COMMAND
    ) -> None:
        self.process = subprocess.Popen(
            [*command, "import", "--db", str(folder), "--follow", str(follow), "--json", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.seen = ""
        self.wait_for("following")

    def wait_for(self, text: str) -> str:
        """The line of stderr that holds a text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.seen += line
            if text in line:
                return line
        raise AssertionError(f"no {text!r} in {self.seen!r}")

    def stop(self) -> dict[str, Any]:
        """SIGTERM; the record that it prints."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        record: dict[str, Any] = json.loads(out)
        return record


@contextmanager
def ended() -> Iterator[list[Service]]:
    """A list for services; whatever still runs of them is killed in the end."""
    running: list[Service] = []
    try:
        yield running
    finally:
        for service in running:
            if service.process.poll() is None:
                service.process.kill()
            service.process.communicate()


def is_connected(process: int) -> bool:
    """Whether a process has a Unix socket open."""
    try:
        return bool(psutil.Process(process).net_connections("unix"))
    except psutil.Error:
        return False


def until(condition: Callable[[], bool]) -> None:
    """Wait for something, seconds at most."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
