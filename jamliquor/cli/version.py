"""The installed version, found without ``importlib.metadata``, which costs more than it tells."""

from __future__ import annotations

import os
import sys

_SUFFIX = ".dist-info"
_PREFIX = "jamliquor-"


def version() -> str:
    """Version of the installed package, or ``unknown`` when it runs from an uninstalled folder."""
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
                return name[len(_PREFIX) : -len(_SUFFIX)]
    return "unknown"


def numbers() -> tuple[int, int, int]:
    """The first three numbers of the version; zeros where there are none."""
    found = [int(part) for part in version().split(".")[:3] if part.isdecimal()]
    major, minor, patch = [*found, 0, 0, 0][:3]
    return major, minor, patch
