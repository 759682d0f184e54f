"""A service that does as it is told: each work result is a list of host calls that it makes.

A result begins with the number of calls, then has for each its number and registers 7 to 12, then
whatever memory the calls refer to. It is padded to 128 octets, so that the lengths before it, and with
them its address, do not vary; report gas is between 2^14 and 2^21 for the same reason.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.host.table import NAMES
from jamliquor.pvm.program import StandardProgram, encode_standard

GAS = 1_000_000
"""Gas to give a work item, within the range that keeps addresses as they are."""

_BUFFER = 0x2_0000
_BUFFER_SIZE = 0x4000
# An operand is its kind, four hashes, three octets of gas, the result's kind and two of its length.
_RESULT = _BUFFER + 1 + 4 * 32 + 3
_SCRIPT = _RESULT + 3
_RECORD = struct.Struct("<B6Q")
_LEAST_SIZE = 128

_CALLS = {name: number for number, name in NAMES.items() if number <= 5 or 14 <= number <= 26}


class Call(NamedTuple):
    """One host call: its name and its arguments, octets standing for their address."""

    name: str
    arguments: tuple[int | bytes, ...]


def call(name: str, *arguments: int | bytes) -> Call:
    """A host call with registers from 7 on."""
    return Call(name, arguments)


def script(*calls: Call) -> bytes:
    """The work result that makes the service do these calls."""
    memory = b""
    records = b""
    start = _SCRIPT + 1 + _RECORD.size * len(calls)
    for name, arguments in calls:
        registers = []
        for argument in arguments:
            if isinstance(argument, bytes):
                registers.append(start + len(memory))
                memory += argument
            else:
                registers.append(argument)
        records += _RECORD.pack(_CALLS[name], *registers, *[0] * (6 - len(registers)))
    return (bytes([len(calls)]) + records + memory).ljust(_LEAST_SIZE, b"\0")


def code() -> bytes:
    """The service's code preimage: no metadata, then the program."""
    program = StandardProgram(b"", b"", _BUFFER_SIZE // 0x1000, 0x1000, assemble(_program()))
    return b"\0" + encode_standard(program)


def _program() -> str:
    chosen = "".join(f"    branch_eq_imm r5, {n}, call_{n}\n" for n in _CALLS.values())
    made = "".join(f"call_{n}:\n    ecalli {n}\n    jump made\n" for n in _CALLS.values())
    return f"""
    jump done:4                     ; refinement has nothing to do
    load_imm r2, 0                  ; accumulation, at 5: the number of the input
    fallthrough
input:
    load_imm r7, {_BUFFER}
    load_imm r8, 0
    load_imm r9, {_BUFFER_SIZE}
    load_imm r10, 15
    move_reg r11, r2
    ecalli 1
    branch_eq_imm r7, -1, done
    add_imm_64 r2, r2, 1
    load_u8 r3, {_BUFFER}
    branch_ne_imm r3, 0, input      ; a transfer
    load_u8 r3, {_RESULT}
    branch_ne_imm r3, 0, input      ; an error
    load_u8 r3, {_SCRIPT}
    load_imm r4, {_SCRIPT + 1}
    fallthrough
next:
    branch_eq_imm r3, 0, input
    load_ind_u8 r5, r4, 0
    load_ind_u64 r7, r4, 1
    load_ind_u64 r8, r4, 9
    load_ind_u64 r9, r4, 17
    load_ind_u64 r10, r4, 25
    load_ind_u64 r11, r4, 33
    load_ind_u64 r12, r4, 41
{chosen}    trap
{made}made:
    add_imm_64 r4, r4, {_RECORD.size}
    add_imm_64 r3, r3, -1
    jump next
done:
    load_imm r7, 0
    load_imm r8, 0
    jump_ind r0, 0
"""
