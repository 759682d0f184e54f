"""``jamliquor bench``: what comes with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jamliquor.data.chains import DEVNET_TINY
from tests.support.command import run


def figures(*arguments: object) -> dict[str, dict[str, Any]]:
    ran = run("bench", *arguments, "--json")
    assert ran.code == 0, ran.err
    return {one["name"]: one for one in json.loads(ran.out)["figures"]}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "chain.json"
    ran = run("bench", "chain", "--rounds", "3", "--out", path)
    assert ran.code == 0 and "normalised" in ran.out, ran
    return path


def test_bundled_chain(result: Path) -> None:
    found = {one["name"]: one for one in json.loads(result.read_text())["figures"]}
    chain, yardstick = found["devnet-tiny"], found["yardstick: verify one ring proof"]
    assert chain["blocks"] == DEVNET_TINY.blocks
    assert chain["refused"] == len(DEVNET_TINY.refused)
    assert len(chain["rounds"]) == 3 and chain["median"] <= chain["p99"]
    ratio = chain["median"] / yardstick["fastest"]
    assert chain["normalised"] == pytest.approx(3.5 * ratio, rel=0.01)


def test_through_the_socket() -> None:
    found = figures("chain", "--socket", "--rounds", "1")["devnet-tiny, through the socket"]
    assert found["blocks"] == DEVNET_TINY.blocks
    assert found["refused"] == len(DEVNET_TINY.refused)


def test_pvm_and_store(tmp_path: Path) -> None:
    assert figures("pvm", "--rounds", "1")["a host call"]["median"] > 0
    found = figures("store", tmp_path, "--entries", "500", "--rounds", "1")
    waiting = found["written for a block that waits for the disk"]["median"]
    assert waiting > 30, "a hundred values of 280 octets, in KB"
    assert not list(tmp_path.iterdir())


def test_compare(result: Path, tmp_path: Path) -> None:
    ran = run("bench", "compare", result, result)
    assert ran.code == 0, ran.err
    assert "devnet-tiny [ms]" in ran.out and "no difference shown" in ran.out
    ran = run("bench", "compare", result, tmp_path / "nothing.json")
    assert ran.code == 1 and "nothing.json" in ran.err and "Traceback" not in ran.err
