"""Where our blocks go while there is no network: a folder of files, or a node's Unix socket."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Final, Protocol

from jamliquor.errors import StoreError
from jamliquor.node.outcome import Outcome
from jamliquor.node.sources import Sent

__all__ = ["FolderOutbox", "Outbox", "SocketOutbox", "open_outbox"]

_TIMEOUT: Final = 2.0


class Outbox(Protocol):
    """Takes our blocks."""

    def send(self, octets: bytes, slot: int, block_hash: bytes) -> None:
        """Send a block out.

        Raises:
            OSError: it did not leave.
        """

    def is_own(self, sent: Sent) -> bool:
        """Whether something that arrived is only what we sent."""


class FolderOutbox:
    """Writes ``SLOT-HASH.block`` files, each whole or not at all; others may write there too.

    Raises:
        StoreError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made: {error.strerror}") from None

    def send(self, octets: bytes, slot: int, block_hash: bytes) -> None:
        """See :class:`Outbox`."""
        name = f"{slot:010}-{block_hash.hex()[:16]}.block"
        part = self._folder / f".{name}.{os.getpid()}.part"
        try:
            part.write_bytes(octets)
            part.replace(self._folder / name)
        finally:
            part.unlink(missing_ok=True)
        self._own.add(name)

    def is_own(self, sent: Sent) -> bool:
        """See :class:`Outbox`; asked once for each."""
        if sent.source not in self._own:
            return False
        self._own.remove(sent.source)
        return True


class SocketOutbox:
    """Sends blocks to ``jamliquor import --follow SOCKET``, one connection each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, octets: bytes, slot: int, block_hash: bytes) -> None:
        """See :class:`Outbox`; waits a moment for the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(str(self._path))
            connection.sendall(len(octets).to_bytes(4, "little") + octets)
            connection.recv(4096)

    def is_own(self, sent: Sent) -> bool:
        """See :class:`Outbox`."""
        return False


def open_outbox(path: Path) -> Outbox:
    """The outbox at a path: a socket if one is there, or else a folder.

    Raises:
        StoreError: neither, and no folder can be made.
    """
    try:
        if stat.S_ISSOCK(path.stat().st_mode):
            return SocketOutbox(path)
    except OSError:
        pass
    return FolderOutbox(path)


def told(outcome: Outcome) -> str:
    """A line about a block that somebody sent."""
    text = f"slot {outcome.slot}: {outcome.verdict} 0x{outcome.hash.hex()[:16]}"
    return f"{text}, {outcome.reason}" if outcome.reason else text
