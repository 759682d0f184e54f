"""Writes what was said on a connection as trace files, which ``jamliquor import`` replays."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from jamliquor.codec import codec, runtime
from jamliquor.conformance.messages import Initialize, encode_entries
from jamliquor.conformance.session import Judged
from jamliquor.conformance.traces import GENESIS_NAME
from jamliquor.params import ChainParams
from jamliquor.state.state import State
from jamliquor.types.header import Header

# Files of last blocks kept in one folder; the oldest goes first.
_KEPT_LAST = 8

_NO_PARENT = bytes(32)


class Recording:
    """A folder with one trace for each state that was set: ``0001``, ``0002`` and so on.

    A trace has a ``genesis.bin`` when its first header has no parent; otherwise its steps stand by
    themselves, since headers before the first are not known to who replays them. A block that does
    not decode is no step: its octets are written as ``NNNNNNNN.undecodable``.

    Raises:
        OSError: the folder cannot be made or written, from every method.
    """

    def __init__(self, params: ChainParams, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._params = params
        self._folder = folder
        taken = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
        self._number = max(taken, default=0)
        # Sessions are told apart by the initialize message that they hold.
        self._places: dict[int, tuple[Path, int]] = {}

    def add(self, connection: int, start: Initialize, judged: Judged) -> Path:
        """Append a block of a connection; returns its file."""
        folder, count = self._places.get(connection) or (self._begin(start), 0)
        count += 1
        self._places[connection] = folder, count
        if judged.slot is None:
            path = folder / f"{count:08}.undecodable"
            _write(path, (judged.octets,))
        else:
            path = folder / f"{count:08}.bin"
            _write(path, step(judged))
        return path

    def end(self, connection: int) -> None:
        """The connection closed or set another state: its trace is complete."""
        self._places.pop(connection, None)

    def _begin(self, start: Initialize) -> Path:
        self._number += 1
        folder = self._folder / f"{self._number:04}"
        folder.mkdir()
        if start.header.parent == _NO_PARENT:
            head = codec(Header, self._params).encode(start.header)
            _write(folder / GENESIS_NAME, (head, *_state(start.state)))
        return folder


class LastBlocks:
    """A folder with the last blocks of connections that ended, the latest few of them.

    Args:
        folder: made when the first block is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: deque[Path] = deque()
        self._number = 0

    def add(self, judged: Judged) -> Path:
        """Write a block with the states before and after it; returns the file.

        Raises:
            OSError: the folder cannot be made or written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._number += 1
        suffix = "undecodable" if judged.slot is None else "bin"
        path = self._folder / f"last-{os.getpid()}-{self._number:04}.{suffix}"
        _write(path, (judged.octets,) if judged.slot is None else step(judged))
        self._written.append(path)
        if len(self._written) > _KEPT_LAST:
            self._written.popleft().unlink(missing_ok=True)
        return path


def step(judged: Judged) -> Iterator[bytes]:
    """A step file in portions: the state before, the block, the state after."""
    yield from _state(judged.prior)
    yield judged.octets
    yield from _state(judged.posterior)


def _state(state: State) -> Iterator[bytes]:
    yield state.root + runtime.encode_natural(len(state.trie))
    yield from encode_entries(state.items())


def _write(path: Path, portions: Iterable[bytes]) -> None:
    """Write a file that appears whole or not at all."""
    scratch = path.with_name(f".{path.name}.part")
    try:
        with scratch.open("wb") as file:
            file.writelines(portions)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
