"""An interpreter that reads like appendix A: slow, plain, and the yardstick of the fast one."""

from __future__ import annotations

from collections.abc import Sequence

from jamliquor.crypto.hashing import blake2b
from jamliquor.pvm.engine import DEFAULT_CACHE, Engine
from jamliquor.pvm.machine import REGISTERS, Access, ExitReason, Machine, Program
from jamliquor.pvm.operands import Operands, decode
from jamliquor.pvm.program import PAGE_SIZE, InvalidProgram, ProgramBlob, page_up, parse_program
from jamliquor.pvm.semantics import COMPARISONS, LOADS, STORES, THREE_OPERANDS, TWO_OPERANDS

__all__ = ["ReferenceEngine"]

_ALL = (1 << 64) - 1
_ADDRESSES = 1 << 32
_FORBIDDEN = 1 << 16
_HALT_ADDRESS = (1 << 32) - (1 << 16)
_DYNAMIC_ALIGNMENT = 2


class ReferenceEngine(Engine):
    """Runs programs in Python, one instruction after the other."""

    def __init__(self, *, cache_size: int = DEFAULT_CACHE) -> None:
        super().__init__(cache_size=cache_size)

    def _decode(self, blob: bytes) -> Program | InvalidProgram:
        try:
            return _ReferenceProgram(parse_program(blob))
        except InvalidProgram as invalid:
            return invalid

    def _machine(self, program: _ReferenceProgram, pc: int, gas: int) -> Machine:
        return _ReferenceMachine(program.blob, pc, gas)


class _ReferenceProgram:
    def __init__(self, blob: ProgramBlob) -> None:
        self.blob = blob
        self.size = len(blob.code) + len(blob.bitmask) + len(blob.jump_data)


class _Exit(Exception):
    """Ends the instruction at hand; the state it already changed stays changed."""

    def __init__(self, reason: ExitReason, argument: int = 0) -> None:
        super().__init__(reason, argument)
        self.reason = reason
        self.argument = argument


