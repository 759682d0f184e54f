"""The processor's cores that this process may use."""

from __future__ import annotations

import os

__all__ = ["spare_core"]


def spare_core() -> bool:
    """Whether a thread beside the calling one can have a core of its own."""
    return len(os.sched_getaffinity(0)) > 1
