"""The published instruction tests: one body, every backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jamliquor.pvm.engine import Access, Engine, ExitReason, Segment
from tests.support.pvm import BACKENDS, compiled
from tests.support.vectors import vectors

STATUS = {
    "halt": ExitReason.HALT,
    "panic": ExitReason.PANIC,
    "page-fault": ExitReason.FAULT,
}


@pytest.fixture(scope="module", params=sorted(BACKENDS))
def engine(request: pytest.FixtureRequest) -> Engine:
    return BACKENDS[request.param]()


@pytest.mark.parametrize("path", vectors("pvm/programs/*.json"))
def test_program(engine: Engine, path: Path) -> None:
    case = json.loads(path.read_text())
    machine = engine.machine(
        compiled(engine, bytes(case["program"])),
        pc=case["initial-pc"],
        gas=case["initial-gas"],
        registers=case["initial-regs"],
        memory=[
            Segment(
                area["address"],
                area["length"],
                Access.WRITE if area["is-writable"] else Access.READ,
            )
            for area in case["initial-page-map"]
        ],
    )
    for chunk in case["initial-memory"]:
        machine.initialize(chunk["address"], bytes(chunk["contents"]))

    status = machine.run()

    assert status is STATUS[case["expected-status"]]
    assert machine.registers == tuple(case["expected-regs"])
    assert machine.pc == case["expected-pc"]
    for area in case["initial-page-map"]:
        assert machine.read(area["address"], area["length"]) == expected_area(case, area)
    if status is ExitReason.FAULT:
        assert machine.exit_argument == case["expected-page-fault-address"]
        # These vectors charge the whole block of two; one attempted instruction costs one.
        assert machine.gas == case["expected-gas"] + 1
    else:
        assert machine.gas == case["expected-gas"]


def expected_area(case: dict[str, Any], area: dict[str, Any]) -> bytes:
    contents = bytearray(area["length"])
    for chunk in case["expected-memory"]:
        start = chunk["address"] - area["address"]
        if 0 <= start < area["length"]:
            contents[start : start + len(chunk["contents"])] = bytes(chunk["contents"])
    return bytes(contents)
