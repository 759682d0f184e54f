"""Running a machine one instruction at a time, and what each instruction changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jamliquor.pvm.disassembler import instruction_text
from jamliquor.pvm.machine import ExitReason, Machine
from jamliquor.pvm.opcodes import Form
from jamliquor.pvm.operands import Operands, decode
from jamliquor.pvm.program import ProgramBlob

__all__ = ["Instruction", "steps"]

_ADDRESSES = 1 << 32


class Instruction(NamedTuple):
    """One instruction that was attempted.

    Attributes:
        pc: its position.
        text: it in the assembler's language.
        gas: gas left behind it.
        registers: those it changed, with their new values.
        memory: address and octets that it stored, or None.
        exit: why the run ended with it; None if it goes on.
    """

    pc: int
    text: str
    gas: int
    registers: tuple[tuple[int, int], ...]
    memory: tuple[int, bytes] | None
    exit: ExitReason | None


def steps(machine: Machine, program: ProgramBlob, limit: int | None = None) -> Iterator[Instruction]:
    """Run until the next exit, or until ``limit`` instructions are done.

    Works with any engine that charges one gas for each instruction: it is lent gas for one at a
    time. When the iterator ends, the machine is as after a run in one piece; out of gas is no
    instruction, so that exit shows in ``machine.gas`` (-1) alone.

    Raises:
        HostError: this host's memory or quota is exhausted.
    """
    gas = machine.gas
    done = 0
    while gas > 0 and (limit is None or done < limit):
        pc, before = machine.next_pc, machine.get_registers()
        machine.gas = 1
        reason = machine.run()
        gas -= 1
        running = reason is ExitReason.OUT_OF_GAS
        machine.gas = gas
        done += 1
        after = machine.get_registers()
        yield Instruction(
            pc,
            instruction_text(program, pc),
            gas,
            tuple((at, new) for at, new in enumerate(after) if new != before[at]),
            _stored(machine, decode(program, pc), before) if running else None,
            None if running else reason,
        )
        if not running:
            return
    if gas <= 0:
        machine.gas = -1


def _stored(machine: Machine, operands: Operands, registers: Sequence[int]) -> tuple[int, bytes] | None:
    """What a store that succeeded wrote."""
    name, form = operands.instruction.name, operands.instruction.form
    if not name.startswith("store_"):
        return None
    address = operands.x
    if form is Form.REG_IMM_IMM:
        address += registers[operands.a]
    elif form is Form.REG_REG_IMM:
        address += registers[operands.b]
    size = int(name.rpartition("_u")[2]) // 8
    # A store may wrap around the end of the address space.
    parts = [machine.read((address + at) % _ADDRESSES, 1) or b"" for at in range(size)]
    return address % _ADDRESSES, b"".join(parts)
