"""Runs the conformance target as a process, and speaks to it octet by octet."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from jamliquor.codec import codec
from jamliquor.conformance import messages
from jamliquor.conformance.messages import PeerInfo, Version
from jamliquor.params import TINY
from tests.support.command import COMMAND, Ran
from tests.support.traces import BLOCK, minimal_state

HANDSHAKE = messages.encode_peer_info(TINY, PeerInfo(1, 3, Version(0, 7, 2), Version(0, 1, 0), b"test"))


def initialize_message(entries: tuple[tuple[bytes, bytes], ...] | None = None) -> bytes:
    """An initialize message with these entries, or with a state of little more than a time."""
    given = minimal_state().entries if entries is None else entries
    size = messages.entries_size(given)
    return b"".join(messages.encode_initialize(TINY, BLOCK.header, given, *size))


def unframed(data: bytes) -> bytes:
    """A message without its length."""
    assert int.from_bytes(data[:4], "little") == len(data) - 4
    return data[4:]


def fresh_socket() -> Path:
    """A path short enough for a socket, whatever the tests' folder is called."""
    return Path(tempfile.mkdtemp(prefix="jam")) / "s"


class Running:
    """A target in another process."""

    def __init__(self, process: subprocess.Popen[str], path: Path, errors: IO[str]) -> None:
        self.process = process
        self.path = path
        self._errors = errors

    def rss(self) -> int:
        """Resident octets now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    def connect(self) -> Peer:
        """A new connection, before its handshake."""
        return Peer(self.path)

    def end(self, number: signal.Signals = signal.SIGTERM) -> Ran:
        """Stop it by a signal; what it said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=30)
        self._errors.seek(0)
        return Ran(self.process.returncode, out, self._errors.read())


class Peer:
    """A connection that says what a test wants said."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(str(path))

    def say(self, data: bytes) -> None:
        """Send octets."""
        self.sock.sendall(data)

    def hear(self) -> bytes:
        """The next message without its length; empty when the other side closed."""
        try:
            head = self._exactly(4)
            return self._exactly(int.from_bytes(head, "little")) if head else b""
        except ConnectionResetError:
            return b""

    def ask(self, data: bytes) -> bytes:
        """Send octets, then hear one message."""
        self.say(data)
        return self.hear()

    def close(self) -> None:
        """End the connection."""
        self.sock.close()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                assert not data, "the other side closed within a message"
                return b""
            data += part
        return data


@contextmanager
def running_target(
    folder: Path,
    *arguments: object,
    path: Path | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Running]:
    """A target whose data lies in ``folder``; told by the environment alone when there is one."""
    own = fresh_socket() if path is None else None
    path = own or path
    assert path is not None
    given = ["fuzz", "--socket", path, "--data", folder, *arguments]
    variables = dict(os.environ)
    if environment is not None:
        given = []
        variables |= environment | {"JAM_FUZZ_SOCK_PATH": str(path)}
    # A pipe that nobody reads would stop the target when it is full.
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*COMMAND, *map(str, given)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=variables,
        )
        running = Running(process, path, errors)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line == f"listening on {path}\n", line or running.end().err
            yield running
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if own is not None:
                own.unlink(missing_ok=True)
                own.parent.rmdir()


def block_message(data: bytes | None = None) -> bytes:
    """An import message with these octets, or with a block nobody would accept."""
    octets = codec(type(BLOCK), TINY).encode(BLOCK) if data is None else data
    return messages.frame(messages.IMPORT_BLOCK, octets)
