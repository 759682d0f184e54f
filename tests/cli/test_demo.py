"""``jamliquor demo``, and the chain that it imports."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from jamliquor.data.chains import DEVNET_TINY
from tests.support.command import run


def test_the_bundled_chain_agrees() -> None:
    ran = run("demo", "--json")
    assert ran.code == 0, ran.err
    record = json.loads(ran.out)
    assert record["as_recorded"]
    assert record["blocks"] == DEVNET_TINY.blocks
    assert len(record["epochs"]) >= 6
    assert set(record["epochs"].values()) == {True, False}
    assert record["forks"] and record["reorganisations"] and record["refused"] and record["verdicts"]
    assert all(service["items"] >= 2 for service in record["services"].values())
    assert record["peak_rss_bytes"] < 64e6


def test_the_summary_fits_a_terminal() -> None:
    ran = run("demo", "--quiet")
    assert ran.code == 0
    assert "everything agrees with the record" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_the_documented_command_makes_the_bundled_chain(tmp_path: Path) -> None:
    """A second process, from the genesis on; also the test that seeds decide everything."""
    made = tmp_path / "chain.jam"
    ran = run(*DEVNET_TINY.made_by, "--json", "--out", made)
    assert ran.code == 0, ran.err
    record = json.loads(ran.out)
    assert record["state_root"] == "0x" + DEVNET_TINY.state_root.hex()
    bundled = (resources.files("jamliquor.data") / DEVNET_TINY.file).read_bytes()
    assert made.read_bytes() == bundled
    assert len(bundled) < 3_000_000
