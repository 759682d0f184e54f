"""The native library stays until the process ends."""

from __future__ import annotations

import subprocess
import sys

CLOSING = """
from jamliquor._core import ffi, lib
ffi.dlclose(lib)
raise SystemExit("lib_core" not in open("/proc/self/maps").read())
"""


def test_closing_does_not_unload_it() -> None:
    """Handles that outlived the modules, cached ones say, were freed by code that was gone."""
    assert subprocess.run([sys.executable, "-c", CLOSING], check=False).returncode == 0
