"""Entries of a state as a stream of portions, and the root of such a stream.

A portion is a byte string: for each entry the value's length in four little-endian octets, the key
(31), the value. Entries come in key order, so the Merkle root needs memory for the depth of the trie
only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from jamliquor._native import check, ffi, lib, take_buffer
from jamliquor.state.trie import KEY_BYTES, Trie

__all__ = ["ENTRY_HEAD_OCTETS", "Portion", "SortedRoot", "entries_of", "portions"]

ENTRY_HEAD_OCTETS: Final = 4 + KEY_BYTES
"""Octets of an entry in a portion before its value."""

_LAST_KEY = b"\xff" * KEY_BYTES


class Portion(NamedTuple):
    """Some entries that follow each other.

    Attributes:
        number: how many there are.
        octets: the encoded entries.
    """

    number: int
    octets: bytes


def portions(trie: Trie, size: int, after: bytes | None = None) -> Iterator[Portion]:
    """All entries of a trie, cut behind the entry that brings a portion to ``size`` octets.

    Args:
        after: begin with the first key behind this one.

    Raises:
        HostError: an entry cannot be read.
    """
    start = bytes(KEY_BYTES) if after is None else _next_key(after)
    last = ffi.new("uint8_t[]", KEY_BYTES)
    out = ffi.new("struct JamBuffer **")
    while start is not None:
        arguments = (start, len(start), size, last, out)
        count = check(lib.jam_trie_portion(trie.handle, *arguments))
        octets = take_buffer(out[0])
        if not count:
            return
        yield Portion(count, octets)
        start = _next_key(bytes(last))


def entries_of(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a portion that :meth:`SortedRoot.push` took."""
    at = 0
    while at < len(octets):
        middle = at + ENTRY_HEAD_OCTETS
        end = middle + int.from_bytes(octets[at : at + 4], "little")
        yield octets[at + 4 : middle], octets[middle:end]
        at = end


class SortedRoot:
    """Takes portions in key order and has the Merkle root of all their entries (appendix D.2).

    Attributes:
        count: how many entries came so far.
    """

    def __init__(self) -> None:
        out = ffi.new("struct JamRoot **")
        check(lib.jam_root_new(out))
        self._handle = ffi.gc(out[0], lib.jam_root_free)
        self.count = 0

    def push(self, octets: bytes) -> int:
        """Take a portion; returns the number of its entries.

        Raises:
            ValueError: it is malformed or its keys do not follow the ones before; take no more.
        """
        count = check(lib.jam_root_push(self._handle, octets, len(octets)))
        self.count += count
        return count

    @property
    def root(self) -> bytes:
        """The root of all entries so far, 32 octets."""
        return self._get()[0]

    @property
    def last_key(self) -> bytes | None:
        """The last key so far."""
        return self._get()[1] if self.count else None

    def _get(self) -> tuple[bytes, bytes]:
        root, last = ffi.new("uint8_t[32]"), ffi.new("uint8_t[]", KEY_BYTES)
        check(lib.jam_root_get(self._handle, root, last))
        return bytes(root), bytes(last)


def _next_key(key: bytes) -> bytes | None:
    if key == _LAST_KEY:
        return None
    return (int.from_bytes(key, "big") + 1).to_bytes(KEY_BYTES, "big")
