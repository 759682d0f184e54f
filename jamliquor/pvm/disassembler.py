"""From program blobs to text that assembles to the same octets.

What the assembler would encode otherwise (operands longer than needed, reserved bits, opcodes that
do not exist, octets behind the operands) is written out as octets, with its meaning as a comment.
"""

from __future__ import annotations

from collections.abc import Mapping

from jamliquor.pvm.assembler import assemble, encode, fewest_octets
from jamliquor.pvm.opcodes import INSTRUCTIONS, Form
from jamliquor.pvm.operands import Operands, decode
from jamliquor.pvm.program import ProgramBlob, parse_program

__all__ = ["disassemble", "instruction_text"]

_MAX_LISTED_JUMPS = 1 << 20
_COMMENT_COLUMN = 44


def disassemble(blob: bytes, *, positions: bool = False, calls: Mapping[int, str] | None = None) -> str:
    """The text of a program blob, in the assembler's language.

    Args:
        positions: say the position of every instruction in a comment.
        calls: names of host calls, for comments.

    Raises:
        InvalidProgram: the blob is no program.
        ValueError: its jump table has over 2^20 entries.
    """
    program = parse_program(blob)
    text = _listing(program, all_widths=False)
    all_widths = assemble(text) != blob
    if all_widths or positions or calls:
        # Distances that justify each other's length need every length said.
        text = _listing(program, all_widths=all_widths, positions=positions, calls=calls or {})
    return text


def instruction_text(program: ProgramBlob, at: int) -> str:
    """The instruction that execution meets at ``at``, with jumps as distances; ``trap`` if none."""
    if not program.is_opcode(at):
        return "trap"
    return _statement(program, at, at + 1 + program.skip(at), frozenset(), False)


def _listing(
    program: ProgramBlob,
    *,
    all_widths: bool,
    positions: bool = False,
    calls: Mapping[int, str] | None = None,
) -> str:
    starts = [at for at in range(len(program.code)) if program.is_opcode(at)]
    labelled = _labelled(program, starts)
    lines = []
    if program.jump_count or program.jump_width:
        if program.jump_count > _MAX_LISTED_JUMPS:
            raise ValueError(f"{program.jump_count} entries are too many to list")
        entries = (program.jump(index) for index in range(program.jump_count))
        names = (f"L{entry:x}" if entry in labelled else f"{entry:#x}" for entry in entries)
        lines.append(" ".join((".jumps", str(program.jump_width), *names)))
    first = starts[0] if starts else len(program.code)
    if first:
        lines.append(".data " + _hex(program.code[:first]))
    for at, end in zip(starts, [*starts[1:], len(program.code)], strict=False):
        if at in labelled:
            lines.append(f"L{at:x}:")
        line = "    " + _statement(program, at, end, labelled, all_widths)
        notes = [str(at)] if positions else []
        call = _call(decode(program, at))
        if calls and call is not None and call in calls:
            notes.append(calls[call])
        lines.append(f"{line:<{_COMMENT_COLUMN}}; {' '.join(notes)}" if notes else line)
    return "\n".join(lines) + "\n"


def _labelled(program: ProgramBlob, starts: list[int]) -> frozenset[int]:
    """Opcodes that something jumps to."""
    targets = {program.jump(index) for index in range(min(program.jump_count, _MAX_LISTED_JUMPS))}
    for at in starts:
        target = _target(decode(program, at))
        if target is not None:
            targets.add(target)
    return frozenset(targets.intersection(starts))


def _call(operands: Operands) -> int | None:
    return operands.x if operands.instruction.name == "ecalli" else None


def _target(operands: Operands) -> int | None:
    form = operands.instruction.form
    if form is Form.REG_IMM_OFFSET:
        return operands.y
    return operands.x if form in (Form.OFFSET, Form.REG_REG_OFFSET) else None


def _hex(octets: bytes) -> str:
    return " ".join(f"{octet:#04x}" for octet in octets)


def _statement(
    program: ProgramBlob, at: int, end: int, labelled: frozenset[int], all_widths: bool
) -> str:
    octets = program.code[at:end]
    operands = decode(program, at)
    instruction = operands.instruction
    if program.code[at] not in INSTRUCTIONS:
        return f".op {_hex(octets)}"
    values = _values(operands, at)
    widths = _widths(operands, octets)
    texts = []
    for kind, value, width in zip(instruction.form.value, values, widths, strict=True):
        if kind == "o" and at + value in labelled:
            text = f"L{at + value:x}"
        else:
            text = f"r{value}" if kind == "r" else f"{value:+d}" if kind == "o" else str(value)
        sized = kind in "io" and (width != fewest_octets(value) or (all_widths and kind == "o"))
        texts.append(f"{text}:{width}" if sized else text)
    text = " ".join((instruction.name, ", ".join(texts))).rstrip()
    try:
        same = encode(instruction, values, list(widths)) == octets
    except ValueError:
        same = False
    return text if same else f".op {_hex(octets)}  ; {text}"


def _values(operands: Operands, at: int) -> list[int]:
    """Operands in the order of the form: registers, signed immediates, distances."""
    registers = {
        Form.REG_REG: [operands.d, operands.a],
        Form.REG_REG_REG: [operands.a, operands.b, operands.d],
    }.get(operands.instruction.form, [operands.a, operands.b])
    immediates = [operands.x, operands.y]
    values = []
    for kind in operands.instruction.form.value:
        if kind == "r":
            values.append(registers.pop(0))
        elif kind == "o":
            values.append(immediates.pop(0) - at)
        else:
            value = immediates.pop(0)
            values.append(value - (1 << 64) if value >> 63 else value)
    return values


def _widths(operands: Operands, octets: bytes) -> list[int]:
    """Octets that each operand of ``octets`` takes, by the form's rules; zero for registers."""
    form = operands.instruction.form
    kinds = form.value
    if "i" not in kinds and "o" not in kinds:
        return [0] * len(kinds)
    head = {0: 1, 1: 2, 2: 2}[kinds.count("r")]
    first = 0
    if len(kinds.replace("r", "")) == 2:
        if form is Form.IMM_IMM:
            head, first = 2, octets[1] if len(octets) > 1 else 0
        elif form is Form.REG_REG_IMM_IMM:
            head, first = 3, octets[2] if len(octets) > 2 else 0
        else:
            first = octets[1] >> 4 if len(octets) > 1 else 0
        first = min(4, first % 8)
        widths = [first, max(0, min(4, len(octets) - head - first))]
    else:
        widths = [max(0, min(4, len(octets) - head))]
    return [0 if kind == "r" else widths.pop(0) for kind in kinds]
