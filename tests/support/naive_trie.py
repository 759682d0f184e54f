"""The state trie as appendix D writes it, over a plain dictionary: slow, and easy to believe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b

Bits = tuple[int, ...]

MOST_SIGNIFICANT_FIRST = range(7, -1, -1)
"""The order of a byte's bits in the paper (section 3.7.3): shifts, first bit first."""

LEAST_SIGNIFICANT_FIRST = range(8)
"""The order that the trie vectors were made with."""


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def _bits(data: bytes, order: range) -> Bits:
    return tuple(byte >> shift & 1 for byte in data for shift in order)


def _bytes(bits: Bits, order: range) -> bytes:
    places = range(0, len(bits), 8)
    return bytes(sum(bits[at + i] << shift for i, shift in enumerate(order)) for at in places)


def _branch(left: bytes, right: bytes, order: range) -> Bits:
    """Function B."""
    return (0, *_bits(left, order)[1:], *_bits(right, order))


def _leaf(key: bytes, value: bytes, order: range) -> Bits:
    """Function L."""
    if len(value) <= 32:
        six_bits = tuple(len(value) >> shift & 1 for shift in order if shift < 6)
        return (1, 0, *six_bits, *_bits(key + value.ljust(32, b"\0"), order))
    return (1, 1, 0, 0, 0, 0, 0, 0, *_bits(key + _hash(value), order))


def merklize(entries: Mapping[bytes, bytes], order: range = MOST_SIGNIFICANT_FIRST) -> bytes:
    """Function M over the entries by the bits of their keys."""

    def m(d: Mapping[Bits, tuple[bytes, bytes]]) -> bytes:
        if not d:
            return bytes(32)
        if len(d) == 1:
            [(key, value)] = d.values()
            return _hash(_bytes(_leaf(key, value, order), order))
        left = {b[1:]: p for b, p in d.items() if b[0] == 0}
        right = {b[1:]: p for b, p in d.items() if b[0] == 1}
        return _hash(_bytes(_branch(m(left), m(right), order), order))

    return m({_bits(key, order): (key, value) for key, value in entries.items()})


class NaiveTrie:
    """The interface of ``jamliquor.state.trie.Trie``."""

    def __init__(self, entries: Mapping[bytes, bytes]) -> None:
        self.entries = dict(sorted(entries.items()))

    @classmethod
    def empty(cls) -> NaiveTrie:
        return cls({})

    @classmethod
    def from_entries(cls, entries: Iterable[tuple[bytes, bytes]]) -> NaiveTrie:
        return cls(dict(entries))

    @property
    def root(self) -> bytes:
        return merklize(self.entries)

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    def apply(self, changes: Mapping[bytes, bytes | None]) -> NaiveTrie:
        merged = {**self.entries, **changes}
        return NaiveTrie({key: value for key, value in merged.items() if value is not None})

    def items(self, start: bytes = b"", limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        return iter([item for item in self.entries.items() if item[0] >= start][:limit])

    def items_with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter([item for item in self.entries.items() if item[0].startswith(prefix)])

    def changed_keys(self, other: NaiveTrie) -> list[bytes]:
        keys = sorted({*self.entries, *other.entries})
        return [key for key in keys if self.get(key) != other.get(key)]

    def __len__(self) -> int:
        return len(self.entries)
