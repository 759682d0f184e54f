"""The slot that the clock of this machine stands at."""

from __future__ import annotations

import time
from typing import Final

from jamliquor.params import ChainParams

COMMON_ERA: Final = 1_735_732_800
"""Seconds from 1970 to the beginning of the Jam Common Era, 2025-01-01 12:00 UTC (section 4.4)."""


def slot_now(params: ChainParams) -> int:
    """The present slot; 0 before the era."""
    return max(0, int(time.time()) - COMMON_ERA) // params.slot_seconds


def seconds_until(params: ChainParams, slot: int) -> float:
    """Seconds until a slot begins; 0 once it has."""
    return max(0.0, COMMON_ERA + slot * params.slot_seconds - time.time())


def era_seconds() -> float:
    """Seconds since the beginning of the Jam Common Era."""
    return time.time() - COMMON_ERA
