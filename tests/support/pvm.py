"""Backends of the virtual machine, and random programs for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

from jamliquor.pvm.assembler import encode
from jamliquor.pvm.engine import Access, Engine, Machine, NativeEngine, Program, Segment
from jamliquor.pvm.opcodes import INSTRUCTIONS, Form, Instruction
from jamliquor.pvm.program import PAGE_SIZE, InvalidProgram, encode_program
from jamliquor.pvm.reference import ReferenceEngine

BACKENDS: Final[dict[str, Callable[[], Engine]]] = {
    "native": NativeEngine,
    "paged": lambda: NativeEngine(paged=True),
    "streamed": lambda: NativeEngine(max_decoded=0),
    "reference": ReferenceEngine,
}

HALT: Final = 0xFFFF0000
WRITABLE: Final = (0x10000, 0x20000, 0x21000, 0xFFFFF000)
READABLE: Final = (0x22000,)

MEMORY: Final = tuple(
    Segment(address, PAGE_SIZE, Access.WRITE, bytes(range(256)) * 16) for address in WRITABLE
) + tuple(Segment(address, PAGE_SIZE, Access.READ, b"\x5a" * PAGE_SIZE) for address in READABLE)

# Page borders, wrapping at 2^32, the forbidden zone, arithmetic's corners, the halting address.
_INTERESTING = (0, 1, 2, 4, 0xFFF8, 0xFFFF, 0x10000, 0x20010, 0x20FFD, 0x21FFE, 0x22FFC, 0x23000)
_CORNERS = (0x7FFFFFFF, 0x80000000, HALT, 0xFFFFFFFC, 0xFFFFFFFF, 1 << 31, (1 << 63) - 1, 1 << 63)
_EXTREMES = ((1 << 64) - 1, (1 << 64) - (1 << 31), (1 << 32) + 0x20008)


def registers() -> st.SearchStrategy[list[int]]:
    """Thirteen registers, mostly values that some instruction treats apart."""
    value = st.sampled_from(_INTERESTING + _CORNERS + _EXTREMES) | st.integers(0, (1 << 64) - 1)
    return st.lists(value, min_size=13, max_size=13)


@st.composite
def instructions(draw: st.DrawFn) -> bytes:
    """One well-formed instruction; jumps reach a little way."""
    instruction: Instruction = draw(st.sampled_from(sorted(INSTRUCTIONS.values())))
    values, widths = [], []
    for kind in instruction.form.value:
        width = draw(st.integers(0, 4))
        limit = 1 << max(8 * width - 1, 0)
        low, high = (-limit, limit - 1) if width else (0, 0)
        if kind == "r":
            values.append(draw(st.integers(0, 12)))
        elif kind == "o":
            values.append(draw(st.integers(max(low, -40), min(high, 40))))
        elif instruction.form is Form.REG_IMM64:
            values.append(draw(st.integers(-(1 << 63), (1 << 63) - 1)))
        else:
            values.append(draw(st.integers(low, high)))
        widths.append(width)
    return encode(instruction, values, list(widths))


@st.composite
def valid_blobs(draw: st.DrawFn) -> bytes:
    """Programs of well-formed instructions, with a jump table that often leads somewhere."""
    parts = draw(st.lists(instructions(), min_size=1, max_size=24))
    starts = [sum(map(len, parts[:at])) for at in range(len(parts))]
    entry = st.sampled_from(starts) | st.integers(0, 255)
    return encode_program(b"".join(parts), starts, draw(st.lists(entry, max_size=4)), 1)


@st.composite
def garbage_blobs(draw: st.DrawFn) -> bytes:
    """Blobs that decode, of arbitrary octets under an arbitrary bitmask."""
    octet = st.sampled_from(sorted(INSTRUCTIONS)) | st.integers(0, 255)
    code = bytes(draw(st.lists(octet, max_size=80)))
    marks = draw(st.lists(st.booleans(), min_size=len(code), max_size=len(code)))
    opcodes = [at for at, marked in enumerate(marks) if marked]
    width = draw(st.integers(0, 10))
    largest = min((1 << (8 * width)) - 1, 90)
    return encode_program(code, opcodes, draw(st.lists(st.integers(0, largest), max_size=5)), width)


def compiled(engine: Engine, blob: bytes) -> Program:
    """The program of a blob that must be valid."""
    program = engine.compile(blob)
    assert not isinstance(program, InvalidProgram)
    return program


def contents(machine: Machine) -> list[bytes | None]:
    """What the pages of ``MEMORY`` hold."""
    return [machine.read(segment.address, segment.length) for segment in MEMORY]
