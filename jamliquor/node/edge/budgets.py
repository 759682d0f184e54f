"""Every budget of the design, and whether a run kept it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jamliquor.node.edge.yardsticks import HOST_CALLS

MEGABYTE = 1_000_000
SLOT_SECONDS = 6.0
NODE_MB = 128
IMPORT_MB = 64
FULL_MB = 96
LARGE_MB = 96
GUEST_MB = 32
BLOCK_MS = 100.0
SLOT_PERCENT = 50.0
SHARE_PERCENT = 5.0
START_MS = 500.0
MAKE_MS = 6000.0
SIGN_MS = 100.0
COMPILE_MS = 50.0
HOST_CALL_MS = 1.0
STORAGE_MB = 1000

_NOT_MEASURED = (
    ("a ring proof", "it is paced and delays no block, so that no budget binds it"),
    ("a plug-in, 16 MB", "there are no plug-ins yet"),
    ("gas metering, 10 % of run time", "there is no build without it to compare with"),
    ("network, 1 MB/s; finality, 20 s", "there is no network yet"),
)


def check(name: str, value: float, unit: str, budget: float, note: str = "") -> dict[str, Any]:
    """A budget and whether it is kept."""
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "budget": budget,
        "met": value < budget,
        "note": note,
    }


def checks(found: dict[str, Any], *, real: bool) -> list[dict[str, Any]]:
    """All budgets, in the order in which the report shows them."""
    return [
        *_memory(found),
        *_blocks(found["chains"], real=real),
        *_calls(found, real=real),
        *_start(found["start"], real=real),
        *_storage(found),
        *(_not_measured(name, why) for name, why in _not_bound(found)),
    ]


def _not_bound(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    low, high = found["operations"]["prove"]
    (name, why), *more = _NOT_MEASURED
    yield name, f"{low:.0f} to {high:.0f} ms; {why}"
    yield from more


def _not_measured(name: str, why: str) -> dict[str, Any]:
    return {"name": name, "value": None, "unit": "", "budget": None, "met": None, "note": why}


def _watched(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every command that ran under a limit."""
    large = found["large"]
    return {
        **{one["name"]: one for one in found["chains"]},
        **found["commands"],
        **found["store"]["steps"],
        **{f"{step}, {large['entries']} entries": one for step, one in large["steps"].items()},
        "guests": found["guests"],
    }


def _memory(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    watched = _watched(found)
    name, most = max(watched.items(), key=lambda item: item[1]["peak_mb"])
    yield check("memory of a whole process tree, the most", most["peak_mb"], "MB", NODE_MB, name)
    chains = found["chains"]
    most = max(chains, key=lambda one: one["peak_mb"])
    yield check("memory of an import, the most", most["peak_mb"], "MB", IMPORT_MB, most["name"])
    failed = [one["name"] for one in chains if not one["completed"]]
    note = f"{chains[0]['limited_by']} of {IMPORT_MB} MB" + (
        f"; failed: {', '.join(failed)}" if failed else ""
    )
    yield check("chains that do not complete in it", len(failed), "", 1, note)
    for name, one in watched.items():
        if one in chains:
            continue
        limit = one["limit_mb"]
        told = "" if one["completed"] else f"failed: {one['said']}"
        value = one["peak_mb"] if one["completed"] else max(one["peak_mb"], float(limit))
        yield check(f"memory of {name}", value, "MB", limit, told)
    guests = found["guests"]
    if guests["completed"]:
        touched, peak = guests["touched"] / MEGABYTE, guests["peak"] / MEGABYTE
        note = f"one guest wrote to {touched:.0f} MB; the rest lies in a file"
        yield check("resident pages of guests", peak, "MB", GUEST_MB, note)


def _blocks(chains: list[dict[str, Any]], *, real: bool) -> Iterator[dict[str, Any]]:
    kind = "measured" if real else "estimate"
    for end, key in (("low", "low_ms"), ("high", "high_ms")):
        if real and end == "low":
            continue
        slowest = max(chains, key=lambda one: max(one[key]))
        name = f"slowest block, {kind}" if real else f"slowest block, {end} estimate"
        above = sum(value >= BLOCK_MS for one in chains for value in one[key])
        of = sum(one["blocks"] for one in chains)
        note = f"{slowest['name']}, block {slowest['slowest']['block']}; above: {above} of {of}"
        yield check(name, max(slowest[key]), "ms", BLOCK_MS, note)
    most = max(max(one["high_ms"]) for one in chains)
    share = most / (SLOT_SECONDS * 10)
    yield check(f"slot that the slowest block takes, {kind}", share, "%", SLOT_PERCENT)
    busiest = max(chains, key=lambda one: one["share_percent"][1])
    note = f"{busiest['name']}, one block in {SLOT_SECONDS:g} s on one core"
    yield check(f"processor, {kind}", busiest["share_percent"][1], "%", SHARE_PERCENT, note)


def _calls(found: dict[str, Any], *, real: bool) -> Iterator[dict[str, Any]]:
    kind = "measured" if real else "high estimate"
    operations = found["operations"]
    make = found["made"]["high_ms"][0]
    note = "tiny, with a report on each core; chosen, sealed and judged"
    yield check(f"making a block, {kind}", make, "ms", MAKE_MS, note)
    yield check(f"a VRF signature, {kind}", operations["sign"][1], "ms", SIGN_MS)
    note = "100 KB, decoded by the interpreter: there is no recompiler"
    yield check(f"preparing a program, {kind}", operations["compile"][1], "ms", COMPILE_MS, note)
    note = "an exit to the host and back"
    call = operations["host_call"][1] / HOST_CALLS
    yield check(f"a host call, {kind}", call, "ms", HOST_CALL_MS, note)


def _start(start: dict[str, Any], *, real: bool) -> Iterator[dict[str, Any]]:
    yield check("start to first block, on this machine", start["here_ms"], "ms", START_MS)
    if not real:
        for end, value in zip(("low", "high"), start["board_ms"], strict=True):
            yield check(f"start to first block, {end} estimate", value, "ms", START_MS)


def _storage(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    store, large = found["store"], found["large"]
    size = store["directory_mb"]
    yield check("storage of a chain, pruned", size, "MB", STORAGE_MB, store["name"])
    note = f"a state of {large['entries']} entries"
    yield check("storage of a snapshot", large["file_mb"], "MB", STORAGE_MB, note)
