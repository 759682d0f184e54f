"""Fills a new directory from a snapshot, or leaves no trace."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from jamliquor.conformance.bad_input import BadInput
from jamliquor.conformance.cursor import unreadable
from jamliquor.errors import StoreError
from jamliquor.node.directory import CHAIN, holds_chain, write_chain
from jamliquor.state.stream import entries_of
from jamliquor.store.disk import DiskStore
from jamliquor.store.snapshot import Contents, SnapshotReader

_MARK: Final = "restoring"

Progress = Callable[[int, int], None]


def open_snapshot(path: Path) -> tuple[BinaryIO, SnapshotReader]:
    """Open a snapshot for reading; the caller closes the file.

    Raises:
        BadInput: it cannot be read, or is none.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise BadInput("does not exist", path, advice="check the name") from None
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        return file, SnapshotReader(file, path)
    except BaseException:
        file.close()
        raise


def contents_of(path: Path) -> Contents:
    """What the head of a snapshot says; the rest is not looked at.

    Raises:
        BadInput: as :func:`open_snapshot`.
    """
    file, reader = open_snapshot(path)
    file.close()
    return reader.contents


def restore(
    path: Path,
    folder: Path,
    *,
    genesis: bytes | None = None,
    state_root: bytes | None = None,
    progress: Progress = lambda done, total: None,
) -> Contents:
    """Fill a directory that is new, or empty, with what a snapshot holds.

    The snapshot is checked while it is read; whatever fails, the directory is as it was. What an
    interrupted restoration left is done again.

    Args:
        genesis: hash of the first header of the chain that is wanted, if that matters.
        state_root: of the state that is wanted, if that matters.
        progress: told how many entries of how many are restored.

    Raises:
        BadInput: the snapshot is damaged, cut short, of a newer version, or not what is wanted.
        StoreError: the directory is not empty, or cannot be written.
    """
    file, reader = open_snapshot(path)
    with file:
        demand(path, reader.contents, genesis, state_root)
        made = not folder.exists()
        _claim(folder)
        try:
            _fill(folder, reader, progress)
        except BaseException:
            _clear(folder, made=made)
            raise
    return reader.contents


def demand(path: Path, contents: Contents, genesis: bytes | None, state_root: bytes | None) -> None:
    """Refuse a snapshot of another chain or another state than the one that is wanted.

    Raises:
        BadInput: it is; the sentence names both.
    """
    if genesis is not None and contents.genesis != genesis:
        raise BadInput(
            f"of the chain with genesis 0x{contents.genesis.hex()}, not 0x{genesis.hex()}", path
        )
    found = contents.record.state_root
    if state_root is not None and found != state_root:
        raise BadInput(f"of the state with root 0x{found.hex()}, not 0x{state_root.hex()}", path)


def _claim(folder: Path) -> None:
    """Make the directory, or take an empty one; the mark says that all in it is ours."""
    mark = folder / _MARK
    try:
        if mark.exists() and not holds_chain(folder):
            _clear(folder, made=False)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StoreError(f"{folder}: is not empty; restore into a new directory")
        mark.touch()
    except OSError as error:
        raise StoreError(f"{folder}: cannot be used: {error.strerror}") from None


def _fill(folder: Path, reader: SnapshotReader, progress: Progress) -> None:
    contents = reader.contents

    def entries() -> Iterator[tuple[bytes, bytes]]:
        done = 0
        for count, octets in reader.portions():
            yield from entries_of(octets)
            done += count
            progress(done, contents.entries)

    store = DiskStore(folder, contents.params)
    try:
        store.initialise(
            contents.record,
            entries(),
            genesis=contents.genesis,
            ancestors=reader.ancestors(),
        )
    finally:
        store.close()
    write_chain(folder / CHAIN, contents.params, contents.genesis)
    (folder / _MARK).unlink()


def _clear(folder: Path, *, made: bool) -> None:
    with suppress(OSError):
        for one in folder.iterdir():
            if one.is_dir():
                shutil.rmtree(one)
            else:
                one.unlink()
        if made:
            folder.rmdir()
