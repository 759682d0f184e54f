"""The report of the edge benchmark: one record, written as JSON, as Markdown and as a page."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jamliquor.node.edge.profile import Profile

_EMULATED = ("linux,dummy-virt", "QEMU")
"""Models of emulators, whose times say nothing about a board."""

_MEMORY = (
    "Memory: every chain is imported by the installed command under the budget; memory is the VmHWM "
    "of its whole process tree, watched all the time. Where a memory cgroup can be had, the page cache "
    "counts against the limit too; elsewhere it is RLIMIT_DATA and a watchdog over resident memory. "
    "Limited here by: {limited}."
)
_MEASURED = (
    "Times: a block's processor time over all threads, on one core, measured with clocks around the "
    "native core; of {rounds} rounds each kind of work counts where it took least. No card is slowed "
    "down: the writes are those of this board's own storage."
)
_CLOCKS = (
    "Times here: a block's processor time over all threads, on one core, is split by kind of work with "
    "clocks around the native core. Processor time, not the wall's: what else runs is not in it. Of "
    "{rounds} rounds each kind counts where it took least, because whatever disturbs a round (other "
    "work's hold on caches, a collection of garbage that falls into another block) only adds. It is "
    "system and user time together, since Linux divides it only by samples."
)
_COUNTED = (
    "Blocks on the board: the instructions of every block on aarch64, by the same clocks, read from a "
    "counter of the emulator (qemu-user, as a Cortex-A53); no timing is in them, so that they are the "
    "same on a busy machine. Times cycles an instruction, over the clock."
)
_FACTORS = (
    "Blocks on the board: each kind of work here times a factor: what its yardstick should take there, "
    "by its instructions on aarch64, counted under qemu-user with the wheel, times cycles an "
    "instruction, over the clock; divided by what it takes here."
)
_CYCLES = (
    "Cycles an instruction come from figures that OpenSSL's sources cite for the core, divided by the "
    "instructions of the same routines: as scheduled by hand, and as compiled, for which the fewest "
    "instructions count that a compiler makes of them today. The estimates take the least and the most "
    "that come out."
)
_SYNCS = (
    "Storing, pruning and snapshots: each sync takes {sync} ms longer, slept within the store's file "
    "and within the syncs of log and snapshot. {note}"
)
_ESTIMATED_LIMITS = (
    "An estimate is no measurement: caches, memory and heat of a board are not modelled.",
    "For interpreters (Python, guests) nothing is cited for these cores; their cycles are assumed.",
    "Syncs are slowed down, reads and the writes between syncs are not.",
)
_LIMITS = ("Clocks around the native core are taken off by what they cost alone.",)


def method(found: dict[str, Any], profile: Profile, rounds: int, *, real: bool) -> list[str]:
    """How the figures came about, in sentences."""
    memory = _MEMORY.format(limited=found["chains"][0]["limited_by"])
    if real:
        return [memory, _MEASURED.format(rounds=rounds)]
    blocks = _COUNTED if found["counted"] else _FACTORS
    syncs = _SYNCS.format(sync=found["sync_ms"], note=profile.sync_note)
    return [memory, _CLOCKS.format(rounds=rounds), blocks, _CYCLES, syncs, profile.note]


def board(tree: Path = Path("/proc/device-tree")) -> str | None:
    """The board that this is, as its firmware names it; None on a machine without a device tree."""
    try:
        model = (tree / "model").read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None
    return model if model and not model.startswith(_EMULATED) else None


def assemble(
    found: dict[str, Any], profile: Profile, here: dict[str, Any], version: str, rounds: int
) -> dict[str, Any]:
    """Everything that the report says."""
    fields = profile._asdict() | {"cpi": {kind: list(one) for kind, one in profile.cpi.items()}}
    real = here["board"] is not None
    for one in [*found["chains"], *found["commands"].values(), found["guests"]]:
        one.pop("out", None)
    for stage in ("store", "large"):
        for one in found[stage]["steps"].values():
            one.pop("out", None)
    return {
        "jamliquor": version,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "estimated": not real,
        "profile": fields,
        "machine": here,
        "method": method(found, profile, rounds, real=real),
        "limits": list(_LIMITS if real else _ESTIMATED_LIMITS),
        **found,
    }


def write(record: dict[str, Any], folder: Path) -> None:
    """Write ``report.json``, ``report.md`` and ``report.html``."""
    from jamliquor.node.edge.page import render  # noqa: PLC0415 - only for reports

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(record) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(markdown(record), encoding="utf-8")
    (folder / "report.html").write_text(render(record), encoding="utf-8")


def subject(record: dict[str, Any]) -> str:
    """What the times are those of."""
    if not record["estimated"]:
        return str(record["machine"]["board"])
    profile = record["profile"]
    return f"{profile['title']}, estimated ({profile['core']}, {profile['clock_mhz']:g} MHz)"


def verdict(check: dict[str, Any]) -> str:
    """In a word."""
    if check["met"] is None:
        return "not measured"
    return "met" if check["met"] else "missed"


def value(check: dict[str, Any]) -> tuple[str, str]:
    """What was found and what is allowed; a dash each where nothing was measured."""
    if check["met"] is None:
        return "–", "–"
    return f"{check['value']:g} {check['unit']}".strip(), f"{check['budget']:g}"


def text(record: dict[str, Any]) -> str:
    """The budgets for a terminal."""
    lines = [subject(record)]
    for one in record["checks"]:
        found, allowed = value(one)
        lines.append(f"{verdict(one):<13}{one['name']:<52}{found:>12}  of {allowed}  {one['note']}")
    return "\n".join(line.rstrip() for line in lines)


def markdown(record: dict[str, Any]) -> str:
    """The report as a page of Markdown."""
    lines = [
        f"# Edge: {subject(record)}",
        "",
        "Generated by `jamliquor bench edge`; do not edit.",
        "",
        f"jamliquor {record['jamliquor']}, {record['date']}, run on {record['machine']['processor']}, "
        f"load before {record['machine']['load']:g}.",
        "",
        "| budget | value | below | verdict | |",
        "| --- | ---: | ---: | --- | --- |",
    ]
    for one in record["checks"]:
        word = verdict(one)
        mark = f"**{word}**" if word == "missed" else word
        lines.append(f"| {one['name']} | {' | '.join(value(one))} | {mark} | {one['note']} |")
    lines += ["", *_chains(record), "", *_slow_disk(record), "", *_factors(record)]
    lines += ["", "## Method", ""] + [f"* {one}" for one in record["method"]]
    lines += ["", "## Limits", ""] + [f"* {one}" for one in record["limits"]]
    return "\n".join(lines) + "\n"


def _chains(record: dict[str, Any]) -> Iterator[str]:
    yield "| chain | blocks | here, ms | low, ms | high, ms | of that | peak, MB | of a slot, % |"
    yield "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |"
    for chain in record["chains"]:
        slowest = [f"{max(chain[key]):g}" for key in ("here_ms", "low_ms", "high_ms")]
        share = " to ".join(f"{one:g}" for one in chain["share_percent"])
        cells = [chain["name"], str(chain["blocks"]), *slowest, parts(chain["slowest"])]
        cells += [f"{chain['peak_mb']:g}", share]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Times are those of the slowest block of each chain; *of that* is its high estimate by kind."


def parts(slowest: dict[str, Any]) -> str:
    """Which block was slowest, and what it spent its time on, the most first."""
    spent = sorted(slowest["parts_ms"].items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"{kind} {value:.0f}" for kind, value in spent if value >= 0.5)
    return f"block {slowest['block']}: {told or 'nothing'}"


def stored(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The steps that write: importing, pruning, snapshots."""
    steps: dict[str, dict[str, Any]] = {**record["store"]["steps"], **record["large"]["steps"]}
    return steps


def _slow_disk(record: dict[str, Any]) -> Iterator[str]:
    yield "| writes | seconds | slow syncs | slept, s | written, MB | entries a second | peak, MB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, one in stored(record).items():
        waits = one.get("waits", "")
        slept = f"{waits * record['sync_ms'] / 1000:.2f}" if waits != "" else ""
        rate = one.get("entries_per_second", "")
        written, peak = f"{one['written_mb']:g}", f"{one['peak_mb']:g}"
        cells = [name, f"{one['seconds']:g}", waits, slept, written, rate, peak]
        yield f"| {' | '.join(map(str, cells))} |"


def _factors(record: dict[str, Any]) -> Iterator[str]:
    yield "| work | factor, low | high |"
    yield "| --- | ---: | ---: |"
    yield from (f"| {kind} | {low:g} | {high:g} |" for kind, (low, high) in record["factors"].items())
