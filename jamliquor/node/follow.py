"""Blocks as they arrive: files that appear in a folder, or frames on a Unix socket.

Over the socket a client sends each block behind its length (4 octets, little-endian), and gets one
line of text for each block that this decided: verdict, hash, slot, and a reason where there is one.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import StoreError
from jamliquor.node.sources import BLOCK_SUFFIXES, Sent, read_block

POLL_SECONDS: Final = 0.25
"""Longest time between an arrival and its being noticed."""

MAX_FRAME: Final = 16 << 20
"""Octets of the largest block taken from a socket."""

MAX_CLIENTS: Final = 4

_LENGTH_OCTETS: Final = 4


class HasFileno(Protocol):
    """Something with a descriptor, as ``select`` takes it."""

    def fileno(self) -> int:
        """The descriptor."""


class Told(Protocol):
    """What became of something that arrived."""

    @property
    def line(self) -> str:
        """The same for who sent it."""


Take = Callable[[Sent], Sequence[Told]]


class Feed(Protocol):
    """Where new blocks come from."""

    def poll(self, take: Take) -> None:
        """Hand over what has arrived; wait a moment if nothing has.

        What ``take`` raises goes through; the block it was called with is offered again.
        """

    def close(self) -> None:
        """Let go of files and sockets."""


def open_feed(path: Path, wake: HasFileno | None = None) -> Feed:
    """A feed for a folder that exists, or else a socket at that path.

    Args:
        wake: what cuts the waiting of :meth:`Feed.poll` short when it becomes readable.

    Raises:
        StoreError: neither.
    """
    return FolderFeed(path, wake) if path.is_dir() else SocketFeed(path, wake=wake)


class FolderFeed:
    """New block files in a folder, by name. Write a file under another suffix and rename it.

    Names that were seen are remembered as long as the files are there.
    """

    def __init__(self, folder: Path, wake: HasFileno | None = None) -> None:
        self._folder = folder
        self._wake = [] if wake is None else [wake]
        self._seen: set[str] = set()

    def poll(self, take: Take) -> None:
        """See :class:`Feed`."""
        names = self._names()
        self._seen.intersection_update(names)
        new = [name for name in names if name not in self._seen]
        for name in new:
            path = self._folder / name
            if path.is_file():
                take(Sent(self._read(path), name))
            self._seen.add(name)
        if not new:
            select.select(self._wake, [], [], POLL_SECONDS)

    def close(self) -> None:
        """See :class:`Feed`."""

    def _read(self, path: Path) -> bytes:
        """A file's octets; one that cannot be read is told of once."""
        try:
            return read_block(path)
        except BadInput:
            self._seen.add(path.name)
            raise

    def _names(self) -> list[str]:
        try:
            return sorted(
                entry.name
                for entry in os.scandir(self._folder)
                if entry.name.endswith(BLOCK_SUFFIXES) and not entry.name.startswith(".")
            )
        except OSError as error:
            raise StoreError(f"{self._folder}: cannot be listed: {error.strerror}") from None


class _Client(NamedTuple):
    connection: socket.socket
    received: bytearray


class SocketFeed:
    """Frames from clients of a Unix socket that only this user may open.

    Args:
        wait: longest time that :meth:`poll` waits, in seconds.
        wake: what cuts that short when it becomes readable.

    Raises:
        StoreError: the socket cannot be made.
    """

    def __init__(
        self, path: Path, *, wait: float = POLL_SECONDS, wake: HasFileno | None = None
    ) -> None:
        self._path = path
        self._wait = wait
        self._listener = listen(path)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        if wake is not None:
            self._selector.register(wake, selectors.EVENT_READ)
        self._clients: dict[int, _Client] = {}

    def poll(self, take: Take) -> None:
        """See :class:`Feed`."""
        for client in list(self._clients.values()):
            self._serve(client, take)
        for key, _ in self._selector.select(self._wait):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fd in self._clients:
                client = self._clients[key.fd]
                self._read(client)
                self._serve(client, take)

    def close(self) -> None:
        """See :class:`Feed`."""
        for client in list(self._clients.values()):
            self._hang_up(client)
        self._selector.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if len(self._clients) >= MAX_CLIENTS:
            connection.close()
            return
        connection.settimeout(1.0)
        self._clients[connection.fileno()] = _Client(connection, bytearray())
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, client: _Client) -> None:
        try:
            octets = client.connection.recv(1 << 16)
        except OSError:
            octets = b""
        client.received.extend(octets)
        if not octets:
            self._hang_up(client)

    def _serve(self, client: _Client, take: Take) -> None:
        received = client.received
        while len(received) >= _LENGTH_OCTETS:
            length = int.from_bytes(received[:_LENGTH_OCTETS], "little")
            if length > MAX_FRAME:
                self._say(client, [f"refused: nothing has {length} octets"])
                self._hang_up(client)
                return
            end = _LENGTH_OCTETS + length
            if len(received) < end:
                return
            outcomes = take(Sent(bytes(received[_LENGTH_OCTETS:end]), self._path.name))
            del received[:end]
            self._say(client, [outcome.line for outcome in outcomes])

    def _say(self, client: _Client, lines: list[str]) -> None:
        try:
            client.connection.sendall("".join(f"{line}\n" for line in lines).encode())
        except OSError:
            self._hang_up(client)

    def _hang_up(self, client: _Client) -> None:
        descriptor = client.connection.fileno()
        if self._clients.pop(descriptor, None) is not None:
            self._selector.unregister(client.connection)
            client.connection.close()


def listen(path: Path) -> socket.socket:
    """A listening socket at a path that only this user may open; replaces one that nobody serves.

    Raises:
        StoreError: it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _answers(path):
            path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(MAX_CLIENTS)
    except OSError as error:
        listener.close()
        raise StoreError(f"{path}: no socket can be made there: {error.strerror or error}") from None
    return listener


def _answers(path: Path) -> bool:
    """Whether somebody listens on a socket that is there already."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
