"""The control socket of a running node: questions of other processes, answered between blocks.

A connection carries one request and its answer, each a line of at most so many octets: one for the
version of this protocol, then JSON (``docs/formats.md``). The node's own thread calls
:meth:`Control.poll` wherever it is free to; a call answers one request at most and waits for nobody.
A client costs a bounded request, a bounded answer and a few seconds; then its place goes to another.
"""

from __future__ import annotations

import json
import select
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jamliquor.errors import HostError, JamliquorError, StoreDamaged, StoreError
from jamliquor.node import questions
from jamliquor.node.follow import listen
from jamliquor.node.questions import BadQuestion, Record, Subject
from jamliquor.store.directory import CONTROL_SOCKET

__all__ = ["Control", "Malformed", "decode_line", "encode_line"]

VERSION: Final = b"1"
"""First octet of every line."""

MAX_REQUEST: Final = 4096
"""Octets of the longest request, its line's end included."""

MAX_ANSWER: Final = 1 << 20
"""Octets of the longest answer, its line's end included."""

MAX_CLIENTS: Final = 8

_PATIENCE_SECONDS: Final = 5.0
_END: Final = b"\n"


class Malformed(JamliquorError):
    """A line is not of this protocol, or not of this version of it."""


def encode_line(record: Record) -> bytes:
    """A record as a line."""
    return VERSION + json.dumps(record).encode() + _END


def decode_line(line: bytes) -> Record:
    """The record of a line, with or without its end.

    Raises:
        Malformed: it holds none, or has another version.
    """
    if line[:1] != VERSION:
        shown = line[:1].decode("ascii", "backslashreplace").strip() or "none"
        raise Malformed(f"version {shown} of the control protocol, not version {VERSION.decode()}")
    try:
        record = json.loads(line[1:])
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise Malformed("a line that holds no record")
    return record


@dataclass(slots=True, eq=False)
class _Client:
    """A connection.

    Attributes:
        until: when it is hung up.
        received: what has come of the request.
        left: what the client has not taken yet of its answer.
    """

    connection: socket.socket
    until: float
    received: bytes = b""
    left: bytes = b""


class Control:
    """Serves the control socket of a directory, once it listens.

    Attributes:
        subject: what is asked about; None while the directory is closed for a time.
    """

    def __init__(self) -> None:
        self.subject: Subject | None = None
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        self._listener: socket.socket | None = None
        self._path = Path()
        self._identity = 0

    def listen(self, folder: Path, tell: Callable[[str], Any]) -> None:
        """Take questions about a directory that this process holds the lock of.

        Args:
            tell: gets a line for people where no socket can be made, and nobody is served.
        """
        self._path = folder / CONTROL_SOCKET
        try:
            self._listener = listen(self._path)
            self._identity = self._path.stat().st_ino
        except (OSError, StoreError) as error:
            tell(f"{error}; inspect, prune and snapshot create cannot be used while this runs")
            return
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def fileno(self) -> int:
        """A descriptor that becomes readable when :meth:`poll` has something to do."""
        return self._selector.fileno()

    def poll(self) -> None:
        """Take what has come and answer one request; waits for nobody.

        Raises:
            HostError: what a request wanted written could not be; the client knows.
        """
        now = time.monotonic()
        ready = self._selector.select(0)
        heard = [key.data for key, _ in ready]
        for client in [one for one in self._clients if one.until <= now and one not in heard]:
            self._hang_up(client)
        for client in heard:
            if client is None:
                self._accept(now)
            elif client not in self._clients:
                continue
            elif client.left:
                self._send(client)
            elif self._read(client):
                # The others' requests wait where they are.
                return

    def wait(self, seconds: float, *others: int) -> None:
        """Wait until :meth:`poll` has something to do, or another descriptor, so long at most."""
        select.select([self.fileno(), *others], [], [], seconds)

    def close(self) -> None:
        """Hang up and remove the socket, unless it is another node's by now."""
        for client in list(self._clients):
            self._hang_up(client)
        self._selector.close()
        if self._listener is None:
            return
        self._listener.close()
        with suppress(OSError):
            if self._path.stat().st_ino == self._identity:
                self._path.unlink()

    def _accept(self, now: float) -> None:
        assert self._listener is not None, "somebody has come"
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        if len(self._clients) >= MAX_CLIENTS:
            self._hang_up(min(self._clients, key=lambda one: one.until))
        client = _Client(connection, now + _PATIENCE_SECONDS)
        self._clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _read(self, client: _Client) -> bool:
        """Take what has come from a client; whether it was a request, which is answered now."""
        try:
            octets = client.connection.recv(MAX_REQUEST)
        except BlockingIOError:
            return False
        except OSError:
            octets = b""
        client.received += octets
        line, end, _ = client.received.partition(_END)
        if len(line) >= MAX_REQUEST:
            self._tell(client, {"failed": f"a request has at most {MAX_REQUEST} octets"})
        elif end:
            record, failure = self._answer(line)
            self._tell(client, record)
            if failure is not None:
                raise failure
            return True
        elif not octets:
            self._hang_up(client)
        return False

    def _answer(self, request: bytes) -> tuple[Record, HostError | None]:
        """What to say, and what went wrong that concerns the node."""
        try:
            record = decode_line(request)
            question, arguments = record.get("question"), record.get("arguments")
            if not isinstance(question, str) or not isinstance(arguments, dict):
                raise Malformed("a request without a question")
        except Malformed as error:
            return {"failed": f"the running node was sent {error}"}, None
        if self.subject is None:
            return {"failed": "the running node has closed the directory for now; ask again"}, None
        try:
            return {"answer": questions.answer(self.subject, question, arguments)}, None
        except BadQuestion as error:
            return {"refused": error.reason, "about": error.about}, None
        except HostError as error:
            if isinstance(error, StoreDamaged):
                self.subject.store.suspect()
            return {"failed": str(error)}, error if questions.writes(question) else None
        except Exception as error:
            # Whatever is wrong with a question must not end the node.
            return {"failed": f"this is a bug of the node: {type(error).__name__}: {error}"}, None

    def _tell(self, client: _Client, record: Record) -> None:
        line = encode_line(record)
        if len(line) > MAX_ANSWER:
            line = encode_line({"failed": f"the answer has more than {MAX_ANSWER} octets"})
        client.received, client.left = b"", line
        client.until = time.monotonic() + _PATIENCE_SECONDS
        self._selector.modify(client.connection, selectors.EVENT_WRITE, client)
        self._send(client)

    def _send(self, client: _Client) -> None:
        try:
            client.left = client.left[client.connection.send(client.left) :]
        except BlockingIOError:
            return
        except OSError:
            client.left = b""
        if not client.left:
            self._hang_up(client)

    def _hang_up(self, client: _Client) -> None:
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()
