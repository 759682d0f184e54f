"""The engine's Python face: one interface, two backends chosen at construction (appendix A).

:class:`NativeEngine` runs programs in the compiled core; the reference of
:mod:`jamliquor.pvm.reference` is a plain reading of the paper. Both hand out machines that run
until an exit, are served by their host, and run on.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jamliquor._native import check, ffi, last_error, lib
from jamliquor.errors import HostError
from jamliquor.pvm.machine import REGISTERS, Access, ExitReason, Machine, Program, Segment
from jamliquor.pvm.program import (
    INPUT_SIZE,
    PAGE_SIZE,
    ZONE_SIZE,
    InvalidProgram,
    StandardProgram,
    page_up,
    parse_standard,
)

__all__ = [
    "Access",
    "CacheCounters",
    "Engine",
    "EngineCounters",
    "ExitReason",
    "Machine",
    "NativeEngine",
    "Program",
    "Segment",
    "load_standard",
]

DEFAULT_CACHE: Final = 16 << 20
"""Bytes of decoded programs that an engine keeps by default."""
DEFAULT_RESIDENT: Final = 24 << 20
"""Bytes of guest pages that a native engine keeps resident by default."""
MAX_READ: Final = 32 << 20
"""Most octets that :meth:`Machine.read` of a native engine copies."""
MAX_DECODED: Final = 1 << 17
"""Instructions of the largest program that a native engine keeps decoded."""
DEFAULT_QUOTA: Final = 256 << 20
"""Bytes of a native engine's spill file by default."""


