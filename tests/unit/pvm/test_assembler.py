"""The text form of programs, and the example guests written in it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jamliquor.pvm.assembler import AssemblyError, assemble
from jamliquor.pvm.disassembler import disassemble
from jamliquor.pvm.engine import Access, Engine, ExitReason
from jamliquor.pvm.opcodes import BY_NAME, INSTRUCTIONS, TERMINATORS
from jamliquor.pvm.program import PAGE_SIZE, encode_program, parse_program
from tests.support.pvm import BACKENDS, HALT, compiled

GUESTS = Path(__file__).resolve().parents[3] / "examples" / "guests"
HEAP = 0x20000


def test_tables_have_the_papers_counts() -> None:
    assert len(INSTRUCTIONS) == len(BY_NAME) == 139
    assert len(TERMINATORS) == 22
    assert (BY_NAME["sbrk"].opcode, BY_NAME["min_u"].opcode) == (101, 230)


def test_labels_take_the_fewest_octets_that_reach() -> None:
    near = assemble("start: fallthrough\n jump start")
    assert parse_program(near).code == bytes((1, 40, 0xFF))
    far = assemble("start: fallthrough\n" + "fallthrough\n" * 200 + "jump start")
    assert parse_program(far).code[-3:] == bytes((40, 0x37, 0xFF))


def test_jump_tables_and_octets() -> None:
    blob = assemble(".jumps 2 there 0x1234\n .data 7 8\n .op 0xfe 1\nthere: trap")
    program = parse_program(blob)
    assert program.code == bytes((7, 8, 0xFE, 1, 0))
    assert [program.is_opcode(at) for at in range(5)] == [False, False, True, False, True]
    assert [program.jump(at) for at in range(2)] == [4, 0x1234]
    assert assemble(disassemble(blob)) == blob


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("trap\n nonsense r1", 2),
        ("add_64 r1, r2", 1),
        ("move_reg r13, r0", 1),
        ("move_reg 1, r0", 1),
        ("\n\nload_imm r1, 0x1ffffffff", 3),
        ("load_imm r1, 300:1", 1),
        ("jump nowhere", 1),
        ("a: trap\na: trap", 2),
        (".op 256", 1),
        (".jumps 1 0x100", 1),
    ],
)
def test_errors_name_the_line(text: str, line: int) -> None:
    with pytest.raises(AssemblyError) as caught:
        assemble(text)
    assert caught.value.line == line


@pytest.mark.parametrize("seed", range(20))
def test_every_opcode_with_any_octets_round_trips(seed: int) -> None:
    source = random.Random(seed)
    code, opcodes = bytearray(), []
    for opcode in range(256):
        opcodes.append(len(code))
        code += bytes((opcode, *source.randbytes(source.randrange(30))))
    blob = encode_program(bytes(code), opcodes, [0, 5, 999], 3)
    assert assemble(disassemble(blob)) == blob


def run_guest(engine: Engine, name: str, first: int, second: int = 0) -> tuple[int, bytes]:
    program = compiled(engine, assemble((GUESTS / f"{name}.asm").read_text()))
    machine = engine.machine(program, gas=1_000_000)
    machine.set_access(HEAP // PAGE_SIZE, 16, Access.WRITE)
    machine.initialize(HEAP, bytes(range(256)) * 16)
    if name == "sieve":
        machine.zero_pages(HEAP // PAGE_SIZE, 1)
    machine.set_registers((0, HALT), (7, first), (8, second))
    assert machine.run() is ExitReason.HALT
    image = machine.read(HEAP, 8 * PAGE_SIZE)
    assert image is not None
    return machine.get_register(7), image


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_guests(backend: str) -> None:
    engine = BACKENDS[backend]()
    assert run_guest(engine, "sieve", 1000)[0] == 168
    assert run_guest(engine, "hash", 1)[0] == mixed(bytes(range(256)) * 16)
    ascending, image = run_guest(engine, "sort", 500)
    words = [int.from_bytes(image[at : at + 4], "little") for at in range(0, 2000, 4)]
    assert ascending == 0
    assert words == sorted(pseudo_random(500))
    copied, image = run_guest(engine, "copy", 1, 4096)
    assert copied == 512
    assert image[4096:8192] == image[:4096] == bytes(range(256)) * 16


def pseudo_random(count: int) -> list[int]:
    words, word = [], 0x2545F491
    for _ in range(count):
        word = (word * 1664525 + 1013904223) % (1 << 32)
        words.append(word)
    return words


def mixed(page: bytes) -> int:
    mask = (1 << 64) - 1
    a, b, c, d = 0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1
    for at in range(0, len(page), 8):
        first, second = (32, 24) if at % 16 == 0 else (16, 63)
        a = (a + b + int.from_bytes(page[at : at + 8], "little")) & mask
        d = ((d ^ a) >> first | (d ^ a) << (64 - first)) & mask
        c = (c + d) & mask
        b = ((b ^ c) >> second | (b ^ c) << (64 - second)) & mask
    return a ^ b ^ c ^ d
