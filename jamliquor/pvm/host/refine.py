"""The host calls of refinement: historical lookup, exports, inner machines (appendix B.6).

The conventions are those of :mod:`jamliquor.pvm.host.general`.
"""

from __future__ import annotations

import struct
from typing import Final

from jamliquor.pvm.host.codes import (
    FULL,
    HUH,
    INNER_FAULT,
    INNER_HALT,
    INNER_HOST,
    INNER_OUT_OF_GAS,
    INNER_PANIC,
    LARGE,
    MAX_GAS,
    OK,
    OOB,
    PANIC,
    SELF,
    WHO,
)
from jamliquor.pvm.host.context import RefineContext
from jamliquor.pvm.host.general import deliver
from jamliquor.pvm.machine import Access, ExitReason, Machine
from jamliquor.pvm.program import PAGE_SIZE, InvalidProgram

__all__ = [
    "export",
    "expunge",
    "historical_lookup",
    "invoke",
    "machine",
    "pages",
    "peek",
    "poke",
]

_FIRST_PAGE: Final = 16
_PAGES: Final = 2**32 // PAGE_SIZE
_INVOCATION: Final = struct.Struct("<14Q")
_MASK: Final = 2**64 - 1
_ACCESS: Final = (Access.NONE, Access.READ, Access.WRITE, Access.READ, Access.WRITE)
_INNER_RESULTS: Final = {
    ExitReason.HALT: INNER_HALT,
    ExitReason.PANIC: INNER_PANIC,
    ExitReason.FAULT: INNER_FAULT,
    ExitReason.HOST_CALL: INNER_HOST,
    ExitReason.OUT_OF_GAS: INNER_OUT_OF_GAS,
}


def historical_lookup(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``historical_lookup``: a preimage that was available at the lookup anchor."""
    preimage_hash = guest.read(r[8], 32)
    if preimage_hash is None:
        return PANIC
    service = context.service if r[7] == SELF else r[7]
    accounts = context.accounts
    value = None
    if service is not None and accounts is not None and accounts.account(service) is not None:
        value = accounts.historical_lookup(service, context.slot, preimage_hash)
    return deliver(guest, value, r[9], r[10], r[11])


def export(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``export``: add a segment; its index within the package."""
    data = guest.read(r[7], min(r[8], context.params.segment_size))
    if data is None:
        return PANIC
    index = context.export_offset + len(context.exports)
    if index >= context.params.max_exports:
        return FULL
    context.exports.append(data.ljust(context.params.segment_size, b"\0"))
    return index


def machine(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``machine``: make an inner machine; its index."""
    blob = guest.read(r[7], r[8])
    if blob is None:
        return PANIC
    program = context.engine.compile(blob)
    if isinstance(program, InvalidProgram):
        return HUH
    machines = context.machines
    index = next(n for n in range(len(machines) + 1) if n not in machines)
    machines[index] = context.engine.machine(program, pc=r[9], gas=0)
    return index


def peek(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``peek``: copy memory of an inner machine to the guest's."""
    index, target, source, length = r[7], r[8], r[9], r[10]
    if not guest.is_writable(target, length):
        return PANIC
    inner = context.machines.get(index)
    if inner is None:
        return WHO
    if not inner.is_readable(source, length):
        return OOB
    _copy(inner, source, guest, target, length)
    return OK


def poke(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``poke``: copy the guest's memory to an inner machine's."""
    index, source, target, length = r[7], r[8], r[9], r[10]
    if not guest.is_readable(source, length):
        return PANIC
    inner = context.machines.get(index)
    if inner is None:
        return WHO
    if not inner.is_writable(target, length):
        return OOB
    _copy(guest, source, inner, target, length)
    return OK


def _copy(origin: Machine, source: int, receiver: Machine, target: int, length: int) -> None:
    """Copy accessible memory between machines, piece by piece."""
    for at in range(0, length, LARGE):
        data = origin.read(source + at, min(LARGE, length - at))
        assert data is not None, "the range is readable"
        receiver.write(target + at, data)


def pages(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``pages``: set the access of an inner machine's pages; zero them unless asked to keep them."""
    index, first, count, access = r[7], r[8], r[9], r[10]
    inner = context.machines.get(index)
    if inner is None:
        return WHO
    if access > 4 or first < _FIRST_PAGE or first + count >= _PAGES:
        return HUH
    if access > 2 and not inner.is_readable(first * PAGE_SIZE, count * PAGE_SIZE):
        return HUH
    inner.set_access(first, count, _ACCESS[access])
    if access < 3:
        inner.zero_pages(first, count)
    return OK


def invoke(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``invoke``: run an inner machine on the gas and registers found in the guest's memory.

    Gas beyond what an engine can count is kept apart meanwhile. What is left after running out of
    gas is -1, in two's complement.
    """
    index, address = r[7], r[8]
    if not guest.is_writable(address, _INVOCATION.size):
        return PANIC
    inner = context.machines.get(index)
    if inner is None:
        return WHO
    data = guest.read(address, _INVOCATION.size)
    assert data is not None, "what is writable is readable"
    gas, *registers = _INVOCATION.unpack(data)
    inner.gas = given = min(gas, MAX_GAS)
    inner.registers = registers
    inner.pc = inner.next_pc
    reason = inner.run()
    left = (gas - given + inner.gas) & _MASK
    guest.write(address, _INVOCATION.pack(left, *inner.get_registers()))
    if reason is ExitReason.HOST_CALL or reason is ExitReason.FAULT:
        guest.set_register(8, inner.exit_argument)
    return _INNER_RESULTS[reason]


def expunge(context: RefineContext, guest: Machine, r: list[int]) -> int:
    """``expunge``: remove an inner machine; its instruction counter."""
    inner = context.machines.pop(r[7], None)
    return WHO if inner is None else inner.next_pc