@dataclass(slots=True)
class CacheCounters:
    """Figures of an engine's program cache.

    Attributes:
        hits: programs found.
        misses: programs looked for in vain.
        evictions: programs dropped for room.
        size: bytes kept now.
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    size: int = 0


class _ProgramCache:
    """Decoded programs, least recently used dropped first, bounded by their bytes."""

    def __init__(self, capacity: int) -> None:
        self.counters = CacheCounters()
        self._capacity = capacity
        self._programs: OrderedDict[bytes, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Any:
        with self._lock:
            program = self._programs.get(key)
            if program is None:
                self.counters.misses += 1
                return None
            self._programs.move_to_end(key)
            self.counters.hits += 1
            return program

    def put(self, key: bytes, program: Program | LoadedProgram) -> None:
        with self._lock:
            if key in self._programs or program.size > self._capacity:
                return
            self._programs[key] = program
            self.counters.size += program.size
            while self.counters.size > self._capacity:
                _, dropped = self._programs.popitem(last=False)
                self.counters.size -= dropped.size
                self.counters.evictions += 1


# The same octets may also be a bare program, for which the hash itself is the key.
_STANDARD: Final = b"standard"


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """A standard program, decoded.

    Attributes:
        standard: the memory that it starts with; without its code.
        blob_size: octets of the blob.
    """

    program: Program
    standard: StandardProgram
    blob_size: int

    @property
    def size(self) -> int:
        """Bytes that it occupies."""
        return self.program.size + len(self.standard.read_only) + len(self.standard.read_write)

    def start(self, engine: Engine, argument: bytes, pc: int, gas: int) -> Machine | None:
        """A machine with memory and registers laid out by the function Y (section A.7).

        Args:
            engine: the backend that loaded it.
            argument: argument data, at most 2^24 octets.
            pc: where to begin.
            gas: gas to start with.

        Returns:
            None if there are too many arguments: the paper's panic at no gas.
        """
        if len(argument) > INPUT_SIZE:
            return None
        standard = self.standard
        machine = engine.machine(
            self.program,
            pc=pc,
            gas=gas,
            registers=_standard_registers(standard, len(argument)),
            memory=_standard_memory(standard, argument),
        )
        machine.set_heap(standard.heap_end, standard.stack_start)
        return machine


class Engine(ABC):
    """A backend: decodes programs, keeps some of them, and makes machines.

    Args:
        cache_size: bytes of decoded programs kept; a larger program is never kept.
    """

    def __init__(self, *, cache_size: int = DEFAULT_CACHE) -> None:
        self._cache = _ProgramCache(cache_size)

    @property
    def cache_counters(self) -> CacheCounters:
        """Figures of the program cache."""
        return self._cache.counters

    def compile(self, blob: bytes, code_hash: bytes | None = None) -> Program | InvalidProgram:
        """Decode a program blob, or find it decoded.

        Args:
            blob: the program (section A.1).
            code_hash: key that stands for these bytes; their Blake2b-256 hash if not given.
        """
        if code_hash is None:
            code_hash = hashlib.blake2b(blob, digest_size=32).digest()
        program: Program | None = self._cache.get(code_hash)
        if program is not None:
            return program
        decoded = self._decode(blob)
        if not isinstance(decoded, InvalidProgram):
            self._cache.put(code_hash, decoded)
        return decoded

    def find(self, code_hash: bytes) -> LoadedProgram | None:
        """What :meth:`load` made of a standard program, if it is still kept."""
        found: LoadedProgram | None = self._cache.get(_STANDARD + code_hash)
        return found

    def load(self, blob: bytes, code_hash: bytes) -> LoadedProgram | None:
        """Take a standard program apart and decode it; kept under its hash for :meth:`find`.

        Returns:
            None if the blob, or the program in it, is invalid.
        """
        try:
            standard = parse_standard(blob)
        except InvalidProgram:
            return None
        program = self._decode(standard.code)
        if isinstance(program, InvalidProgram):
            return None
        loaded = LoadedProgram(program, dataclasses.replace(standard, code=b""), len(blob))
        self._cache.put(_STANDARD + code_hash, loaded)
        return loaded

    def machine(
        self,
        program: Program,
        *,
        pc: int = 0,
        gas: int,
        registers: Sequence[int] | None = None,
        memory: Sequence[Segment] = (),
    ) -> Machine:
        """A machine about to execute the instruction at ``pc``.

        Args:
            program: what :meth:`compile` of this engine returned.
            pc: any natural below 2^64; where no instruction begins, it traps.
            gas: gas to start with, below 2^63.
            registers: the 13 registers; zeroes by default.
            memory: segments, each over its predecessors; everything else is inaccessible.

        Raises:
            HostError: this host cannot hold another machine.
        """
        machine = self._machine(program, pc, gas)
        if registers is not None:
            machine.registers = tuple(registers)
        for segment in memory:
            if segment.length == 0:
                continue
            pages = page_up(segment.length) // PAGE_SIZE
            machine.set_access(segment.address // PAGE_SIZE, pages, segment.access)
            if segment.data:
                machine.initialize(segment.address, segment.data)
        return machine

    @abstractmethod
    def _decode(self, blob: bytes) -> Program | InvalidProgram: ...

    @abstractmethod
    def _machine(self, program: Any, pc: int, gas: int) -> Machine: ...


def load_standard(
    engine: Engine, blob: bytes, argument: bytes, pc: int, gas: int, code_hash: bytes | None = None
) -> Machine | None:
    """A machine with memory and registers laid out by the function Y (section A.7).

    Args:
        engine: the backend.
        blob: a program in the standard format.
        argument: argument data, at most 2^24 octets.
        pc: where to begin.
        gas: gas to start with.
        code_hash: key that stands for ``blob``, such as a service's code hash.

    Returns:
        None if the blob, or the program in it, is invalid: the paper's panic at no gas.
    """
    if code_hash is None:
        code_hash = hashlib.blake2b(blob, digest_size=32).digest()
    loaded = engine.find(code_hash) or engine.load(blob, code_hash)
    return None if loaded is None else loaded.start(engine, argument, pc, gas)


def _standard_registers(standard: StandardProgram, argument_len: int) -> list[int]:
    registers = [0] * REGISTERS
    registers[0] = (1 << 32) - (1 << 16)
    registers[1] = standard.stack_end
    registers[7] = standard.argument_start
    registers[8] = argument_len
    return registers


def _standard_memory(standard: StandardProgram, argument: bytes) -> tuple[Segment, ...]:
    heap_len = standard.heap_end - standard.heap_start
    return (
        Segment(ZONE_SIZE, len(standard.read_only), Access.READ, standard.read_only),
        Segment(standard.heap_start, heap_len, Access.WRITE, standard.read_write),
        Segment(standard.stack_start, standard.stack_size, Access.WRITE),
        Segment(standard.argument_start, len(argument), Access.READ, argument),
    )


@dataclass(frozen=True, slots=True)
class EngineCounters:
    """Guest memory of a native engine's machines.

    Attributes:
        resident: bytes resident now.
        peak: most bytes ever resident at once.
        spilled: frames written to the spill file so far.
        restored: frames read back so far.
    """

    resident: int
    peak: int
    spilled: int
    restored: int


class NativeEngine(Engine):
    """The interpreter of the compiled core.

    Args:
        cache_size: as for :class:`Engine`.
        resident: bytes of guest pages that all machines together keep in memory. Their tables may
            take a third of it more.
        spill_directory: where pages above that go, to an unlinked file; empty: the cap is final.
        spill_quota: bytes of that file.
        paged: walk page tables even where 4 GiB of address space can be reserved, as 32-bit hosts
            do.
        max_decoded: programs of more instructions are decoded a piece at a time, when executed; at
            most 2^17, the default.
    """

    def __init__(
        self,
        *,
        cache_size: int = DEFAULT_CACHE,
        resident: int = DEFAULT_RESIDENT,
        spill_directory: str = "",
        spill_quota: int = DEFAULT_QUOTA,
        paged: bool = False,
        max_decoded: int = MAX_DECODED,
    ) -> None:
        super().__init__(cache_size=cache_size)
        self._max_decoded = max_decoded
        out = ffi.new("JamPvmEngine **")
        path = spill_directory.encode()
        check(lib.jam_pvm_engine_new(resident, path, len(path), spill_quota, paged, out))
        self._handle = ffi.gc(out[0], lib.jam_pvm_engine_free)

    @property
    def counters(self) -> EngineCounters:
        """Figures of guest memory."""
        words = ffi.new("uint64_t[4]")
        check(lib.jam_pvm_engine_counters(self._handle, words))
        return EngineCounters(*words)

    def _decode(self, blob: bytes) -> Program | InvalidProgram:
        out = ffi.new("JamPvmProgram **")
        offset = ffi.new("uint64_t *")
        if check(lib.jam_pvm_program_new(blob, len(blob), self._max_decoded, out, offset)):
            return InvalidProgram(last_error(), int(offset[0]))
        return _NativeProgram(ffi.gc(out[0], lib.jam_pvm_program_free))

    def _machine(self, program: _NativeProgram, pc: int, gas: int) -> Machine:
        out = ffi.new("JamPvmMachine **")
        check(lib.jam_pvm_machine_new(self._handle, program.handle, pc, gas, out))
        return _NativeMachine(ffi.gc(out[0], lib.jam_pvm_machine_free))


class _NativeProgram:
    __slots__ = ("handle", "size")

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.size = int(lib.jam_pvm_program_size(handle))


_new_bytes = functools.partial(
    ffi.new_allocator(should_clear_after_alloc=False), ffi.typeof("uint8_t[]")
)

# Words of the block that the core shares, behind the registers.
_GAS = 13
_PC = 14
_EXIT = 15
_ARGUMENT = 16
_NEXT_PC = 17
_FRESH = (1 << 64) - 1


class _NativeMachine:
    """See :class:`Machine`. Registers, gas and exits are read from memory shared with the core."""

    __slots__ = ("_handle", "_scratch", "_shown", "_signed", "_words")

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        # What small pieces of memory are copied to; one thread at a time uses a machine.
        self._scratch = _new_bytes(_PROBE)
        self._shown = ffi.buffer(self._scratch)
        block = lib.jam_pvm_machine_state(handle)
        self._words = ffi.cast("uint64_t *", block)
        self._signed = ffi.cast("int64_t *", block)

    @property
    def registers(self) -> tuple[int, ...]:
        return tuple(ffi.unpack(self._words, REGISTERS))

    @registers.setter
    def registers(self, values: Sequence[int]) -> None:
        if len(values) != REGISTERS:
            raise ValueError("a machine has 13 registers")
        self._words[0:REGISTERS] = values

    def get_registers(self) -> list[int]:
        registers: list[int] = ffi.unpack(self._words, REGISTERS)
        return registers

    def get_register(self, index: int) -> int:
        value: int = self._words[_register(index)]
        return value

    def set_register(self, index: int, value: int) -> None:
        if not 0 <= index < REGISTERS:
            raise IndexError(f"no register {index}")
        self._words[index] = value

    def take_call(self, cost: int) -> tuple[int, int, list[int]]:
        # One crossing for all: gas is not negative where a host call was reached, so unsigned does.
        words = ffi.unpack(self._words, _ARGUMENT + 1)
        left = words[_GAS] - cost
        self._signed[_GAS] = left
        return left, words[_ARGUMENT], words

    def set_registers(self, *pairs: tuple[int, int]) -> None:
        words = self._words
        for index, value in pairs:
            words[_register(index)] = value

    @property
    def gas(self) -> int:
        value: int = self._signed[_GAS]
        return value

    @gas.setter
    def gas(self, value: int) -> None:
        self._signed[_GAS] = value

    @property
    def pc(self) -> int:
        value: int = self._words[_PC]
        return value

    @pc.setter
    def pc(self, value: int) -> None:
        self._words[_PC] = value
        self._words[_NEXT_PC] = value
        self._words[_EXIT] = _FRESH

    @property
    def next_pc(self) -> int:
        value: int = self._words[_NEXT_PC]
        return value

    @property
    def exit_argument(self) -> int:
        value: int = self._words[_ARGUMENT]
        return value

    def run(self) -> ExitReason:
        code = lib.jam_pvm_machine_run(self._handle)
        if code < 0:
            check(code)
        reason: ExitReason = _EXITS[code]
        return reason

    def run_offering(self, offered: int, cost: int, answer: int) -> ExitReason:
        code = lib.jam_pvm_machine_run_offering(self._handle, offered, cost, answer)
        if code < 0:
            check(code)
        reason: ExitReason = _EXITS[code]
        return reason

    def read(self, address: int, length: int) -> bytes | None:
        if not length:
            return b""
        if length <= _PROBE:
            if check(lib.jam_pvm_machine_read(self._handle, address, self._scratch, length)):
                return None
            octets: bytes = self._shown[:length]
            return octets
        if not self.is_readable(address, length):
            # A guest may ask for more than this host could allocate.
            return None
        if length > MAX_READ:
            raise HostError(f"{length} octets of guest memory are too many to copy at once")
        out = _new_bytes(length)
        if check(lib.jam_pvm_machine_read(self._handle, address, out, length)):
            return None
        return bytes(ffi.buffer(out, length))

    def hash(self, prefix: bytes, address: int, length: int) -> bytes | None:
        if length > _PROBE:
            data = self.read(address, length)
            return None if data is None else hashlib.blake2b(prefix + data, digest_size=32).digest()
        out = self._scratch
        if check(lib.jam_pvm_machine_hash(self._handle, prefix, len(prefix), address, length, out)):
            return None
        digest: bytes = self._shown[:32]
        return digest

    def write(self, address: int, data: bytes) -> bool:
        return not check(lib.jam_pvm_machine_write(self._handle, address, data, len(data), False))

    def is_readable(self, address: int, length: int) -> bool:
        return not check(lib.jam_pvm_machine_check(self._handle, address, length, False))

    def is_writable(self, address: int, length: int) -> bool:
        return not check(lib.jam_pvm_machine_check(self._handle, address, length, True))

    def initialize(self, address: int, data: bytes) -> None:
        if check(lib.jam_pvm_machine_write(self._handle, address, data, len(data), True)):
            raise ValueError(f"{len(data)} octets at {address} leave the address space")

    def set_access(self, first_page: int, count: int, access: Access) -> None:
        check(lib.jam_pvm_machine_set_access(self._handle, first_page, count, access))

    def zero_pages(self, first_page: int, count: int) -> None:
        check(lib.jam_pvm_machine_zero(self._handle, first_page, count))

    @property
    def heap(self) -> int:
        return int(lib.jam_pvm_machine_heap(self._handle))

    def set_heap(self, end: int, limit: int = 1 << 32) -> None:
        check(lib.jam_pvm_machine_set_heap(self._handle, end, limit))


_EXITS = tuple(ExitReason)
_PROBE = 4096


def _register(index: int) -> int:
    # Registers are followed by the machine's other words; a wrong index must not reach those.
    if not 0 <= index < REGISTERS:
        raise IndexError(f"no register {index}")
    return index
