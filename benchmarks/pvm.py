"""The virtual machine: instructions, host calls, and what it takes to start a program."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.harness import ROOT, Figure, Options, measure, over_rounds, scaled
from jamliquor.crypto.hashing import blake2b
from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import (
    Access,
    ExitReason,
    NativeEngine,
    Program,
    Segment,
    load_standard,
)
from jamliquor.pvm.program import InvalidProgram, StandardProgram, encode_standard

TITLE = "Virtual machine"
METHOD = """\
*An instruction*: the programs of `examples/guests`, the time of a run over the gas that it used (one an
instruction). *Host call*: a guest that does nothing but call a host that answers at once, from Python
and back. *Start*: a standard program with 100 KB of random arithmetic that halts at once, from its
octets and their hash to its result, in an engine that has never seen it (*cold*), and in one that has
(*cached*).\
"""

_HEAP = 0x20000
_GAS = 1 << 40
_PROGRAM_OCTETS = 100_000
_RETURN = 0xFFFF0000
_HOST_LOOP = "loop:\n ecalli 100\n add_imm_64 r7, r7, -1\n branch_ne_imm r7, 0, loop\n jump_ind r0, 0"


class _Guest(NamedTuple):
    """What a program of the examples is run with: registers 7 and 8, and octets of heap."""

    name: str
    seventh: int
    eighth: int
    heap: int


_GUESTS = (
    _Guest("copy", 40, 1 << 16, 1 << 17),
    _Guest("hash", 40, 0, 1 << 17),
    _Guest("sieve", 200_000, 0, 1 << 18),
    _Guest("sort", 12_000, 0, 1 << 16),
)


def run(options: Options) -> Iterator[Figure]:
    """Measure each path."""
    for guest in _GUESTS:
        yield _instructions(guest, options)
    yield _host_call(options)
    yield from _start(options)


def _registers(seventh: int, eighth: int = 0) -> list[int]:
    return [_RETURN, 0, 0, 0, 0, 0, 0, seventh, eighth, 0, 0, 0, 0]


def _compiled(engine: NativeEngine, blob: bytes) -> Program:
    program = engine.compile(blob)
    if isinstance(program, InvalidProgram):
        raise ValueError(f"not a program: {program}")
    return program


def _expect_halt(reason: ExitReason) -> None:
    if reason is not ExitReason.HALT:
        raise RuntimeError(f"the guest ended with {reason.name}")


def _instructions(guest: _Guest, options: Options) -> Figure:
    engine = NativeEngine()
    source = (ROOT / "examples" / "guests" / f"{guest.name}.asm").read_text(encoding="utf-8")
    program = _compiled(engine, assemble(source))
    executed = 0

    def once() -> float:
        nonlocal executed
        machine = engine.machine(
            program,
            gas=_GAS,
            registers=_registers(guest.seventh, guest.eighth),
            memory=(Segment(_HEAP, guest.heap, Access.WRITE),),
        )
        begun = time.perf_counter()
        reason = machine.run()
        span = time.perf_counter() - begun
        _expect_halt(reason)
        executed = _GAS - machine.gas
        return span / executed

    once()
    rounds = [[once() for _ in range(2 if options.quick else 10)] for _ in range(options.rounds)]
    found = scaled(over_rounds(rounds), 1e9)
    return Figure(f"{guest.name}, an instruction", "ns", found, extra={"instructions": executed})


def _host_call(options: Options) -> Figure:
    engine = NativeEngine()
    program = _compiled(engine, assemble(_HOST_LOOP))
    calls = 1_000 if options.quick else 10_000

    def once() -> float:
        machine = engine.machine(program, gas=_GAS, registers=_registers(calls))
        begun = time.perf_counter()
        while (reason := machine.run()) is ExitReason.HOST_CALL:
            machine.gas -= 10
        span = time.perf_counter() - begun
        _expect_halt(reason)
        return span / calls

    rounds = [[once() for _ in range(10)] for _ in range(options.rounds)]
    return Figure("host call", "µs", scaled(over_rounds(rounds), 1e6), 1000.0)


def _start(options: Options) -> Iterator[Figure]:
    blob = _large_program()
    code_hash = blake2b(blob)
    engine = NativeEngine()

    def start(where: Callable[[], NativeEngine]) -> Callable[[], object]:
        def once() -> None:
            machine = load_standard(where(), blob, b"", 0, _GAS, code_hash)
            if machine is None:
                raise RuntimeError("the large program is invalid")
            _expect_halt(machine.run())

        return once

    count = 5 if options.quick else 30
    cold = measure(start(NativeEngine), options, count)
    extra = {"octets": len(blob)}
    yield Figure("start 100 KB, cold", "ms", scaled(cold, 1000), 50.0, extra)
    cached = measure(start(lambda: engine), options, count)
    yield Figure("start 100 KB, cached", "ms", scaled(cached, 1000), extra=extra)
    yield Figure("a new engine", "ms", scaled(measure(NativeEngine, options, count), 1000))


def _large_program() -> bytes:
    """A standard program that returns at once and has 100 KB of other code behind that."""
    dice = random.Random(0)
    names = ("add_64", "sub_64", "xor", "mul_32", "shlo_l_64")
    lines = ["jump_ind r0, 0"]
    size = 2
    while size < _PROGRAM_OCTETS:
        first, second, third = (dice.randrange(13) for _ in range(3))
        if dice.random() < 0.4:
            lines.append(f"add_imm_64 r{first}, r{second}, {dice.randrange(1, 1 << 30)}:4")
            size += 6
        elif dice.random() < 0.1:
            lines.append("fallthrough")
            size += 1
        else:
            lines.append(f"{dice.choice(names)} r{first}, r{second}, r{third}")
            size += 3
    lines.append("trap")
    return encode_standard(StandardProgram(b"", b"", 1, 4096, assemble("\n".join(lines))))
