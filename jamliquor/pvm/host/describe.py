"""What the registers of a host call mean, for people who look on (appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from jamliquor.pvm.host import codes
from jamliquor.pvm.host.table import LOG, NAMES
from jamliquor.pvm.machine import Machine

__all__ = ["SHOWN_OCTETS", "Octets", "arguments", "delivered", "log_message", "result_name"]

SHOWN_OCTETS: Final = 4096
"""Octets of guest memory that are copied for an observer, of each argument."""


class Octets(NamedTuple):
    """Memory of a guest.

    Attributes:
        size: how many octets the guest named.
        data: the first of them, at most ``SHOWN_OCTETS``; None if not all are readable.
    """

    size: int
    data: bytes | None


class _Number(NamedTuple):
    name: str
    register: int


class _Memory(NamedTuple):
    name: str
    register: int
    size: int


class _Range(NamedTuple):
    name: str
    register: int
    size_register: int


_SERVICE = _Number("service", 7)
_HASH7 = _Memory("hash", 7, 32)
_HASH8 = _Memory("hash", 8, 32)
_LENGTH = _Number("length", 8)
_CODE_HASH = _Memory("code_hash", 7, 32)
_MACHINE = _Number("machine", 7)

_ARGUMENTS: Final[dict[str, tuple[_Number | _Memory | _Range, ...]]] = {
    "gas": (),
    "fetch": (_Number("kind", 10), _Number("first", 11), _Number("second", 12)),
    "lookup": (_SERVICE, _HASH8),
    "read": (_SERVICE, _Range("key", 8, 9)),
    "write": (_Range("key", 7, 8), _Range("value", 9, 10)),
    "info": (_SERVICE,),
    "historical_lookup": (_SERVICE, _HASH8),
    "export": (_Range("data", 7, 8),),
    "machine": (_Range("code", 7, 8), _Number("pc", 9)),
    "peek": (_MACHINE, _Number("to", 8), _Number("from", 9), _Number("length", 10)),
    "poke": (_MACHINE, _Number("from", 8), _Number("to", 9), _Number("length", 10)),
    "pages": (_MACHINE, _Number("first", 8), _Number("count", 9), _Number("access", 10)),
    "invoke": (_MACHINE, _Memory("gas_and_registers", 8, 112)),
    "expunge": (_MACHINE,),
    "bless": (
        _Number("manager", 7),
        _Number("assigners_at", 8),
        _Number("delegator", 9),
        _Number("registrar", 10),
        _Number("free_at", 11),
        _Number("free_count", 12),
    ),
    "assign": (_Number("core", 7), _Number("queue_at", 8), _Number("assigner", 9)),
    "designate": (_Number("validators_at", 7),),
    "checkpoint": (),
    "new": (
        _CODE_HASH,
        _LENGTH,
        _Number("min_item_gas", 9),
        _Number("min_memo_gas", 10),
        _Number("deposit_offset", 11),
        _Number("index", 12),
    ),
    "upgrade": (_CODE_HASH, _Number("min_item_gas", 8), _Number("min_memo_gas", 9)),
    "transfer": (_Number("to", 7), _Number("amount", 8), _Number("gas", 9), _Memory("memo", 10, 128)),
    "eject": (_SERVICE, _HASH8),
    "query": (_HASH7, _LENGTH),
    "solicit": (_HASH7, _LENGTH),
    "forget": (_HASH7, _LENGTH),
    "yield": (_HASH7,),
    "provide": (_SERVICE, _Range("data", 8, 9)),
}

_UNKNOWN: Final = tuple(_Number(f"r{register}", register) for register in range(7, 13))

_DELIVERED: Final = {
    "fetch": (7, 8, 9),
    "lookup": (9, 10, 11),
    "read": (10, 11, 12),
    "info": (8, 9, 10),
    "historical_lookup": (9, 10, 11),
}
"""Registers of calls that write a value: where to, from which of its octets on, how many."""

_CODES: Final = {
    getattr(codes, name): name
    for name in ("NONE", "WHAT", "OOB", "WHO", "FULL", "CORE", "CASH", "LOW", "HUH")
}
_ENDINGS: Final = {codes.PANIC: "PANIC", codes.OUT_OF_GAS: "OUT_OF_GAS"}
_INNER: Final = ("HALT", "PANIC", "FAULT", "HOST", "OUT_OF_GAS")
_NUMBERS: Final = frozenset(("gas", "export", "machine", "invoke", "expunge", "checkpoint", "new"))
_VERDICTS: Final = frozenset(_ARGUMENTS) - frozenset(_DELIVERED) - _NUMBERS - {"write", "query"}
"""Calls whose zero means success, and no number."""


def arguments(
    number: int, machine: Machine, registers: Sequence[int]
) -> tuple[tuple[str, int | Octets], ...]:
    """What a call that is about to be served is given, by name.

    Of an unknown call these are registers 7 to 12; of ``log`` nothing (see :func:`log_message`).
    """
    if number == LOG:
        return ()
    shown: list[tuple[str, int | Octets]] = []
    for field in _ARGUMENTS.get(NAMES.get(number, ""), _UNKNOWN):
        match field:
            case _Number(name, register):
                shown.append((name, registers[register]))
            case _Memory(name, register, size):
                shown.append((name, _read(machine, registers[register], size)))
            case _Range(name, register, size_register):
                octets = _read(machine, registers[register], registers[size_register])
                shown.append((name, octets))
    return tuple(shown)


def delivered(number: int, machine: Machine, registers: Sequence[int], result: int) -> Octets | None:
    """What a call that was served wrote to memory; None if it delivers nothing.

    Args:
        registers: those before the call.
    """
    places = _DELIVERED.get(NAMES.get(number, ""))
    if places is None or result < 0 or result in _CODES:
        return None
    address, offset, limit = (registers[place] for place in places)
    return _read(machine, address, min(limit, max(result - offset, 0)))


def log_message(machine: Machine, registers: Sequence[int]) -> tuple[int, bytes, bytes] | None:
    """Level, target and text of a ``log`` call (JIP-1), each cut; None if not readable."""
    target = _read(machine, registers[8], registers[9]).data
    text = _read(machine, registers[10], registers[11]).data
    return None if target is None or text is None else (registers[7], target, text)


def result_name(call: str, result: int) -> str:
    """A result by the paper's name, or as a number where it is one.

    Args:
        call: the call's name.
        result: register 7, or what ended the guest (:class:`~jamliquor.pvm.invocations.HostCall`).
    """
    if result in _ENDINGS:
        return _ENDINGS[result]
    if result in _CODES:
        return _CODES[result]
    if call == "invoke" and result < len(_INNER):
        return _INNER[result]
    return "OK" if result == codes.OK and call in _VERDICTS else str(result)


def _read(machine: Machine, address: int, size: int) -> Octets:
    if not machine.is_readable(address, size):
        return Octets(size, None)
    return Octets(size, machine.read(address, min(size, SHOWN_OCTETS)))
