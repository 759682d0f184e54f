"""The command ``jamliquor`` on a card that is slow to sync.

``python -m jamliquor.node.edge.slow_disk MILLISECONDS FILE ARGUMENT...`` runs it with the arguments;
each sync of the database, of the event log and of a snapshot takes that much longer. How often the disk
was waited for is written to FILE.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def slow_down(milliseconds: int, told: Path) -> None:
    """Make everything slow that this process syncs from now on."""
    from jamliquor.store import disk  # noqa: PLC0415 - only where it is to be slow
    from jamliquor.store._db import Database, Trial  # noqa: PLC0415

    waits = 0

    def count(more: int) -> None:
        nonlocal waits
        waits += more
        told.write_text(str(waits), encoding="ascii")

    def slow(sync: Callable[[int], None]) -> Callable[[int], None]:
        def synced(descriptor: int) -> None:
            sync(descriptor)
            time.sleep(milliseconds / 1000)
            count(1)

        return synced

    class Slow(Database):
        """A database whose file is slow to sync."""

        def __init__(self, path: Path, cache_bytes: int, file_cache_bytes: int, trial: Trial) -> None:
            slowed = trial._replace(sync_delay_ms=milliseconds)
            super().__init__(path, cache_bytes, file_cache_bytes, slowed)

        def close(self) -> None:
            count(self.counters.synced)
            super().close()

    count(0)
    for name in ("fsync", "fdatasync"):
        setattr(os, name, slow(getattr(os, name)))
    setattr(disk, "Database", Slow)  # noqa: B010 - the name that the store on disk opens files by


if __name__ == "__main__":
    slow_down(int(sys.argv[1]), Path(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    from jamliquor.__main__ import main

    main()
