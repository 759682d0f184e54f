"""The directory of a store: made, locked, measured."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from jamliquor.errors import StoreError, StoreInUse

DATABASE_FILE = "chain.db"
DRAFT_FILE = "chain.db.new"
LOCK_FILE = "lock"
CONTROL_SOCKET = "control"
SUSPECT_FILE = "damaged"
SNAPSHOT_FOLDER = "snapshots"
REBUILD_FOLDER = "rebuilding"

_BLOCK_BYTES = 512


class Directory:
    """A directory that this process alone uses until :meth:`release`.

    Raises:
        StoreInUse: another process uses it.
        StoreError: it cannot be made or written; the sentence names it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[bytes] = (path / LOCK_FILE).open("ab")
        except OSError as error:
            raise StoreError(f"{error.filename or path}: {os.strerror(error.errno or 0)}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise StoreInUse(f"{path}: another process uses this directory") from None

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self.path / DATABASE_FILE

    def draft(self) -> Path:
        """Where to make a new database file; what was left there is removed."""
        draft = self.path / DRAFT_FILE
        draft.unlink(missing_ok=True)
        return draft

    @property
    def snapshots(self) -> Path:
        """The folder of the chain's own snapshots."""
        return self.path / SNAPSHOT_FOLDER

    @property
    def suspect(self) -> bool:
        """Whether damage was met since the last time everything was looked at."""
        return (self.path / SUSPECT_FILE).exists()

    @suspect.setter
    def suspect(self, met: bool) -> None:
        mark = self.path / SUSPECT_FILE
        if met != mark.exists():
            mark.touch() if met else mark.unlink()
            self.sync()

    @property
    def size(self) -> int:
        """Bytes of disk space that all files take; parts of a file never written take none."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_blocks * _BLOCK_BYTES
                except FileNotFoundError:
                    continue
        return total

    def sync(self) -> None:
        """Make the names of new files durable."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def release(self) -> None:
        """Let other processes use the directory."""
        self._lock.close()
