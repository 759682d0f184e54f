"""Program blobs and the standard program format, strict in every byte (sections A.1, A.2, A.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from jamliquor.codec.runtime import Refusal, decode_natural, encode_natural
from jamliquor.errors import JamliquorError
from jamliquor.pvm.opcodes import INSTRUCTIONS, TERMINATORS

__all__ = [
    "INPUT_SIZE",
    "PAGE_SIZE",
    "ZONE_SIZE",
    "InvalidProgram",
    "ProgramBlob",
    "StandardProgram",
    "encode_program",
    "encode_standard",
    "page_up",
    "parse_program",
    "parse_standard",
    "zone_up",
]

PAGE_SIZE: Final = 4096
"""Octets a page, Z_P."""
ZONE_SIZE: Final = 1 << 16
"""Octets a major zone, Z_Z."""
INPUT_SIZE: Final = 1 << 24
"""Most octets of argument data, Z_I."""

_MAX_SKIP = 24


class InvalidProgram(JamliquorError, ValueError):
    """Bytes are no program; engines return it as a value, parsers raise it.

    Attributes:
        reason: what is wrong, in words.
        offset: index of the byte that shows it (the length of the input where it ends early).
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.reason} (byte {self.offset})"


@dataclass(frozen=True)
class ProgramBlob:
    """A program taken apart by ``deblob`` (section A.1).

    Attributes:
        code: the instruction data **c**.
        bitmask: **k**, packed, least significant bit first.
        jump_count: number of entries of the dynamic jump table **j**.
        jump_width: octets an entry.
        jump_data: the entries.
    """

    code: bytes
    bitmask: bytes
    jump_count: int
    jump_width: int
    jump_data: bytes

    def jump(self, index: int) -> int:
        """Entry ``index`` of the jump table: a position in the code, if it is any good."""
        start = index * self.jump_width
        return int.from_bytes(self.jump_data[start : start + self.jump_width], "little")

    def is_opcode(self, at: int) -> bool:
        """Whether octet ``at`` of the code is marked as the beginning of an instruction."""
        return at < len(self.code) and bool(self.bitmask[at // 8] >> (at % 8) & 1)

    def skip(self, at: int) -> int:
        """Octets between the opcode at ``at`` and the next one, at most 24 (section A.2)."""
        for distance in range(_MAX_SKIP):
            following = at + 1 + distance
            if following >= len(self.code) or self.is_opcode(following):
                return distance
        return _MAX_SKIP

    def opcode(self, at: int) -> int:
        """The opcode that execution at ``at`` meets: trap where none is valid (section A.5)."""
        if self.is_opcode(at) and self.code[at] in INSTRUCTIONS:
            return self.code[at]
        return 0

    @cached_property
    def basic_blocks(self) -> frozenset[int]:
        """Positions of the code that a jump may lead to (section A.3)."""
        starts = {0}
        for at, octet in enumerate(self.code):
            if octet in TERMINATORS and self.is_opcode(at):
                starts.add(at + 1 + self.skip(at))
        return frozenset(at for at in starts if self.is_opcode(at) and self.code[at] in INSTRUCTIONS)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int, what: str) -> bytes:
        if count > len(self.data) - self.at:
            raise InvalidProgram(f"the blob ends inside {what}", len(self.data))
        self.at += count
        return self.data[self.at - count : self.at]

    def fixed(self, count: int, what: str) -> int:
        return int.from_bytes(self.take(count, what), "little")

    def natural(self) -> int:
        try:
            value, self.at = decode_natural(self.data, self.at)
        except (Refusal, IndexError) as refused:
            raise InvalidProgram("no natural in its shortest form", self.at) from refused
        return value

    def end(self, what: str) -> None:
        if self.at != len(self.data):
            raise InvalidProgram(f"bytes after {what}", self.at)


def parse_program(blob: bytes) -> ProgramBlob:
    """Take a program blob apart; it must be the encoding of exactly one program.

    Raises:
        InvalidProgram: it is not.
    """
    reader = _Reader(blob)
    jump_count = reader.natural()
    jump_width = reader.fixed(1, "the jump table's width")
    code_len = reader.natural()
    jumps_at = reader.at
    jump_data = reader.take(jump_count * jump_width, "the jump table")
    if jump_width > 8:
        for at, octet in enumerate(jump_data):
            if at % jump_width >= 8 and octet:
                raise InvalidProgram("a jump table entry exceeds 64 bits", jumps_at + at)
    code = reader.take(code_len, "the instructions")
    bitmask = reader.take((code_len + 7) // 8, "the bitmask")
    if code_len % 8 and bitmask[-1] >> (code_len % 8):
        raise InvalidProgram("padding of the bitmask is not zero", reader.at - 1)
    reader.end("the bitmask")
    return ProgramBlob(code, bitmask, jump_count, jump_width, jump_data)


def encode_program(
    code: bytes, opcodes: Sequence[int], jumps: Sequence[int] = (), jump_width: int | None = None
) -> bytes:
    """The blob of a program: the inverse of :func:`parse_program`.

    Args:
        code: instruction data.
        opcodes: positions of the opcodes in it, in any order.
        jumps: entries of the jump table.
        jump_width: octets an entry; by default as many as the largest needs.
    """
    if jump_width is None:
        jump_width = max(((entry.bit_length() + 7) // 8 for entry in jumps), default=0)
        jump_width = max(jump_width, 1) if jumps else 0
    bitmask = bytearray((len(code) + 7) // 8)
    for at in opcodes:
        bitmask[at // 8] |= 1 << (at % 8)
    table = b"".join(entry.to_bytes(jump_width, "little") for entry in jumps)
    head = encode_natural(len(jumps)) + bytes([jump_width]) + encode_natural(len(code))
    return head + table + code + bytes(bitmask)


def page_up(size: int) -> int:
    """``size`` rounded up to whole pages, P."""
    return -(-size // PAGE_SIZE) * PAGE_SIZE


def zone_up(size: int) -> int:
    """``size`` rounded up to whole major zones, Z."""
    return -(-size // ZONE_SIZE) * ZONE_SIZE


@dataclass(frozen=True, slots=True)
class StandardProgram:
    """A program in the standard format (section A.7): code and the memory it starts with.

    Attributes:
        read_only: **o**, the read-only data, less than 2^24 octets.
        read_write: **w**, the initial heap, less than 2^24 octets.
        heap_pages: *z*, pages of zeroes behind it.
        stack_size: *s*, octets of stack, less than 2^24.
        code: **c**, a program blob, which may be invalid.
    """

    read_only: bytes
    read_write: bytes
    heap_pages: int
    stack_size: int
    code: bytes

    @property
    def heap_start(self) -> int:
        """Address of the read-write data, *h* of ``sbrk``."""
        return 2 * ZONE_SIZE + zone_up(len(self.read_only))

    @property
    def heap_end(self) -> int:
        """Address of the first page behind the initial heap."""
        return self.heap_start + page_up(len(self.read_write)) + self.heap_pages * PAGE_SIZE

    @property
    def stack_end(self) -> int:
        """Address behind the stack."""
        return (1 << 32) - 2 * ZONE_SIZE - INPUT_SIZE

    @property
    def stack_start(self) -> int:
        """Address of the stack's lowest page."""
        return self.stack_end - page_up(self.stack_size)

    @property
    def argument_start(self) -> int:
        """Address of the argument data."""
        return (1 << 32) - ZONE_SIZE - INPUT_SIZE


def parse_standard(blob: bytes) -> StandardProgram:
    """Take a standard program apart, as Y does before it lays out memory.

    Raises:
        InvalidProgram: the conditions of Y cannot be met. The inner code is not judged.
    """
    reader = _Reader(blob)
    read_only_len = reader.fixed(3, "the header")
    read_write_len = reader.fixed(3, "the header")
    heap_pages = reader.fixed(2, "the header")
    stack_size = reader.fixed(3, "the header")
    read_only = reader.take(read_only_len, "the read-only data")
    read_write = reader.take(read_write_len, "the read-write data")
    code = reader.take(reader.fixed(4, "the code's length"), "the code")
    reader.end("the code")
    heap = zone_up(read_write_len + heap_pages * PAGE_SIZE)
    total = 5 * ZONE_SIZE + zone_up(read_only_len) + heap + zone_up(stack_size) + INPUT_SIZE
    if total > 1 << 32:
        raise InvalidProgram("the sections do not fit the address space", 6)
    return StandardProgram(read_only, read_write, heap_pages, stack_size, code)


def encode_standard(program: StandardProgram) -> bytes:
    """The blob of a standard program: the inverse of :func:`parse_standard`."""
    return b"".join(
        (
            len(program.read_only).to_bytes(3, "little"),
            len(program.read_write).to_bytes(3, "little"),
            program.heap_pages.to_bytes(2, "little"),
            program.stack_size.to_bytes(3, "little"),
            program.read_only,
            program.read_write,
            len(program.code).to_bytes(4, "little"),
            program.code,
        )
    )
