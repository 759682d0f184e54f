"""Instruction after instruction comes to the same as a run in one piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import Access, Engine, ExitReason, Machine, NativeEngine, Segment
from jamliquor.pvm.program import PAGE_SIZE, InvalidProgram, parse_program
from jamliquor.pvm.reference import ReferenceEngine
from jamliquor.pvm.tracing import Instruction, steps

GUESTS = Path(__file__).resolve().parents[3] / "examples" / "guests"
BACKENDS: dict[str, Callable[[], Engine]] = {
    "native": NativeEngine,
    "paged": lambda: NativeEngine(paged=True),
    "reference": ReferenceEngine,
}
HEAP = 0x20000
HALT = 0xFFFF0000


@pytest.fixture(params=sorted(BACKENDS))
def engine(request: pytest.FixtureRequest) -> Engine:
    return BACKENDS[request.param]()


def machine_of(engine: Engine, blob: bytes, gas: int) -> Machine:
    program = engine.compile(blob)
    assert not isinstance(program, InvalidProgram)
    heap = Segment(HEAP, 16 * PAGE_SIZE, Access.WRITE)
    machine = engine.machine(program, gas=gas, memory=[heap])
    machine.set_registers((0, HALT), (7, 20))
    return machine


def run(engine: Engine, text: str, gas: int = 1000) -> tuple[Machine, list[Instruction]]:
    blob = assemble(text)
    machine = machine_of(engine, blob, gas)
    return machine, list(steps(machine, parse_program(blob)))


@pytest.mark.parametrize("gas", [0, 1, 7, 150, 100_000])
@pytest.mark.parametrize("name", ["sieve", "sort"])
def test_same_as_in_one_piece(engine: Engine, name: str, gas: int) -> None:
    blob = assemble((GUESTS / f"{name}.asm").read_text())
    whole, stepped = machine_of(engine, blob, gas), machine_of(engine, blob, gas)
    reason = whole.run()
    told = list(steps(stepped, parse_program(blob)))
    assert stepped.registers == whole.registers
    assert (stepped.gas, stepped.pc) == (whole.gas, whole.pc)
    assert stepped.read(HEAP, PAGE_SIZE) == whole.read(HEAP, PAGE_SIZE)
    assert len(told) == gas - max(whole.gas, 0)
    if reason is ExitReason.OUT_OF_GAS:
        assert all(step.exit is None for step in told)
    else:
        assert told[-1].exit is reason


def test_what_a_step_tells(engine: Engine) -> None:
    _, told = run(engine, "load_imm r1, -1\nstore_u16 r1, 0x20001\nadd_imm_64 r1, r1, 1\ntrap")
    assert told == [
        Instruction(0, "load_imm r1, -1", 999, ((1, 2**64 - 1),), None, None),
        Instruction(3, "store_u16 r1, 131073", 998, (), (0x20001, b"\xff\xff"), None),
        Instruction(8, "add_imm_64 r1, r1, 1", 997, ((1, 0),), None, None),
        Instruction(11, "trap", 996, (), None, ExitReason.PANIC),
    ]


def test_addresses_of_every_form_of_store(engine: Engine) -> None:
    _, told = run(
        engine,
        """
        load_imm r2, 0x20010
        store_imm_u32 0x20000, 0x01020304
        store_u8 r2, 0x20004
        store_imm_ind_u16 r2, 2, 0x0506
        store_ind_u64 r2, r2, -8
        store_ind_u8 r2, r7, 0
        """,
    )
    assert [step.memory for step in told[1:]] == [
        (0x20000, b"\4\3\2\1"),
        (0x20004, b"\x10"),
        (0x20012, b"\6\5"),
        (0x20008, b"\x10\0\2\0\0\0\0\0"),
        None,
    ]
    assert told[-1].exit is ExitReason.PANIC


def test_goes_on_behind_a_host_call_and_stops_at_limits(engine: Engine) -> None:
    blob = assemble("ecalli 3\nload_imm r1, 1\nload_imm r2, 2\ntrap")
    program = parse_program(blob)
    machine = machine_of(engine, blob, 100)
    (first,) = steps(machine, program)
    assert (first.text, first.exit, machine.exit_argument) == ("ecalli 3", ExitReason.HOST_CALL, 3)
    assert [step.pc for step in steps(machine, program, limit=1)] == [2]
    assert [step.pc for step in steps(machine, program, limit=0)] == []
    assert [step.pc for step in steps(machine, program, limit=9)] == [5, 8]
    assert machine.gas == 96


def test_where_no_instruction_is(engine: Engine) -> None:
    blob = assemble("load_imm r1, 1")
    machine = machine_of(engine, blob, 100)
    machine.pc = 1
    (only,) = steps(machine, parse_program(blob))
    assert (only.pc, only.text, only.exit) == (1, "trap", ExitReason.PANIC)
