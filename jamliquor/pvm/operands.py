"""Operands of an instruction as its form lays them out (section A.5)."""

from __future__ import annotations

from typing import NamedTuple

from jamliquor.pvm.opcodes import INSTRUCTIONS, Form, Instruction
from jamliquor.pvm.program import ProgramBlob

__all__ = ["Operands", "decode", "sign_extend", "signed"]

_MASK = (1 << 64) - 1


class Operands(NamedTuple):
    """One decoded instruction.

    Attributes:
        instruction: the row of the tables; ``trap`` where no valid opcode is.
        a: first register; ``b`` second; ``d`` the one written by forms that name it apart.
        x: first immediate as a register value, or the position jumped to.
        y: second immediate, or the position jumped to.
        skip: octets between this opcode and the next.
    """

    instruction: Instruction
    a: int = 0
    b: int = 0
    d: int = 0
    x: int = 0
    y: int = 0
    skip: int = 0


def signed(value: int, octets: int) -> int:
    """The two's complement reading of a natural below 2^(8 octets)."""
    if octets == 0:
        return 0
    return value - (value >> (8 * octets - 1) << (8 * octets))


def sign_extend(value: int, octets: int) -> int:
    """``value``, of so many octets, extended to a register."""
    return signed(value, octets) & _MASK


def decode(blob: ProgramBlob, at: int) -> Operands:
    """The instruction that execution meets at ``at``, any natural."""
    instruction = INSTRUCTIONS[blob.opcode(at)]
    if not blob.is_opcode(at):
        return Operands(instruction)
    skip = blob.skip(at)
    form = instruction.form
    code = blob.code

    def octet(distance: int) -> int:
        return code[at + distance] if at + distance < len(code) else 0

    def natural(distance: int, length: int) -> int:
        return int.from_bytes(code[at + distance : at + distance + length], "little")

    def immediate(distance: int, length: int) -> int:
        return sign_extend(natural(distance, length), length)

    def target(distance: int, length: int) -> int:
        return at + signed(natural(distance, length), length)

    low, high = min(12, octet(1) % 16), min(12, octet(1) // 16)

    def rest(used: int) -> int:
        return min(4, max(0, skip - used))

    match form:
        case Form.NONE:
            return Operands(instruction, skip=skip)
        case Form.IMM:
            return Operands(instruction, x=immediate(1, min(4, skip)), skip=skip)
        case Form.OFFSET:
            return Operands(instruction, x=target(1, min(4, skip)), skip=skip)
        case Form.REG_IMM64:
            return Operands(instruction, a=low, x=natural(2, 8), skip=skip)
        case Form.IMM_IMM:
            length = min(4, octet(1) % 8)
            x, y = immediate(2, length), immediate(2 + length, rest(length + 1))
            return Operands(instruction, x=x, y=y, skip=skip)
        case Form.REG_IMM:
            return Operands(instruction, a=low, x=immediate(2, rest(1)), skip=skip)
        case Form.REG_IMM_IMM | Form.REG_IMM_OFFSET:
            length = min(4, octet(1) // 16 % 8)
            second = immediate if form is Form.REG_IMM_IMM else target
            x, y = immediate(2, length), second(2 + length, rest(length + 1))
            return Operands(instruction, a=low, x=x, y=y, skip=skip)
        case Form.REG_REG:
            return Operands(instruction, a=high, d=low, skip=skip)
        case Form.REG_REG_IMM:
            return Operands(instruction, a=low, b=high, x=immediate(2, rest(1)), skip=skip)
        case Form.REG_REG_OFFSET:
            return Operands(instruction, a=low, b=high, x=target(2, rest(1)), skip=skip)
        case Form.REG_REG_IMM_IMM:
            length = min(4, octet(2) % 8)
            x, y = immediate(3, length), immediate(3 + length, rest(length + 2))
            return Operands(instruction, a=low, b=high, x=x, y=y, skip=skip)
        case Form.REG_REG_REG:
            return Operands(instruction, a=low, b=high, d=min(12, octet(2)), skip=skip)
