"""Targets that run code of strangers: the same on every backend, step by step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import AccumulationError
from jamliquor.params import TINY
from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.disassembler import disassemble
from jamliquor.pvm.engine import Engine
from jamliquor.pvm.host.context import Chain
from jamliquor.pvm.invocations import AccumulateInvocation, HostCall, accumulate_service
from jamliquor.pvm.machine import REGISTERS, Access, ExitReason, Machine, Segment
from jamliquor.pvm.opcodes import INSTRUCTIONS
from jamliquor.pvm.program import (
    InvalidProgram,
    StandardProgram,
    encode_program,
    encode_standard,
    parse_program,
    parse_standard,
)
from jamliquor.state.accounts import Accounts
from jamliquor.types.accumulation import DeferredTransfer
from jamliquor.types.state import Privileges
from tests.fuzz.target import Check, Target, demand
from tests.support import scripted_service
from tests.support.hosting import ENTROPY, HASH, OTHER, SELF, SLOT, account, state_of
from tests.support.pvm import BACKENDS
from tests.support.scripted_service import call

GAS = 150
CALLS = 20
OPCODES = sorted(INSTRUCTIONS)
READABLE = Segment(0x1_0000, 4096, Access.READ, bytes(range(256)) * 16)
WRITABLE = Segment(0x2_0000, 8192, Access.WRITE, b"\x80\xff\x7f\x01" * 8)
POINTERS = (0, 0x1_0000, 0x1_0FFC, 0x2_0000, 0x2_1FFC, 0x2_2000, 0xFFFF_0000, 2**64 - 1, 2**63, 2**31)


def engines() -> dict[str, Engine]:
    """Every backend."""
    return {name: make() for name, make in BACKENDS.items()}


def woven(data: bytes) -> bytes:
    """A program blob in which every octet of ``data`` means something.

    Its octets are cut into instructions: one for the length, one for the opcode, then operands.
    """
    code = bytearray()
    starts = []
    at = 0
    while at + 1 < len(data):
        length = data[at] % 12
        starts.append(len(code))
        code.append(OPCODES[data[at + 1] % len(OPCODES)])
        code += data[at + 2 : at + 2 + length]
        at += 2 + length
    jumps = starts[:: max(1, len(starts) // 4)]
    return encode_program(bytes(code), starts, jumps)


def _unwoven(blob: bytes) -> bytes:
    """Octets that :func:`woven` makes something like a program of."""
    program = parse_program(blob)
    starts = [at for at in range(len(program.code)) if program.is_opcode(at)]
    found = bytearray()
    for at, end in zip(starts, [*starts[1:], len(program.code)], strict=True):
        found += bytes([min(end - at - 1, 11), OPCODES.index(program.opcode(at))])
        found += program.code[at + 1 : min(end, at + 12)]
    return bytes(found)


# Blobs: what one parser takes apart, all do, and the disassembler's text makes it again.


def _blobs() -> Check:
    backends = engines()

    def check(data: bytes) -> None:
        with contextlib.suppress(InvalidProgram):
            standard = parse_standard(data)
            demand(encode_standard(standard) == data, "a standard program is not its own encoding")
        try:
            parse_program(data)
        except InvalidProgram as invalid:
            refused: InvalidProgram | None = invalid
            demand(invalid.offset <= len(data), "an offset outside of the blob")
        else:
            refused = None
            with contextlib.suppress(ValueError):
                demand(assemble(disassemble(data)) == data, "the text means another program")
        for name, engine in backends.items():
            compiled = engine.compile(data)
            demand(isinstance(compiled, InvalidProgram) is bool(refused), f"{name}: another verdict")

    return check


# Execution: the first octets are registers, the rest is the program.


def _execution() -> Check:
    backends = engines()

    def check(data: bytes) -> None:
        blob = woven(data[REGISTERS:])
        pointers = [POINTERS[octet % 10] + octet // 10 for octet in data[:REGISTERS]]
        registers = [value % 2**64 for value in pointers] + [0] * (REGISTERS - len(pointers))
        lives = {name: _life(engine, blob, registers) for name, engine in backends.items()}
        for name, life in lives.items():
            for step, (ours, theirs) in enumerate(zip(life, lives["reference"], strict=False)):
                demand(ours == theirs, f"{name} differs at exit {step}: {ours} for {theirs}")
            demand(len(life) == len(lives["reference"]), f"{name} makes other exits")

    return check


def _life(engine: Engine, blob: bytes, registers: list[int]) -> list[Any]:
    """What can be seen of a machine at each of its exits, and its memory at the end."""
    program = engine.compile(blob)
    if isinstance(program, InvalidProgram):
        return ["invalid"]
    machine = engine.machine(program, gas=GAS, registers=registers, memory=(READABLE, WRITABLE))
    machine.set_heap(0x2_2000, 0x2_5000)
    seen: list[Any] = []
    for count in range(CALLS):
        reason = machine.run()
        argument = machine.exit_argument if reason in (ExitReason.HOST_CALL, ExitReason.FAULT) else 0
        seen.append((reason, machine.registers, machine.gas, machine.pc, machine.next_pc, argument))
        if reason is ExitReason.FAULT and count < 3:
            # Cured faults run on: guest pages appear where a fault was.
            machine.set_access(argument // 4096, 1, Access.WRITE)
        elif reason is not ExitReason.HOST_CALL:
            break
        else:
            machine.set_register(7, POINTERS[argument % 10])
    seen.append(_memory(machine))
    return seen


def _memory(machine: Machine) -> list[Any]:
    pages = [0x1_0000, *range(0x2_0000, 0x2_5000, 4096)]
    return [machine.heap, *(machine.read(page, 4096) for page in pages)]


def _execution_seeds() -> Iterable[bytes]:
    start = bytes(range(REGISTERS))
    for opcode in OPCODES:
        # Three operand patterns of every instruction, twice, so that its result is used.
        at = OPCODES.index(opcode)
        for operands in (b"\x21\x03", b"\x43\x08\x00\x01", b"\x13\xff\xff\xff\xff\x80\x7f\x01"):
            yield start + 2 * (bytes([len(operands), at]) + operands)
    standard = parse_standard(scripted_service.code()[1:])
    yield start + _unwoven(standard.code)


# Accumulation: a service whose code nobody vouches for, with every privilege and all host calls.


def _accumulation() -> Check:
    backends = engines()

    def check(data: bytes) -> None:
        seen = {name: _accumulated(engine, data) for name, engine in backends.items()}
        for name, outcome in seen.items():
            demand(outcome == seen["reference"], f"{name} differs: {outcome} for {seen['reference']}")

    return check


def _accumulated(engine: Engine, data: bytes) -> Any:
    code = b"\0" + encode_standard(StandardProgram(bytes(64), HASH * 8, 2, 4096, woven(data)))
    code_hash = blake2b(code)
    state = state_of(
        {SELF: account(code_hash=code_hash, balance=2**63), OTHER: account(balance=10**6)},
        storage={(SELF, HASH[:4]): b"value"},
        preimages={(SELF, code_hash): code, (SELF, HASH): b"x" * 32},
        requests={
            (SELF, code_hash, len(code)): (1,),
            (SELF, HASH, 32): (2, 3),
            (OTHER, HASH, 32): (),
        },
    )
    calls: list[HostCall] = []
    chain = Chain((), (((),) * 80,) * 2, Privileges(SELF, (SELF, SELF), SELF, SELF, {}))
    try:
        outcome = accumulate_service(
            AccumulateInvocation(TINY, engine, SLOT, ENTROPY, calls.append),
            Accounts(TINY, state.get),
            chain,
            service=SELF,
            gas=5000,
            inputs=[DeferredTransfer(OTHER, SELF, 7, bytes(128), 9)],
        )
    except AccumulationError as error:
        return error.code, calls
    return outcome, calls


def _accumulation_seeds() -> Iterable[bytes]:
    heap = 0x2_0000
    for number in (*range(6), *range(14, 27), 100):
        for arguments in (
            (heap, 0, 32, heap, 64, 16),
            (SELF, heap, 32, 5, heap, 0),
            (OTHER, 1, 9, heap),
        ):
            moves = "".join(f"load_imm r{7 + i}, {value}\n" for i, value in enumerate(arguments))
            source = f"jump never:4\n{moves}ecalli {number}\n{moves}ecalli {number}\njump_ind r0, 0\n"
            yield _unwoven(assemble(source + "never:\ntrap"))
    yield _unwoven(parse_standard(scripted_service.code()[1:]).code)


def _blob_seeds() -> Iterable[bytes]:
    code = scripted_service.code()[1:]
    yield code
    yield parse_standard(code).code
    yield assemble(".jumps 2 loop 0x17\nloop: add_imm_64 r7, r7, -1\nbranch_ne_imm r7, 0, loop\ntrap")
    yield scripted_service.script(call("write", b"key", 3, b"value", 5))


TARGETS = (
    Target("blobs", _blobs, _blob_seeds, 2048),
    Target("execution", _execution, _execution_seeds, 1024),
    Target("accumulation", _accumulation, _accumulation_seeds, 1024),
)
