"""``jamliquor bench edge``."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jamliquor.conformance.vectors import suite
from jamliquor.node.edge import profile, watch
from tests.support.command import run


def test_report_of_one_chain(tmp_path: Path) -> None:
    found_suite = suite()
    if found_suite is None:
        pytest.skip("JAM_VECTORS is not set")
    chain = found_suite / "traces" / "fallback"
    ran = run("bench", "edge", "--chain", chain, "--rounds", "1", "--out", tmp_path, "--json")
    assert ran.code in (0, 5), ran.err
    record = json.loads((tmp_path / "report.json").read_text())
    assert json.loads(ran.out) == record
    assert (ran.code == 0) == all(one["met"] for one in record["checks"])
    [found] = record["chains"]
    assert found["completed"] and found["blocks"] == 100 and found["samples"]
    assert all(low < high for low, high in zip(found["low_ms"], found["high_ms"], strict=True))
    steps = [*record["commands"].values(), *record["store"]["steps"].values()]
    assert len(steps) == 4 and all(one["completed"] for one in steps), steps
    page = (tmp_path / "report.html").read_text()
    HTMLParser().feed(page)
    assert page.count("<svg") == 4 and "<script" not in page and "http" not in page
    assert "# Edge: Raspberry Pi Zero 2 W" in (tmp_path / "report.md").read_text()


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
