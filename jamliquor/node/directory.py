"""A node's directory: ``chain.db`` with blocks and states, ``chain.json`` with what chain it is,
``events/`` with the log, ``lock``.

One process at a time may use the store; readers of the log need no lock.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from jamliquor.chain_spec import encode_params, params_of_spec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError, StoreError
from jamliquor.node.node import Node
from jamliquor.node.settings import DEFAULTS, Settings
from jamliquor.node.sources import Genesis
from jamliquor.params import NAMED, ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.stf.laps import Laps
from jamliquor.store.directory import DATABASE_FILE, REBUILD_FOLDER, SNAPSHOT_FOLDER
from jamliquor.store.disk import DiskStore
from jamliquor.store.events import EventLog
from jamliquor.store.window import DEFAULT_KEEP_STATES

EVENTS: Final = "events"
CHAIN: Final = "chain.json"


def holds_chain(folder: Path) -> bool:
    """Whether a directory was filled with a chain, as far as its files tell."""
    return (folder / CHAIN).exists() and (folder / DATABASE_FILE).exists()


class Directory:
    """An open directory; use it as a context manager, or close it.

    Args:
        genesis: the chain that is wanted; a new directory is filled with it. None opens what is there.
        keep_states: how many states to keep behind the head.
        repair: whether to repair damage before anything else, where damage is met.

    Attributes:
        params: the chain's parameters.
        genesis: hash of the chain's first header.

    Raises:
        StoreError: the directory cannot be used, is in use, holds another chain, or none.
    """

    def __init__(
        self,
        folder: Path,
        genesis: Genesis | None = None,
        *,
        keep_states: int = DEFAULT_KEEP_STATES,
        repair: bool = True,
    ) -> None:
        self.folder = folder
        if genesis is None and not holds_chain(folder):
            raise StoreError(f"{folder}: holds no chain; import a source that has a genesis")
        if holds_chain(folder):
            self.params, self.genesis = read_chain(folder / CHAIN)
        if genesis is not None:
            self._demand(genesis)
            self.params, self.genesis = genesis.params, blake2b(genesis.header)
        self.store = DiskStore(
            folder, self.params, genesis=self.genesis, keep_states=keep_states, repair=repair
        )
        try:
            # What an interrupted rebuilding left.
            shutil.rmtree(folder / REBUILD_FOLDER, ignore_errors=True)
            if self.store.head is None:
                self._fill(genesis)
            # Last, so that a directory with this file was filled.
            if not (folder / CHAIN).exists():
                write_chain(folder / CHAIN, self.params, self.genesis)
        except BaseException:
            self.store.close()
            raise

    def __enter__(self) -> Directory:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def node(
        self,
        engine: Engine,
        settings: Settings = DEFAULTS,
        *,
        software: str = "",
        laps: Laps | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> Node:
        """The node on this directory; close it before the directory.

        Args:
            tell: takes lines for people, about snapshots.

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
                laps=laps,
                snapshots=self.folder / SNAPSHOT_FOLDER,
                tell=tell,
            )
        except BaseException:
            log.close()
            raise

    def close(self) -> None:
        """Close the store and let others in.

        Raises:
            StoreError: the disk failed; the next start puts it right.
        """
        self.store.close()

    def _demand(self, genesis: Genesis) -> None:
        """Refuse a source of another chain than the directory's."""
        wanted = blake2b(genesis.header)
        if holds_chain(self.folder) and self.genesis != wanted:
            raise StoreError(
                f"{self.folder}: holds the chain of genesis 0x{self.genesis.hex()}, "
                f"not of 0x{wanted.hex()}"
            )

    def _fill(self, genesis: Genesis | None) -> None:
        if genesis is None:
            raise StoreError(f"{self.folder}: was never filled; import a source that has a genesis")
        try:
            self.store.initialise(genesis.record(), genesis.entries)
        except ValueError as error:
            raise StoreError(f"the genesis: {error}") from None


def write_chain(path: Path, params: ChainParams, genesis: bytes) -> None:
    """Say what chain it is, in the form that ``--chain`` reads too (JIP-4).

    Raises:
        StoreError: the file cannot be written.
    """
    text = json.dumps(
        {
            "id": params.name,
            "protocol_parameters": encode_params(params).hex(),
            "genesis": genesis.hex(),
        }
    )
    part = path.with_suffix(".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from None


def read_chain(path: Path) -> tuple[ChainParams, bytes]:
    """Parameters and genesis hash that :func:`write_chain` wrote.

    Raises:
        StoreError: the file cannot be read, or is damaged.
    """
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
        params = params_of_spec(spec)
        genesis = bytes.fromhex(spec["genesis"])
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from None
    except (DecodeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: damaged: {error}") from None
    known = NAMED.get(params.name)
    same = known is not None and encode_params(known) == encode_params(params)
    return (known if same and known is not None else params), genesis
