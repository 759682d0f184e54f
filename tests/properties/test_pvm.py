"""Random programs: the host survives, gas ends them, and all backends agree on every step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.disassembler import disassemble
from jamliquor.pvm.engine import ExitReason, Machine
from jamliquor.pvm.program import InvalidProgram, encode_program, parse_program
from tests.support.pvm import (
    BACKENDS,
    MEMORY,
    compiled,
    contents,
    garbage_blobs,
    registers,
    valid_blobs,
)

ENGINES = {name: make() for name, make in BACKENDS.items()}
BLOBS = valid_blobs() | garbage_blobs()
FINAL = (ExitReason.HALT, ExitReason.PANIC, ExitReason.FAULT)
STEPS = 60


def machines(blob: bytes, values: list[int], pc: int, gas: int) -> list[Machine]:
    found = []
    for engine in ENGINES.values():
        program = compiled(engine, blob)
        machine = engine.machine(program, pc=pc, gas=gas, registers=values, memory=MEMORY)
        machine.set_heap(0x24000, 0x28000)
        found.append(machine)
    return found


def shown(machine: Machine, reason: ExitReason) -> tuple[object, ...]:
    state = (reason, machine.registers, machine.pc, machine.next_pc, machine.gas, machine.heap)
    argument = reason in (ExitReason.FAULT, ExitReason.HOST_CALL) and machine.exit_argument
    return (*state, argument)


@settings(max_examples=300, deadline=None)
@given(BLOBS, registers(), st.integers(0, 90))
def test_backends_agree_on_every_instruction(blob: bytes, values: list[int], pc: int) -> None:
    group = machines(blob, values, pc, 0)
    for _ in range(STEPS):
        for machine in group:
            machine.gas = 1
        states = [shown(machine, machine.run()) for machine in group]
        assert states[1:] == states[:-1], disassemble(blob)
        if states[0][0] in FINAL:
            break
    memories = [contents(machine) for machine in group]
    assert memories[1:] == memories[:-1]


@settings(max_examples=300, deadline=None)
@given(BLOBS, registers(), st.integers(0, 90), st.integers(0, 200))
def test_a_run_is_its_steps(blob: bytes, values: list[int], pc: int, gas: int) -> None:
    """Gas paid by the block leaves what gas paid by the instruction leaves."""
    group = machines(blob, values, pc, gas)
    for _ in range(STEPS):
        states = [shown(machine, machine.run()) for machine in group]
        assert states[1:] == states[:-1], disassemble(blob)
        if states[0][0] is not ExitReason.HOST_CALL:
            break
    memories = [contents(machine) for machine in group]
    assert memories[1:] == memories[:-1]


@pytest.mark.parametrize("name", sorted(ENGINES))
@settings(max_examples=300, deadline=None)
@given(blob=st.binary(max_size=60))
def test_any_octets_are_judged_alike(name: str, blob: bytes) -> None:
    judged = ENGINES[name].compile(blob)
    try:
        parsed = parse_program(blob)
    except InvalidProgram as invalid:
        assert isinstance(judged, InvalidProgram)
        assert judged.offset == invalid.offset
    else:
        assert not isinstance(judged, InvalidProgram)
        jumps = [parsed.jump(index) for index in range(min(parsed.jump_count, 100))]
        if len(jumps) == parsed.jump_count:
            opcodes = [at for at in range(len(parsed.code)) if parsed.is_opcode(at)]
            assert encode_program(parsed.code, opcodes, jumps, parsed.jump_width) == blob


@settings(max_examples=300, deadline=None)
@given(BLOBS)
def test_disassembly_assembles_to_the_same_octets(blob: bytes) -> None:
    assert assemble(disassemble(blob)) == blob
