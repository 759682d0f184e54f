"""The standard program format, its memory, and argument invocations (sections A.7, A.8)."""

from __future__ import annotations

import dataclasses

import pytest

from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import Engine, ExitReason, Machine, load_standard
from jamliquor.pvm.program import (
    InvalidProgram,
    StandardProgram,
    encode_standard,
    parse_standard,
)
from tests.support.pvm import BACKENDS

HALTS = assemble("jump_ind r0, 0")
PROGRAM = StandardProgram(b"constants", b"variables", 2, 5000, HALTS)


@pytest.fixture(params=sorted(BACKENDS))
def engine(request: pytest.FixtureRequest) -> Engine:
    return BACKENDS[request.param]()


def no_calls(_call: int, _machine: Machine) -> ExitReason | None:
    return ExitReason.PANIC


def with_code(text: str) -> bytes:
    return encode_standard(dataclasses.replace(PROGRAM, code=assemble(text)))


def test_format_round_trip() -> None:
    assert parse_standard(encode_standard(PROGRAM)) == PROGRAM


@pytest.mark.parametrize("cut", range(len(encode_standard(PROGRAM))))
def test_every_cut_is_refused(cut: int) -> None:
    with pytest.raises(InvalidProgram) as caught:
        parse_standard(encode_standard(PROGRAM)[:cut])
    assert caught.value.offset == cut


def test_what_follows_or_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidProgram):
        parse_standard(encode_standard(PROGRAM) + b"\0")
    # The largest sections that three octets express still fit; 2^16 - 1 pages beside them too.
    huge = bytes(6) + b"\xff\xff" + b"\xff\xff\xff" + (len(HALTS)).to_bytes(4, "little") + HALTS
    assert parse_standard(huge).heap_pages == 0xFFFF


def test_memory_layout(engine: Engine) -> None:
    machine = load_standard(engine, encode_standard(PROGRAM), b"argument", 0, 10)
    assert machine is not None
    stack_end, argument = 0xFEFE0000, 0xFEFF0000
    registers = [0xFFFF0000, stack_end, *[0] * 5, argument, 8, *[0] * 4]
    assert machine.get_registers() == registers
    assert machine.read(0x10000, 4096) == b"constants".ljust(4096, b"\0")
    assert not machine.is_writable(0x10000, 1)
    assert not machine.is_readable(0x11000, 1)
    assert machine.read(0x30000, 0x3000) == b"variables".ljust(0x3000, b"\0")
    assert machine.is_writable(0x30000, 0x3000)
    assert not machine.is_readable(0x33000, 1)
    assert machine.is_writable(stack_end - 0x2000, 0x2000)
    assert not machine.is_readable(stack_end - 0x2001, 1)
    assert not machine.is_readable(stack_end, 1)
    assert machine.read(argument, 4096) == b"argument".ljust(4096, b"\0")
    assert not machine.is_writable(argument, 1)
    assert machine.heap == 0x33000


def test_empty_sections_map_nothing(engine: Engine) -> None:
    machine = load_standard(engine, encode_standard(StandardProgram(b"", b"", 0, 0, HALTS)), b"", 0, 1)
    assert machine is not None
    assert not any(machine.is_readable(at, 1) for at in (0x10000, 0x20000, 0xFEFDF000, 0xFEFF0000))


@pytest.mark.parametrize(
    ("code", "reason", "gas"),
    [
        ("trap", ExitReason.PANIC, 9),
        ("load_u8 r2, 0x50000", ExitReason.FAULT, 9),
        ("self:\n jump self", ExitReason.OUT_OF_GAS, -1),
        ("ecalli 5", ExitReason.HOST_CALL, 9),
    ],
)
def test_ends_of_standard_programs(engine: Engine, code: str, reason: ExitReason, gas: int) -> None:
    machine = load_standard(engine, with_code(code), b"", 0, 10)
    assert machine is not None
    assert (machine.run(), machine.gas) == (reason, gas)


@pytest.mark.parametrize(
    "blob", [b"", encode_standard(dataclasses.replace(PROGRAM, code=b"\x07"))], ids=["empty", "cut"]
)
def test_what_is_no_standard_program_is_no_machine(engine: Engine, blob: bytes) -> None:
    assert load_standard(engine, blob, b"", 0, 10) is None


def test_one_hash_keys_bare_and_standard_programs_apart(engine: Engine) -> None:
    assert load_standard(engine, encode_standard(PROGRAM), b"", 0, 1, b"hash") is not None
    assert isinstance(engine.compile(b"\x07", b"hash"), InvalidProgram)
