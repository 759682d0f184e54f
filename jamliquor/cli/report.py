"""The report file of an import: written beside its place as the work goes on, then moved there."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


class Report:
    """A JSON file that appears whole or not at all.

    Blocks are written as they come, so a long import holds none of them in memory.

    Raises:
        OSError: the place cannot be written, at the time the report is begun.
    """

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(path))
        self._path = path
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        self._scratch = Path(name)
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")
        self._separator = ""
        self._file.write(json.dumps(head)[:-1] + ', "blocks": [')

    def add(self, block: dict[str, Any]) -> None:
        """Append one block."""
        self._file.write(f"{self._separator}\n{json.dumps(block)}")
        self._separator = ","

    def finish(self, totals: dict[str, Any]) -> None:
        """Complete the file and put it in its place."""
        self._file.write(f'\n], "totals": {json.dumps(totals)}}}\n')
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        mask = os.umask(0)
        os.umask(mask)
        self._scratch.chmod(0o666 & ~mask)
        self._scratch.replace(self._path)

    def discard(self) -> None:
        """Leave nothing behind, unless the report is finished."""
        if not self._file.closed:
            self._file.close()
        self._scratch.unlink(missing_ok=True)
