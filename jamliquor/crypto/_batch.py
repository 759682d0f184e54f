"""How batches cross the native door: parts of one kind one after the other, with their lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jamliquor._native import ffi


def joined(strings: Sequence[bytes]) -> tuple[bytes, Any]:
    """Strings as one, and their lengths as a native array of 32-bit numbers."""
    return b"".join(strings), ffi.new("uint32_t[]", [len(string) for string in strings])


def first_of_wrong_length(strings: Iterable[bytes], length: int) -> int | None:
    """Position of the first string that has another length, if there is one."""
    return next((at for at, string in enumerate(strings) if len(string) != length), None)


def outputs_of(buffer: Any, count: int) -> list[bytes]:
    """The 32-byte outputs that a batch call wrote."""
    data = bytes(ffi.buffer(buffer, count * 32))
    return [data[at : at + 32] for at in range(0, len(data), 32)]
