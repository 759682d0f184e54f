"""What an import adds up to: counts, times, memory; as JSON and as a few lines of text."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from typing import Any

from jamliquor.cli.exits import ExitCode
from jamliquor.cli.machine import peak_rss
from jamliquor.conformance.runner import Outcome, Result

_MAX_FAILURES = 20


class Summary:
    """Adds up results; holds four octets a block, and the first few failures.

    Attributes:
        planned: how many blocks the sources hold.
        interrupted: whether somebody stopped the work.
    """

    def __init__(self, planned: int) -> None:
        self.planned = planned
        self.interrupted = False
        self._counts: Counter[Outcome] = Counter()
        self._chains: set[str] = set()
        self._milliseconds = array("f")
        self._slots: tuple[int, int] | None = None
        self._tickets = 0
        self._failures: list[dict[str, Any]] = []
        self._begun = time.perf_counter()

    def add(self, chain: str, result: Result) -> None:
        """Count one result on the chain of that name."""
        self._counts[result.outcome] += 1
        self._chains.add(chain)
        self._milliseconds.append(result.milliseconds)
        self._tickets += result.tickets
        if result.root is not None:
            first, last = self._slots or (result.slot, result.slot)
            self._slots = (min(first, result.slot), max(last, result.slot))
        if not result.outcome.good and len(self._failures) < _MAX_FAILURES:
            self._failures.append(block_record(result))

    @property
    def blocks(self) -> int:
        """Blocks imported so far."""
        return len(self._milliseconds)

    @property
    def seconds(self) -> float:
        """Time since the start, with the reading of files."""
        return time.perf_counter() - self._begun

    @property
    def exit_code(self) -> ExitCode:
        """What the results so far mean; a differing state weighs more than a refused block."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self._counts[Outcome.MISMATCH] or self._counts[Outcome.WRONGLY_ACCEPTED]:
            return ExitCode.MISMATCH
        return ExitCode.REFUSED if self._counts[Outcome.WRONGLY_REFUSED] else ExitCode.DONE

    def record(self) -> dict[str, Any]:
        """Everything, for JSON: times in milliseconds, memory in octets."""
        first, last = self._slots or (None, None)
        seconds = self.seconds
        times = sorted(self._milliseconds)
        return {
            "chains": sorted(self._chains),
            "planned": self.planned,
            "blocks": self.blocks,
            "outcomes": {outcome.value: self._counts[outcome] for outcome in Outcome},
            "first_slot": first,
            "last_slot": last,
            "tickets": self._tickets,
            "seconds": round(seconds, 3),
            "blocks_per_second": round(self.blocks / seconds, 1),
            "ms": {
                "median": _percentile(times, 50),
                "p90": _percentile(times, 90),
                "p99": _percentile(times, 99),
                "longest": _percentile(times, 100),
            },
            "peak_rss_bytes": peak_rss(),
            "interrupted": self.interrupted,
            "exit_code": int(self.exit_code),
            "failures": self._failures,
        }

    def lines(self) -> list[str]:
        """The same for people, aligned, within 80 columns."""
        record = self.record()
        outcomes = record["outcomes"]
        told = [
            f"{outcomes['agreed']} agreed",
            f"{outcomes['refused as recorded']} refused as recorded",
        ]
        told += [
            f"{outcomes[outcome.value]} {outcome}"
            for outcome in Outcome
            if not outcome.good and outcomes[outcome.value]
        ]
        times = record["ms"]
        rows = [("chain", ", ".join(record["chains"]) or "none")]
        rows.append(("blocks", f"{self.blocks} of {self.planned}: {', '.join(told)}"))
        if record["first_slot"] is not None:
            rows.append(("slots", f"{record['first_slot']} to {record['last_slot']}"))
        rows.append(("time", f"{record['seconds']:.2f} s, {record['blocks_per_second']:.0f} blocks/s"))
        if self.blocks:
            shown = ", ".join(f"{name} {value:.2f}" for name, value in times.items())
            rows.append(("a block", f"{shown} ms"))
        rows.append(("memory", f"{record['peak_rss_bytes'] / 1e6:.1f} MB at the peak"))
        rows.append(("result", self._verdict()))
        return [f"{name:<9}{text}" for name, text in rows]

    def _verdict(self) -> str:
        if self.interrupted:
            return "stopped; what is above is the work so far"
        if self.exit_code is ExitCode.DONE:
            return "everything agrees with the record"
        return f"NOT as recorded (exit code {int(self.exit_code)})"


def block_record(result: Result) -> dict[str, Any]:
    """One result for JSON."""
    record: dict[str, Any] = {
        "trace": result.trace.name,
        "file": result.path.name,
        "slot": result.slot,
        "hash": "0x" + result.hash.hex(),
        "root": None if result.root is None else "0x" + result.root.hex(),
        "ms": round(result.milliseconds, 3),
        "tickets": result.tickets,
        "outcome": result.outcome.value,
    }
    if not result.outcome.good:
        record["expected_root"] = "0x" + result.expected_root.hex()
        record["differences"] = [
            {"entry": entry.entry, "fields": [field._asdict() for field in entry.fields]}
            for entry in result.differences
        ]
    if result.refusal is not None:
        record["error"] = result.refusal.code
        record["reason"] = str(result.refusal)
    return record


def _percentile(ordered: list[float], percent: int) -> float | None:
    """The least value that ``percent`` of all do not exceed (nearest rank)."""
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)
    return round(ordered[max(rank, 1) - 1], 3)
