"""``python -m tests.support.held_node GATE …``: the command line, whose snapshots stay unfinished.

Each stays behind a chunk that it has written until there is a file GATE, or it is to stop.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from jamliquor.__main__ import main
from jamliquor.node.snapshotting import Taking


def hold(gate: Path) -> None:
    """Hold all snapshots of this process."""

    def note(self: Taking, done: int, total: int) -> None:
        self.entries = (done, total)
        while not (gate.exists() or self._asked.is_set()):
            time.sleep(0.01)

    setattr(Taking, "_note", note)  # noqa: B010 - a trial, of this process alone


if __name__ == "__main__":
    hold(Path(sys.argv.pop(1)))
    main()
