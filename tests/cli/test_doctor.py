"""``jamliquor doctor`` and ``jamliquor bench``."""

from __future__ import annotations

import json
import sys
import time

from tests.support.command import Ran, run


def test_doctor_finds_this_machine_sound() -> None:
    begun = time.perf_counter()
    ran = run("doctor")
    assert time.perf_counter() - begun < 2
    assert ran.code == 0 and ran.out.endswith("sound\n")
    assert max(map(len, ran.out.splitlines())) <= 120


def test_doctor_as_json() -> None:
    record = json.loads(run("doctor", "--json").out)
    assert record["sound"] and record["cores"] >= 1
    assert record["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert {"core", "hashes", "ed25519", "ring-vrf"} <= {check["name"] for check in record["checks"]}


WRONG_PRIMITIVE = "from jamliquor.crypto import hashing\nhashing.keccak = lambda data: bytes(32)"
OTHER_CORE = """
import types
import jamliquor._core as core
core.lib = types.SimpleNamespace(jam_abi_version=lambda: 0)
"""
RUN = """
import sys
sys.argv[0] = "jamliquor"
from jamliquor.__main__ import main
main()
"""


def run_broken(how: str, *arguments: str) -> Ran:
    return run(*arguments, before=(sys.executable, "-c", how + RUN))


def test_doctor_finds_a_wrong_primitive() -> None:
    ran = run_broken(WRONG_PRIMITIVE, "doctor")
    assert ran.code == 6 and "FAILED: SelfTestFailed" in ran.out and "NOT sound" in ran.out
    record = json.loads(run_broken(WRONG_PRIMITIVE, "doctor", "--json").out)
    failed = [check["name"] for check in record["checks"] if check["error"]]
    assert failed == ["hashes"] and not record["sound"]


def test_doctor_finds_a_core_of_another_version() -> None:
    ran = run_broken(OTHER_CORE, "doctor")
    assert ran.code == 6 and "does not belong to this version" in ran.out and ran.err == ""


def test_bench_vrf() -> None:
    figures = json.loads(run("bench", "vrf", "--json", "--repeat", "1").out)
    assert figures["vrf_verify_ms"] > 0 and figures["ring_verify_ms"] > 0
    assert "vrf verify" in run("bench", "vrf", "--repeat", "1").out
