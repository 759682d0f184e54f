"""``jamliquor devnet`` as a person drives it."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.support.command import run, run_on_terminal

CHAINS = int(os.environ.get("JAMLIQUOR_DEVNET_CHAINS", "1"))

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


@pytest.mark.parametrize("number", range(CHAINS))
def test_another_process_comes_to_the_same_root_over_twenty_epochs(tmp_path: Path, number: int) -> None:
    """Any seed, from the genesis on; twenty seconds a chain, so one unless more are asked for."""
    chain, seed = tmp_path / "chain.jam", random.SystemRandom().getrandbits(64)
    rates = {"fork": 0.08, "skip": 0.08, "dispute": 0.02, "refused": 0.03, "fallback": 0.3}
    options = [text for name, rate in rates.items() for text in (f"--{name}-rate", rate)]
    ran = run(
        *("devnet", "--fast", "--slots", "240", "--seed", seed, *options),
        *("--json", "--out", chain),
    )
    assert ran.code == 0, (seed, ran.err)
    made = json.loads(ran.out)
    # The chain's blocks that must be refused have no mark in an archive, hence exit code 4.
    again = run("import", chain, "--db", tmp_path / "db", "--json")
    assert again.code == (4 if made["refused"] else 0), (seed, again.err)
    record = json.loads(again.out)
    assert record["state_root"] == made["state_root"], seed
    assert record["head"]["hash"] == made["head"], seed
    expected = {"imported": made["blocks"], "refused": made["refused"]}
    assert {name: record["outcomes"][name] for name in expected} == expected, seed
    assert made["epochs"] == 21 and made["forks"] and made["skipped"] and made["reports"], seed


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
