"""A machine without a program: it makes the host calls of a script, then halts."""

from __future__ import annotations

from collections.abc import Sequence

from jamliquor.crypto.hashing import blake2b
from jamliquor.pvm.machine import Access, ExitReason

HEAP = 0x2_0000
"""Address of writable memory."""
HEAP_SIZE = 0x2_0000
CONSTANT = 0x8_0000
"""Address of read-only memory, 4 KiB."""
NOWHERE = 0x1_0000_0000_0000
"""An address that is not accessible, beyond the address space."""
UNMAPPED = 0x10_0000
"""An address that is not accessible, within the address space."""

Call = tuple[int, Sequence[int]]


class ScriptedMachine:
    """Registers, gas and two pieces of memory. Each run is the next call of the script."""

    def __init__(self, script: Sequence[Call] = (), gas: int = 10_000) -> None:
        self.script = list(script)
        self.registers: Sequence[int] = [0] * 13
        self.gas = gas
        self.pc = self.next_pc = 0
        self.exit_argument = 0
        self.memory = {HEAP: bytearray(HEAP_SIZE), CONSTANT: bytearray(0x1000)}
        self.writable = {HEAP}
        self.returned: list[int] = []
        """Register 7 after each call."""
        self.eighth: list[int] = []
        """Register 8 after each call."""

    def run(self) -> ExitReason:
        if self.pc:
            self.returned.append(self.registers[7])
            self.eighth.append(self.registers[8])
        if not self.script:
            self.set_register(7, 0)
            self.set_register(8, 0)
            return ExitReason.HALT
        self.pc = self.next_pc = self.pc + 1
        self.exit_argument, arguments = self.script.pop(0)
        for index, value in enumerate(arguments):
            self.set_register(7 + index, value)
        return ExitReason.HOST_CALL

    def run_offering(self, offered: int, cost: int, answer: int) -> ExitReason:
        while True:
            reason = self.run()
            known = self.exit_argument < 64 and offered >> self.exit_argument & 1
            if reason is not ExitReason.HOST_CALL or known or self.gas < cost:
                return reason
            self.gas -= cost
            self.set_register(7, answer)

    def take_call(self, cost: int) -> tuple[int, int, list[int]]:
        self.gas -= cost
        return self.gas, self.exit_argument, list(self.registers)

    def get_registers(self) -> list[int]:
        return list(self.registers)

    def get_register(self, index: int) -> int:
        return self.registers[index]

    def set_register(self, index: int, value: int) -> None:
        assert 0 <= value < 2**64
        registers = list(self.registers)
        registers[index] = value
        self.registers = registers

    def _find(self, address: int, length: int, places: set[int]) -> tuple[bytearray, int] | None:
        for start in places:
            piece = self.memory[start]
            if start <= address and address + length <= start + len(piece):
                return piece, address - start
        return None

    def read(self, address: int, length: int) -> bytes | None:
        assert 0 <= length < 2**64
        if length == 0:
            return b""
        found = self._find(address, length, set(self.memory))
        return None if found is None else bytes(found[0][found[1] : found[1] + length])

    def hash(self, prefix: bytes, address: int, length: int) -> bytes | None:
        data = self.read(address, length)
        return None if data is None else blake2b(prefix + data)

    def write(self, address: int, data: bytes) -> bool:
        found = self._find(address, len(data), self.writable)
        if found is None:
            return not data
        found[0][found[1] : found[1] + len(data)] = data
        return True

    def is_readable(self, address: int, length: int) -> bool:
        return self.read(address, length) is not None

    def is_writable(self, address: int, length: int) -> bool:
        return length == 0 or self._find(address, length, self.writable) is not None

    def initialize(self, address: int, data: bytes) -> None:
        found = self._find(address, len(data), set(self.memory))
        assert found is not None
        found[0][found[1] : found[1] + len(data)] = data

    def set_access(self, first_page: int, count: int, access: Access) -> None:
        raise NotImplementedError

    def zero_pages(self, first_page: int, count: int) -> None:
        raise NotImplementedError


class BoundlessMachine(ScriptedMachine):
    """Also has memory for everything, of which more than 64 KiB at once must not be copied."""

    def read(self, address: int, length: int) -> bytes | None:
        assert length <= 1 << 16, "too much memory is copied"
        return super().read(address, length) or bytes(length)

    def is_readable(self, address: int, length: int) -> bool:
        return address + length <= 1 << 32
