"""Asking about the chain in a directory: the opened directory, or else the node that runs on it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from jamliquor.errors import StoreError, StoreInUse
from jamliquor.node.control import MAX_ANSWER, Malformed, decode_line, encode_line
from jamliquor.node.directory import Directory
from jamliquor.node.questions import BadQuestion, Record, Subject, answer
from jamliquor.store.directory import CONTROL_SOCKET

__all__ = ["Asked", "OpenDirectory", "RunningNode", "pieces", "rows"]

_PATIENCE_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.02


class Asked(Protocol):
    """Who answers the questions of :mod:`jamliquor.node.questions`."""

    def ask(self, question: str, **arguments: Any) -> Record:
        """The answer to a question, or a piece of it; arguments that are None are left out.

        Raises:
            BadQuestion: what is asked for is not there.
            StoreError: the disk failed, or who was to answer did not.
        """


class OpenDirectory:
    """Answers from a directory that this process has opened."""

    def __init__(self, directory: Directory) -> None:
        self._subject = Subject(directory.params, directory.genesis, directory.store)

    def ask(self, question: str, **arguments: Any) -> Record:
        """See :class:`Asked`."""
        return answer(self._subject, question, arguments)


class RunningNode:
    """Has the node answer that runs on a directory; each question is a connection of its own.

    Args:
        patience: seconds that an answer may take: the node is busy with a block, perhaps.
    """

    def __init__(self, folder: Path, *, patience: float = _PATIENCE_SECONDS) -> None:
        self._path = folder / CONTROL_SOCKET
        self._folder = folder
        self._patience = patience

    def ask(self, question: str, **arguments: Any) -> Record:
        """See :class:`Asked`."""
        given = {name: value for name, value in arguments.items() if value is not None}
        line = self._exchange(encode_line({"question": question, "arguments": given}))
        try:
            said = decode_line(line)
        except Malformed as error:
            advice = "use the same release for both"
            raise StoreError(f"{self._path}: the running node answers with {error}; {advice}") from None
        match said:
            case {"answer": dict() as record}:
                return record
            case {"refused": str() as reason, "about": str() as about}:
                raise BadQuestion(reason, about)
            case {"failed": str() as reason}:
                raise StoreError(reason)
        raise StoreError(f"{self._path}: the running node gave no answer that makes sense")

    def _exchange(self, request: bytes) -> bytes:
        """Send a line, get a line."""
        end = time.monotonic() + self._patience
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                self._connect(connection, end)
                connection.sendall(request)
                return self._line(connection, end)
            except TimeoutError:
                reason = f"the running node gave no answer within {self._patience:g} s; ask again"
            except ConnectionError:
                reason = "the running node hung up: it stopped, or too many asked; ask again"
            except OSError as error:
                reason = error.strerror or str(error)
        raise StoreError(f"{self._path}: {reason}")

    def _connect(self, connection: socket.socket, end: float) -> None:
        while True:
            connection.settimeout(max(0.001, end - time.monotonic()))
            try:
                connection.connect(str(self._path))
            except BlockingIOError:
                # So many others are asking that this one does not even get in line.
                if time.monotonic() >= end:
                    raise TimeoutError from None
                time.sleep(_RETRY_SECONDS)
            except (FileNotFoundError, ConnectionRefusedError):
                raise StoreInUse(
                    f"{self._folder}: another process uses this directory and answers no questions: "
                    "wait until it has started, or stop it"
                ) from None
            except PermissionError:
                raise StoreError(
                    f"{self._path}: permission denied: ask as the user that the node runs as"
                ) from None
            else:
                return

    def _line(self, connection: socket.socket, end: float) -> bytes:
        received = bytearray()
        while not received.endswith(b"\n"):
            connection.settimeout(max(0.001, end - time.monotonic()))
            octets = connection.recv(1 << 16)
            if not octets and received:
                raise StoreError(f"{self._path}: the running node stopped in the middle of an answer")
            if not octets:
                raise ConnectionResetError
            received += octets
            if len(received) > MAX_ANSWER:
                raise StoreError(f"{self._path}: the running node's answer does not end")
        return bytes(received)


def pieces(asked: Asked, question: str, **arguments: Any) -> Iterator[Record]:
    """All pieces of an answer, each asked for when it is wanted.

    Raises:
        BadQuestion, StoreError: as for :meth:`Asked.ask`; also where the chain went on meanwhile and
            what the next piece is about is not kept any more.
    """
    while True:
        piece = asked.ask(question, **arguments)
        yield piece
        if piece["next"] is None:
            return
        arguments |= piece["next"]


def rows(asked: Asked, question: str, **arguments: Any) -> Iterator[Record]:
    """The rows of all pieces of a list."""
    for piece in pieces(asked, question, **arguments):
        yield from piece["rows"]
