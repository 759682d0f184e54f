"""Progress where there is no terminal: plain lines, seldom."""

from __future__ import annotations

import pytest

from jamliquor.cli import progress
from jamliquor.cli.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_every_few_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress(300)
    for done in range(1, 300):
        clock[0] += 1 / 16
        shown.at(done, "storage")
    shown.pause()
    assert capsys.readouterr().err.splitlines() == [
        "storage: 80 of 300 blocks, 16 blocks/s, ETA 0:14",
        "storage: 160 of 300 blocks, 16 blocks/s, ETA 0:09",
        "storage: 240 of 300 blocks, 16 blocks/s, ETA 0:04",
    ]


def test_quiet(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress(10, quiet=True)
    clock[0] += 60
    shown.at(5, "storage")
    assert capsys.readouterr().err == ""
