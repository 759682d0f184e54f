"""What a result was measured on."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from typing import Any

from benchmarks.harness import MEGABYTE, ROOT
from jamliquor.cli import machine
from jamliquor.cli.version import version


def record() -> dict[str, Any]:
    """Processor, memory, versions, commit and day, for JSON."""
    model, cores, features = machine.processor()
    _, installed = machine.memory()
    return {
        "cores": cores,
        "cpu": model,
        "cpu_features": features,
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "jamliquor": version(),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
        "memory_mb": None if installed is None else installed // MEGABYTE,
        "python": platform.python_version(),
        "rustc": _said("rustc", "--version"),
    }


def _commit() -> str:
    commit = _said("git", "rev-parse", "--short=12", "HEAD")
    changed = _said("git", "status", "--porcelain", "--untracked-files=no", "--", "jamliquor", "native")
    return f"{commit} with changes" if commit and changed else commit


def _said(*command: str) -> str:
    """What a command prints, or nothing where it cannot run."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