class _Memory:
    """Pages by number; one that is missing holds zeroes and allows nothing."""

    def __init__(self) -> None:
        self.contents: dict[int, bytearray] = {}
        self.access: dict[int, Access] = {}

    def allows(self, address: int, length: int, least: Access) -> bool:
        if length == 0:
            return True
        if address + length > _ADDRESSES:
            return False
        pages = range(address // PAGE_SIZE, (address + length - 1) // PAGE_SIZE + 1)
        return all(self.access.get(page, Access.NONE) >= least for page in pages)

    def get(self, address: int) -> int:
        page = self.contents.get(address // PAGE_SIZE)
        return page[address % PAGE_SIZE] if page else 0

    def put(self, address: int, octet: int) -> None:
        page = self.contents.setdefault(address // PAGE_SIZE, bytearray(PAGE_SIZE))
        page[address % PAGE_SIZE] = octet

    def demand(self, indices: Sequence[int], least: Access) -> None:
        """The memory-access exceptional state of section A.4."""
        for index in indices:
            address = index % _ADDRESSES
            if address < _FORBIDDEN:
                raise _Exit(ExitReason.PANIC)
            if self.access.get(address // PAGE_SIZE, Access.NONE) < least:
                raise _Exit(ExitReason.FAULT, address // PAGE_SIZE * PAGE_SIZE)


class _ReferenceMachine:
    """See :class:`Machine`."""

    def __init__(self, program: ProgramBlob, pc: int, gas: int) -> None:
        self._program = program
        self._memory = _Memory()
        self._registers = [0] * REGISTERS
        self._pc = pc
        self._next_pc = pc
        self._heap = 0
        self._heap_limit = _ADDRESSES
        self.gas = gas
        self.exit_argument = 0
        self._after_host_call = False

    @property
    def registers(self) -> tuple[int, ...]:
        return tuple(self._registers)

    @registers.setter
    def registers(self, values: Sequence[int]) -> None:
        if len(values) != REGISTERS:
            raise ValueError("a machine has 13 registers")
        self._registers = list(values)

    def get_registers(self) -> list[int]:
        return list(self._registers)

    def get_register(self, index: int) -> int:
        return self._registers[index]

    def set_register(self, index: int, value: int) -> None:
        self._registers[index] = value

    def take_call(self, cost: int) -> tuple[int, int, list[int]]:
        self.gas -= cost
        return self.gas, self.exit_argument, list(self._registers)

    def set_registers(self, *pairs: tuple[int, int]) -> None:
        for index, value in pairs:
            self._registers[index] = value

    @property
    def pc(self) -> int:
        return self._pc

    @pc.setter
    def pc(self, value: int) -> None:
        self._pc = self._next_pc = value
        self._after_host_call = False

    @property
    def next_pc(self) -> int:
        return self._next_pc

    @property
    def heap(self) -> int:
        return self._heap

    def set_heap(self, end: int, limit: int = _ADDRESSES) -> None:
        self._heap, self._heap_limit = end, limit

    def is_readable(self, address: int, length: int) -> bool:
        return self._memory.allows(address, length, Access.READ)

    def is_writable(self, address: int, length: int) -> bool:
        return self._memory.allows(address, length, Access.WRITE)

    def read(self, address: int, length: int) -> bytes | None:
        if not self.is_readable(address, length):
            return None
        return bytes(map(self._memory.get, range(address, address + length)))

    def hash(self, prefix: bytes, address: int, length: int) -> bytes | None:
        data = self.read(address, length)
        return None if data is None else blake2b(prefix + data)

    def write(self, address: int, data: bytes) -> bool:
        if not self.is_writable(address, len(data)):
            return False
        self.initialize(address, data)
        return True

    def initialize(self, address: int, data: bytes) -> None:
        if address + len(data) > _ADDRESSES:
            raise ValueError(f"{len(data)} octets at {address} leave the address space")
        for at, octet in enumerate(data, address):
            self._memory.put(at, octet)

    def set_access(self, first_page: int, count: int, access: Access) -> None:
        end = min(first_page + count, _ADDRESSES // PAGE_SIZE)
        for page in range(max(first_page, _FORBIDDEN // PAGE_SIZE), end):
            self._memory.access[page] = access

    def zero_pages(self, first_page: int, count: int) -> None:
        for page in [*self._memory.contents]:
            if first_page <= page < first_page + count:
                del self._memory.contents[page]

    def run(self) -> ExitReason:
        """The function Ψ of section A.1, a loop where the paper recurses."""
        if self._after_host_call:
            self.pc = self._next_pc
        if self.gas < 0:
            return ExitReason.OUT_OF_GAS
        while True:
            if self.gas == 0:
                self.gas = -1
                return ExitReason.OUT_OF_GAS
            self.gas -= 1
            try:
                self._pc = self._next_pc = self._step(decode(self._program, self._pc))
            except _Exit as exit_:
                return self._finish(exit_)

    def run_offering(self, offered: int, cost: int, answer: int) -> ExitReason:
        while True:
            reason = self.run()
            known = self.exit_argument < 64 and offered >> self.exit_argument & 1
            if reason is not ExitReason.HOST_CALL or known or self.gas < cost:
                return reason
            self.gas -= cost
            self.set_register(7, answer)

    def _finish(self, exit_: _Exit) -> ExitReason:
        self.exit_argument = exit_.argument
        if exit_.reason is ExitReason.HOST_CALL:
            self._after_host_call = True
            self._next_pc = self._pc + 1 + self._program.skip(self._pc)
        elif exit_.reason in (ExitReason.HALT, ExitReason.PANIC):
            self._next_pc = 0
        return exit_.reason

    def _step(self, op: Operands) -> int:
        """The function Ψ_1 (section A.4): changes the state, returns the next counter."""
        name = op.instruction.name
        registers = self._registers
        if name in THREE_OPERANDS:
            self._three_operands(op)
        elif name in TWO_OPERANDS:
            registers[op.d] = TWO_OPERANDS[name](registers[op.a]) & _ALL
        elif name.startswith("load_imm"):
            if name == "load_imm_jump_ind":
                return self._load_imm_jump_ind(op)
            registers[op.a] = op.x
            if name == "load_imm_jump":
                return self._branch(op.y)
        elif name.startswith(("load", "store")):
            self._access(op)
        elif name.startswith("branch"):
            if self._condition(op):
                return self._branch(op.y if name.endswith("_imm") else op.x)
        elif name == "jump":
            return self._branch(op.x)
        elif name == "jump_ind":
            return self._dynamic_jump(registers[op.a] + op.x)
        elif name.startswith("cmov"):
            self._conditional_move(op)
        elif name == "sbrk":
            registers[op.d] = self._sbrk(registers[op.a])
        elif name == "ecalli":
            raise _Exit(ExitReason.HOST_CALL, op.x)
        elif name == "trap":
            raise _Exit(ExitReason.PANIC)
        return self._pc + 1 + op.skip

    def _three_operands(self, op: Operands) -> None:
        function = THREE_OPERANDS[op.instruction.name]
        registers = self._registers
        if "_imm" in op.instruction.name:
            registers[op.a] = function(registers[op.b], op.x) & _ALL
        else:
            registers[op.d] = function(registers[op.a], registers[op.b]) & _ALL

    def _conditional_move(self, op: Operands) -> None:
        name = op.instruction.name
        if (self._registers[op.b] == 0) == name.startswith("cmov_iz"):
            if name.endswith("_imm"):
                self._registers[op.a] = op.x
            else:
                self._registers[op.d] = self._registers[op.a]

    def _condition(self, op: Operands) -> bool:
        name = op.instruction.name.removeprefix("branch_")
        right = op.x if name.endswith("_imm") else self._registers[op.b]
        return COMPARISONS[name.removesuffix("_imm")](self._registers[op.a], right)

    def _branch(self, target: int) -> int:
        if target not in self._program.basic_blocks:
            raise _Exit(ExitReason.PANIC)
        return target

    def _dynamic_jump(self, address: int) -> int:
        address %= _ADDRESSES
        if address == _HALT_ADDRESS:
            raise _Exit(ExitReason.HALT)
        if (
            address == 0
            or address > self._program.jump_count * _DYNAMIC_ALIGNMENT
            or address % _DYNAMIC_ALIGNMENT
        ):
            raise _Exit(ExitReason.PANIC)
        return self._branch(self._program.jump(address // _DYNAMIC_ALIGNMENT - 1))

    def _load_imm_jump_ind(self, op: Operands) -> int:
        address = self._registers[op.b] + op.y
        self._registers[op.a] = op.x
        return self._dynamic_jump(address)

    def _access(self, op: Operands) -> None:
        """Loads and stores: ``{load,store}_[imm_][ind_]{u,i}{8,16,32,64}``."""
        name = op.instruction.name
        kind = name.rsplit("_", 1)[1]
        width = int(kind[1:]) // 8
        address = op.x
        if name.startswith("store_imm_ind"):
            address += self._registers[op.a]
        elif "_ind" in name:
            address += self._registers[op.b]
        indices = range(address, address + width)
        if name.startswith("load"):
            self._memory.demand(indices, Access.READ)
            octets = bytes(self._memory.get(index % _ADDRESSES) for index in indices)
            self._registers[op.a] = LOADS[kind](octets) & _ALL
            return
        assert kind in STORES
        value = op.y if name.startswith("store_imm") else self._registers[op.a]
        self._memory.demand(indices, Access.WRITE)
        for index, octet in zip(indices, value.to_bytes(8, "little"), strict=False):
            self._memory.put(index % _ADDRESSES, octet)

    def _sbrk(self, amount: int) -> int:
        """Grow the heap and return its former end; zero, and no change, where there is no room."""
        old = self._heap
        if page_up(old + amount) > self._heap_limit:
            return 0
        if amount:
            first, end = page_up(old) // PAGE_SIZE, page_up(old + amount) // PAGE_SIZE
            self.set_access(first, end - first, Access.WRITE)
            self._heap = old + amount
        return old
