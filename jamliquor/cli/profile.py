"""The table of ``jamliquor import --profile``: where the time of blocks went."""

from __future__ import annotations

from typing import Any

from jamliquor.stf.laps import Laps

__all__ = ["profile_lines", "profile_record"]


def profile_record(laps: Laps) -> dict[str, Any]:
    """For JSON: mean microseconds a block and the share of each part."""
    blocks, whole = max(laps.blocks, 1), sum(laps.times.values())
    return {
        "blocks": laps.blocks,
        "us": round(whole / blocks * 1e6, 1),
        "parts": {
            part: {"us": round(spent / blocks * 1e6, 1), "share": round(spent / whole, 4)}
            for part, spent in laps.times.items()
        },
    }


def profile_lines(laps: Laps) -> list[str]:
    """For people, the largest part first."""
    record = profile_record(laps)
    parts = sorted(record["parts"].items(), key=lambda item: (-item[1]["us"], item[0]))
    lines = [f"{'part':<24}{'us a block':>12}{'share':>9}"]
    lines += [f"{part:<24}{cost['us']:>12.1f}{cost['share']:>9.1%}" for part, cost in parts]
    return [*lines, f"{'whole block':<24}{record['us']:>12.1f}{1:>9.1%}"]
