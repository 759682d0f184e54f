"""``jamliquor devnet`` as a person drives it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import run, run_on_terminal

CHAIN = ("devnet", "--fast", "--slots", "14", "--seed", "7", "--tickets", "6", "--fork-rate", "0.2")


def test_the_same_seed_makes_the_same_file(tmp_path: Path) -> None:
    records = []
    for name in ("first.jam", "second.jam"):
        ran = run(*CHAIN, "--refused-rate", "0.1", "--json", "--out", tmp_path / name)
        assert ran.code == 0, ran.err
        records.append(json.loads(ran.out))
    first, second = ((tmp_path / name).read_bytes() for name in ("first.jam", "second.jam"))
    assert first == second
    assert records[0]["state_root"] == records[1]["state_root"]
    other = run(*CHAIN, "--seed", "8", "--json")
    assert json.loads(other.out)["state_root"] != records[0]["state_root"]


def test_every_slot_has_a_line_where_there_is_no_terminal() -> None:
    ran = run("devnet", "--fast", "--slots", "4", "--tickets", "0", "--skip-rate", "0.5", "--seed", "2")
    assert ran.code == 0
    slots = [line.split(":")[0] for line in ran.err.splitlines()]
    assert slots == [f"slot {slot}" for slot in range(1, 5)]
    assert "skipped, the seed left it empty" in ran.err


def test_a_terminal_has_a_view() -> None:
    ran = run_on_terminal("devnet", "--fast", "--slots", "3", "--tickets", "3")
    assert ran.code == 0
    assert "contest  [######------------------] 3 of 12 tickets" in ran.out
    assert "cores hold a report" in ran.out


def test_fast_needs_an_end() -> None:
    ran = run("devnet", "--fast")
    assert ran.code == 2
    assert "--slots" in ran.err


def test_real_time_is_the_present() -> None:
    ran = run("devnet", "--slots", "1", "--tickets", "0", "--work", "none", "--json")
    assert ran.code == 0, ran.err
    record = json.loads(ran.out)
    assert record["blocks"] == 1
    assert record["slot"] > 9_000_000


def test_an_archive_that_cannot_be_written(tmp_path: Path) -> None:
    ran = run("devnet", "--fast", "--slots", "1", "--out", tmp_path / "missing" / "chain.jam")
    assert ran.code == 6
    assert "cannot be written" in ran.err
    assert "Traceback" not in ran.err
