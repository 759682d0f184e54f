"""The benchmarks run and say what they measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    done = run("startup", "--quick", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_result_names_machine_and_figures(results: Path) -> None:
    record = json.loads((results / "startup.json").read_text())
    assert record["quick"] is True
    assert record["machine"]["cpu"] and record["machine"]["python"]
    figures = {figure["name"]: figure for figure in record["figures"]}
    assert 0 < figures["--version"]["median"] <= figures["--version"]["max"]
    assert figures["--version"]["met"] == (figures["--version"]["median"] < 60)
    assert list(figures) == sorted(figures)


def test_page_shows_every_figure(results: Path) -> None:
    page = (results / "README.md").read_text()
    for figure in json.loads((results / "startup.json").read_text())["figures"]:
        assert f"\n| {figure['name']} | " in page


def test_compare_shows_ratios(results: Path) -> None:
    result = results / "startup.json"
    done = run("compare", result, result)
    assert done.returncode == 0, done.stderr
    assert all("    1.000" in line for line in done.stdout.splitlines())
    assert "--version [ms]" in done.stdout


def test_unknown_name_is_refused() -> None:
    done = run("nothing")
    assert done.returncode == 2
    assert "no such benchmark: nothing" in done.stderr
