"""From text to program blobs; the inverse of :mod:`jamliquor.pvm.disassembler`.

One statement a line, comments after ``;``::

    loop:                               a label, any name
        add_imm_64 r7, r7, -1           the paper's names and operand order
        branch_ne_imm r7, 0, loop       jumps name a label, or a distance such as +12
        load_ind_u32 r1, r2, 8:4        :4 asks for four octets instead of the fewest
        .op 0xfe 0x01                   octets of one instruction, the first marked as opcode
        .data 0x00                      octets that are not marked
        .jumps 2 loop 0x17              the dynamic jump table: octets an entry, entries
        .let SIZE 4096                  a name for a number, used in lines below as SIZE or SIZE+8

Registers come in the order A, B, D; forms with only D and A write D first, as ``move_reg r1, r2``
does. Immediates are signed, or naturals below 2^64 that mean the same register value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from jamliquor.errors import JamliquorError
from jamliquor.pvm.opcodes import BY_NAME, Form, Instruction
from jamliquor.pvm.program import encode_program

__all__ = ["AssemblyError", "assemble", "encode", "fewest_octets"]

_LABEL: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*):\s*")
_WIDTH: Final = re.compile(r"(.*?)(?::(\d))?")
_NAMED: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\s*(?:([+-])\s*(\w+))?")


class AssemblyError(JamliquorError, ValueError):
    """A line of assembly is wrong.

    Attributes:
        line: its number, from 1.
        reason: what is wrong, in words.
        origin: the included text that the line is in; empty for the text itself.
    """

    def __init__(self, line: int, reason: str, origin: str = "") -> None:
        super().__init__(line, reason, origin)
        self.line = line
        self.reason = reason
        self.origin = origin

    def __str__(self) -> str:
        where = f"{self.origin}, line {self.line}" if self.origin else f"line {self.line}"
        return f"{where}: {self.reason}"


@dataclass(slots=True)
class _Statement:
    line: int
    octets: bytes = b""
    marked: bool = True
    instruction: Instruction | None = None
    operands: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Source:
    statements: list[_Statement] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    jumps: list[str] = field(default_factory=list)
    jump_width: int = 0
    jumps_line: int = 0


def fewest_octets(value: int) -> int:
    """The fewest octets, at most 8, whose sign extension is the signed ``value``."""
    if value == 0:
        return 0
    return (value.bit_length() if value > 0 else (~value).bit_length()) // 8 + 1


def encode(instruction: Instruction, values: list[int], widths: list[int | None]) -> bytes:
    """The octets of one instruction.

    Args:
        instruction: its row in the tables.
        values: operands in the order of the form; registers by index, immediates and distances
            signed.
        widths: octets for each operand, None for the fewest; ignored for registers.

    Raises:
        ValueError: an operand does not fit.
    """
    kinds = instruction.form.value
    registers = [value for value, kind in zip(values, kinds, strict=True) if kind == "r"]
    if any(not 0 <= register < 13 for register in registers):
        raise ValueError("registers are r0 to r12")
    rest = [
        (value, width, kind)
        for value, width, kind in zip(values, widths, kinds, strict=True)
        if kind != "r"
    ]
    if instruction.form is Form.REG_IMM64:
        return bytes((instruction.opcode, registers[0])) + (rest[0][0] % (1 << 64)).to_bytes(
            8, "little"
        )
    tails = [_immediate(value, width) for value, width, _ in rest]
    first = len(tails[0]) if len(tails) == 2 else 0
    return bytes((instruction.opcode, *_head(instruction.form, registers, first))) + b"".join(tails)


def _immediate(value: int, width: int | None) -> bytes:
    least = fewest_octets(value)
    width = least if width is None else width
    if least > width or width > 4:
        raise ValueError(f"{value} does not fit {min(width, 4)} octets")
    return value.to_bytes(width, "little", signed=True)


def _head(form: Form, registers: list[int], first: int) -> tuple[int, ...]:
    """Octets between the opcode and the immediates."""
    match form:
        case Form.NONE | Form.IMM | Form.OFFSET:
            return ()
        case Form.IMM_IMM:
            return (first,)
        case Form.REG_IMM:
            return (registers[0],)
        case Form.REG_IMM_IMM | Form.REG_IMM_OFFSET:
            return (registers[0] | first << 4,)
        case Form.REG_REG_IMM_IMM:
            return (registers[0] | registers[1] << 4, first)
        case Form.REG_REG_REG:
            return (registers[0] | registers[1] << 4, registers[2])
        case _:
            return (registers[0] | registers[1] << 4,)


def assemble(text: str, names: Mapping[str, int] | None = None) -> bytes:
    """The program blob (section A.1) that ``text`` describes.

    Args:
        names: numbers that immediates may name, as if ``.let`` had named them.

    Raises:
        AssemblyError: a statement is wrong.
    """
    source = _parse(text, names or {})
    positions = _lay_out(source)
    code = bytearray()
    opcodes = []
    for statement in source.statements:
        if statement.marked:
            opcodes.append(len(code))
        code += _octets(statement, len(code), source, positions)
    jumps = [_entry(source, name, positions) for name in source.jumps]
    try:
        return encode_program(bytes(code), opcodes, jumps, source.jump_width)
    except OverflowError as error:
        raise AssemblyError(source.jumps_line, "an entry does not fit its octets") from error


def _parse(text: str, names: Mapping[str, int]) -> _Source:
    source = _Source(names=dict(names))
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split(";", 1)[0].strip()
        while label := _LABEL.match(line):
            if label[1] in source.labels:
                raise AssemblyError(number, f"label {label[1]} is defined twice")
            source.labels[label[1]] = len(source.statements)
            line = line[label.end() :]
        if line:
            _parse_statement(source, number, line)
    return source


def _parse_statement(source: _Source, number: int, line: str) -> None:
    name, *tail = line.split(None, 1)
    rest = tail[0] if tail else ""
    if name == ".jumps":
        _parse_jumps(source, number, rest.split())
    elif name == ".let":
        words = rest.split(None, 1)
        if len(words) != 2 or not words[0].isidentifier():
            raise AssemblyError(number, ".let takes a name and a number")
        source.names[words[0]] = _number(number, words[1], source.names)
    elif name in (".op", ".data"):
        values = [_number(number, octet) for octet in rest.split()]
        if not values or not all(0 <= value < 256 for value in values):
            raise AssemblyError(number, f"{name} takes octets")
        source.statements.append(_Statement(number, bytes(values), name == ".op"))
    elif name in BY_NAME:
        instruction = BY_NAME[name]
        operands = [operand.strip() for operand in rest.split(",")] if rest.strip() else []
        if len(operands) != len(instruction.form.value):
            raise AssemblyError(number, f"{name} takes {len(instruction.form.value)} operands")
        source.statements.append(_Statement(number, b"", True, instruction, operands))
    else:
        raise AssemblyError(number, f"no instruction is called {name}")


def _parse_jumps(source: _Source, number: int, words: list[str]) -> None:
    if source.jumps_line:
        raise AssemblyError(number, f"line {source.jumps_line} has .jumps already")
    if not words:
        raise AssemblyError(number, ".jumps takes the octets of an entry, then entries")
    width, *source.jumps = words
    source.jump_width = _number(number, width)
    source.jumps_line = number
    if not 0 <= source.jump_width < 256:
        raise AssemblyError(number, "an entry has 0 to 255 octets")


def _number(line: int, text: str, names: Mapping[str, int] | None = None) -> int:
    try:
        return _evaluate(text, names or {})
    except ValueError as error:
        raise AssemblyError(line, str(error)) from None


def _evaluate(text: str, names: Mapping[str, int]) -> int:
    """A number, a name, or a name and a number added to it or taken from it."""
    match = _NAMED.fullmatch(text)
    try:
        if match is None or match[1] not in names:
            return int(text, 0)
        value = names[match[1]]
        if match[2] is None:
            return value
        distance = int(match[3], 0)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor a name with one") from None
    return value + distance if match[2] == "+" else value - distance


def _lay_out(source: _Source) -> list[int]:
    """Positions of all statements, and of the end.

    Distances start at their fewest octets and only grow, until nothing moves any more.
    """
    sizes = [len(statement.octets) for statement in source.statements]
    while True:
        positions = [0]
        for size in sizes:
            positions.append(positions[-1] + size)
        grown = [
            max(size, len(_octets(statement, positions[at], source, positions)))
            for at, (size, statement) in enumerate(zip(sizes, source.statements, strict=True))
        ]
        if grown == sizes:
            return positions
        sizes = grown


def _octets(statement: _Statement, at: int, source: _Source, positions: list[int]) -> bytes:
    if statement.instruction is None:
        return statement.octets
    values, widths = [], []
    kinds = statement.instruction.form.value
    try:
        for operand, kind in zip(statement.operands, kinds, strict=True):
            match = _WIDTH.fullmatch(operand)
            assert match is not None
            widths.append(int(match[2]) if match[2] else None)
            values.append(_value(match[1], kind, at, source, positions))
        return encode(statement.instruction, values, widths)
    except ValueError as error:
        raise AssemblyError(statement.line, str(error)) from error


def _value(text: str, kind: str, at: int, source: _Source, positions: list[int]) -> int:
    if kind == "r":
        if not re.fullmatch(r"r\d+", text):
            raise ValueError(f"{text!r} is no register")
        return int(text[1:])
    if kind == "o":
        if text in source.labels:
            return positions[source.labels[text]] - at
        if not text.startswith(("+", "-")):
            raise ValueError(f"no label is called {text}")
        return _evaluate(text, {})
    value = _evaluate(text, source.names)
    if not -(1 << 63) <= value < 1 << 64:
        raise ValueError(f"{value} does not fit a register")
    return value - (1 << 64) if value >= 1 << 63 else value


def _entry(source: _Source, text: str, positions: list[int]) -> int:
    if text in source.labels:
        return positions[source.labels[text]]
    return _number(source.jumps_line, text)
