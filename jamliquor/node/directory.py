"""A node's directory: ``chain.db`` with blocks and states, ``events/`` with the log, ``lock``.

One process at a time may write to it. Readers of the log need no lock.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final

from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError, StoreError
from jamliquor.node.node import Node
from jamliquor.node.settings import DEFAULTS, Settings
from jamliquor.node.sources import Genesis
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.store.events import EventLog
from jamliquor.store.interim import DiskStore
from jamliquor.types.header import Header

DATABASE: Final = "chain.db"
EVENTS: Final = "events"
LOCK: Final = "lock"
DEFAULT_KEEP_STATES: Final = 16


class Lock:
    """Keeps other processes out of a directory as long as it is held; use it as a context manager.

    The operating system lets go of it when the process ends, however it ends.

    Raises:
        StoreError: another process holds it, or the directory cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"{path}: cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise StoreError(f"{folder}: in use by process {holder}; stop that one first") from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let others in."""
        os.close(self._file)


class Directory:
    """An open directory: its store, its log and its lock.

    Args:
        genesis: the chain that is wanted; a new directory is filled with it. None opens what is there.
        keep_states: how many states to keep behind the head.

    Attributes:
        genesis: hash of the chain's first header.

    Raises:
        StoreError: the directory cannot be used, is in use, holds another chain, or none.
    """

    def __init__(
        self, folder: Path, genesis: Genesis | None = None, *, keep_states: int = DEFAULT_KEEP_STATES
    ) -> None:
        self.folder = folder
        if genesis is None and not (folder / DATABASE).exists():
            raise StoreError(f"{folder}: holds no chain; import a source that has a genesis")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made: {error.strerror}") from None
        self._lock = Lock(folder)
        try:
            self.store = self._open(genesis, keep_states)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, genesis: Genesis | None, keep_states: int) -> DiskStore:
        wanted = None if genesis is None else blake2b(genesis.header)
        store = DiskStore(
            self.folder / DATABASE,
            None if genesis is None else genesis.params,
            genesis=wanted,
            keep_states=keep_states,
        )
        self.genesis: bytes = store.genesis
        if store.head is None and genesis is not None:
            try:
                store.initialise(_first(genesis), genesis.entries)
            except (ValueError, StoreError):
                store.close()
                raise
        return store

    @property
    def params(self) -> ChainParams:
        """The chain's parameters."""
        return self.store.params

    def node(self, engine: Engine, settings: Settings = DEFAULTS, *, software: str = "") -> Node:
        """The node on this directory; closing it closes the store.

        Raises:
            StoreError: store or log cannot be used.
        """
        log = EventLog(self.folder / EVENTS)
        try:
            return Node(
                self.params,
                engine,
                self.store,
                log,
                settings=settings,
                genesis=self.genesis,
                software=software,
            )
        except BaseException:
            log.close()
            raise

    def close(self) -> None:
        """Close the store and let others in."""
        try:
            self.store.close()
        finally:
            self._lock.release()


def _first(genesis: Genesis) -> BlockRecord:
    try:
        header = codec(Header, genesis.params).decode(genesis.header)
    except DecodeError as error:
        raise StoreError(f"the genesis header cannot be decoded: {error}") from None
    return BlockRecord(
        blake2b(genesis.header),
        header.parent,
        header.slot,
        0,
        genesis.state_root,
        False,
        genesis.header,
    )
