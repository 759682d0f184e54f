"""``jamliquor bench edge``."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from jamliquor.conformance.vectors import suite
from jamliquor.node.edge import budgets, profile, report, stages, watch
from tests.support.command import run

PARTS = 4
"""Curves and bars of the page, but for the one of large states."""


def test_report_of_one_chain(tmp_path: Path) -> None:
    """One run, looked at from all sides: it takes a while."""
    found = suite()
    if found is None:
        pytest.skip("JAM_VECTORS is not set")
    chain = found / "traces" / "fallback"
    options = ("--rounds", "1", "--entries", "1000")
    ran = run("bench", "edge", "--chain", chain, *options, "--out", tmp_path / "out", "--json")
    assert ran.code in (0, 5), ran.err
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert json.loads(ran.out) == record
    assert (ran.code == 0) == all(one["met"] is not False for one in record["checks"])
    _stages_complete(record)
    _syncs_are_slow(record)
    _every_budget_is_on_the_page(record, tmp_path / "out")
    _a_board_is_named(record, tmp_path)


def _stages_complete(record: dict[str, Any]) -> None:
    [found] = record["chains"]
    assert found["completed"] and found["blocks"] == 100 and found["samples"]
    assert all(low < high for low, high in zip(found["low_ms"], found["high_ms"], strict=True))
    assert sum(found["slowest"]["parts_ms"].values()) == pytest.approx(max(found["high_ms"]), abs=0.1)
    steps = [*record["commands"].values(), *record["store"]["steps"].values()]
    steps += [*record["large"]["steps"].values(), record["guests"]]
    assert len(steps) == 10 and all(one["completed"] for one in steps), steps


def _syncs_are_slow(record: dict[str, Any]) -> None:
    assert record["sync_ms"] == 30
    large = record["large"]
    rates = [one.get("entries_per_second") for one in large["steps"].values()]
    assert rates[0] is None and all(rate > 0 for rate in rates[1:])
    assert large["file_mb"] * 1e6 > 63 * large["entries"]
    for steps in (record["store"]["steps"], large["steps"]):
        for name, one in steps.items():
            if name in ("import of empty blocks", "snapshot verify"):
                continue
            assert one["waits"] > 0 and one["seconds"] > one["waits"] * 0.03, name


def _every_budget_is_on_the_page(record: dict[str, Any], written: Path) -> None:
    named = {one["name"]: one for one in record["checks"]}
    for words in (
        *("whole process tree", "memory of an import", "full chain specification", "1000 entries"),
        *("making 48 blocks", "resident pages of guests", "plug-in", "slowest block", "slot that"),
        *("processor", "making a block", "VRF signature", "ring proof", "preparing a program"),
        *("gas metering", "a host call", "storage", "network", "finality"),
    ):
        assert any(words in name for name in named), words
    spilled = named["resident pages of guests"]
    assert spilled["met"] and record["guests"]["touched"] > 32e6, "more than the budget was touched"
    page = (written / "report.html").read_text()
    HTMLParser().feed(page)
    assert page.count("<svg") == PARTS + 1 and "<script" not in page and "http" not in page
    text = (written / "report.md").read_text()
    assert "# Edge: Raspberry Pi Zero 2 W" in text
    for name in named:
        assert f"| {name} |" in text
        assert name in page


def _a_board_is_named(record: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi Zero 2 W Rev 1.0\0")
    model = report.board(tmp_path)
    assert model == "Raspberry Pi Zero 2 W Rev 1.0"
    here = {**record["machine"], "board": model}
    derived = ("profile", "machine", "method", "limits", "estimated", "jamliquor", "date")
    found = {key: value for key, value in record.items() if key not in derived}
    found["checks"] = budgets.checks(found, real=True)
    said = report.assemble(found, profile.load("pi-4"), here, "0", 5)
    assert not said["estimated"] and report.subject(said) == model
    assert not any("estimate" in one["name"] for one in said["checks"])
    assert "measured" in " ".join(said["method"]) and "OpenSSL" not in " ".join(said["method"])
    assert f"# Edge: {model}\n" in report.markdown(said)
    assert stages.Job(profile.load("pi-4"), (), 1, 1, None, real=True).sync_ms == 0


@pytest.mark.parametrize("model", [None, b"", b"linux,dummy-virt\0"])
def test_other_machines_are_no_boards(model: bytes | None, tmp_path: Path) -> None:
    if model is not None:
        (tmp_path / "model").write_bytes(model)
    assert report.board(tmp_path) is None


def test_counts_decide_the_estimate() -> None:
    board = profile.load("pi-zero-2w")
    each = board.by_instruction()
    assert each["vrf"].low * 1e6 == pytest.approx(1.43), "cycles of a million instructions at 1 GHz"
    here = [{"vrf": 9.0}, {"vrf": 1.0}]
    counted = [{"vrf": 1e6, "python": 1e6}, {"vrf": 2e6}]
    found = stages._estimates(here, counted, each)
    assert found["here_ms"] == [9.0, 1.0]
    assert found["low_ms"] == [2.78, 2.86] and found["high_ms"] == [4.39, 3.78]
    assert found["slowest"] == {"block": 1, "parts_ms": {"python": 2.5, "vrf": 1.89}}


def test_counts_of_another_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    for text in ("{", "[]", '{"operations": {}, "made": {}, "chains": {}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="no counts"):
            profile.read_counts(path)


def test_custom_needs_a_file(tmp_path: Path) -> None:
    assert run("bench", "edge", "--profile", "custom").code == 2
    (tmp_path / "board.toml").write_text('title = "x"\n')
    ran = run("bench", "edge", "--profile", "custom", "--profile-file", tmp_path / "board.toml")
    assert ran.code != 0 and "no board's profile" in ran.err


@pytest.mark.parametrize("name", profile.NAMES)
def test_profiles_slow_everything_down(name: str) -> None:
    board = profile.load(name)
    fast = dict.fromkeys(profile.CODE, 0.001)
    assert all(1 < low < high for low, high in board.factors(fast).values())
    assert all(0 < low < high for low, high in board.operations().values())
    assert board.sync_ms > 0 and board.sync_note


@pytest.mark.parametrize("grouped", [True, False])
def test_limit_ends_what_takes_too_much(grouped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not grouped:
        monkeypatch.setattr(watch, "memory_group", _no_group)
    hungry = [sys.executable, "-c", "import time; kept = b'x' * 200_000_000; time.sleep(1)"]
    assert watch.run_limited(hungry, 50_000_000).code != 0
    modest = watch.run_limited([sys.executable, "-c", "import time; time.sleep(0.1)"], 50_000_000)
    assert modest.code == 0 and 5_000_000 < modest.peak < 50_000_000 and modest.samples


def _no_group(limit: int) -> None:
    raise OSError(f"no group of {limit}")
