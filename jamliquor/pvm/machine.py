"""What a machine is to its host: exits, registers, memory (appendix A)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["REGISTERS", "Access", "ExitReason", "Machine", "Program", "Segment"]

REGISTERS: Final = 13
"""Registers of a machine."""


class ExitReason(enum.IntEnum):
    """Why a run ended (section A.1)."""

    HALT = 0
    PANIC = 1
    OUT_OF_GAS = 2
    FAULT = 3
    HOST_CALL = 4


class Access(enum.IntEnum):
    """What a page of memory allows (section 4.5); what can be written can be read."""

    NONE = 0
    READ = 1
    WRITE = 2


class Program(Protocol):
    """A valid program, decoded by the engine that runs it."""

    @property
    def size(self) -> int:
        """Bytes that the decoded form occupies."""


class Machine(Protocol):
    """A program in flight. One thread at a time may use it."""

    @property
    def registers(self) -> tuple[int, ...]:
        """The 13 registers, naturals below 2^64."""

    @registers.setter
    def registers(self, values: Sequence[int]) -> None: ...

    def get_registers(self) -> list[int]:
        """The same as a new list."""

    def get_register(self, index: int) -> int:
        """One register."""

    def set_register(self, index: int, value: int) -> None:
        """Set one register to a natural below 2^64."""

    def take_call(self, cost: int) -> tuple[int, int, list[int]]:
        """Charge for the host call that ended the run.

        Returns:
            The gas left, which may be negative, the call's number, and the registers in a list that
            may hold more behind them.
        """

    def set_registers(self, *pairs: tuple[int, int]) -> None:
        """Set some registers, each given as (index, value)."""

    @property
    def gas(self) -> int:
        """Gas left, from -2^63 to 2^63 - 1; -1 after it ran out."""

    @gas.setter
    def gas(self, value: int) -> None: ...

    @property
    def pc(self) -> int:
        """The instruction that caused the last exit, or the one to begin with.

        Setting it makes the next run begin there, also after a host call. The paper's counter
        after halt and panic is zero: that one is ``next_pc``.
        """

    @pc.setter
    def pc(self, value: int) -> None: ...

    @property
    def next_pc(self) -> int:
        """Where another invocation would begin: behind a host call, at zero after halt or panic,
        else at ``pc``."""

    @property
    def exit_argument(self) -> int:
        """The number of the host call, or the address of the page that faulted."""

    def run(self) -> ExitReason:
        """Run until the next exit; after a host call, from the instruction behind it.

        Raises:
            HostError: this host's memory or quota is exhausted; says nothing about the guest.
        """

    def run_offering(self, offered: int, cost: int, answer: int) -> ExitReason:
        """Run, going on behind host calls that are not offered.

        Args:
            offered: the numbers below 64 that are, as bits.
            cost: gas that every other call takes; one that the gas does not suffice for ends the
                run, not charged yet.
            answer: what register 7 holds after it.

        Raises:
            HostError: as :meth:`run`.
        """

    def read(self, address: int, length: int) -> bytes | None:
        """Octets of memory, or None if any of them is not readable.

        Guests name lengths up to 2^32: callers bound what they copy.

        Raises:
            HostError: this host's memory or quota is exhausted, or does not do for ``length``.
        """

    def hash(self, prefix: bytes, address: int, length: int) -> bytes | None:
        """Blake2b-256 of a prefix with octets of memory behind it; otherwise as :meth:`read`."""

    def write(self, address: int, data: bytes) -> bool:
        """Write to memory; false, and nothing written, if any octet is not writable.

        Raises:
            HostError: this host's memory or quota is exhausted.
        """

    def is_readable(self, address: int, length: int) -> bool:
        """Whether a range, which may be empty, can be read."""

    def is_writable(self, address: int, length: int) -> bool:
        """Whether a range, which may be empty, can be written."""

    def initialize(self, address: int, data: bytes) -> None:
        """Write to memory whatever its access, as a loader does.

        Raises:
            ValueError: the range leaves the address space.
        """

    def set_access(self, first_page: int, count: int, access: Access) -> None:
        """Set the access of pages; their contents stay. Pages below 2^16 stay inaccessible."""

    def zero_pages(self, first_page: int, count: int) -> None:
        """Fill pages with zeroes, whatever their access."""

    @property
    def heap(self) -> int:
        """The end of the heap, which ``sbrk`` moves."""

    def set_heap(self, end: int, limit: int = 1 << 32) -> None:
        """Set the end of the heap and the address that ``sbrk`` cannot grow it past."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Memory that a machine starts with.

    Attributes:
        address: where it begins, a multiple of the page size.
        length: octets, rounded up to pages.
        access: access of these pages.
        data: the first octets; zeroes follow.
    """

    address: int
    length: int
    access: Access
    data: bytes = b""
