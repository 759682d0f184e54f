"""The Fisher-Yates shuffle (appendix F)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeVar

from jamliquor.crypto.hashing import blake2b

__all__ = ["shuffle", "shuffle_by"]

T = TypeVar("T")


def shuffle(items: Sequence[T], entropy: bytes) -> list[T]:
    """The items in the order that a hash (32 bytes) gives them."""
    return shuffle_by(items, _numbers(len(items), entropy))


def shuffle_by(items: Sequence[T], numbers: Sequence[int]) -> list[T]:
    """The items in the order that naturals give them, at least one for each item.

    Raises:
        IndexError: there are fewer numbers than items.
    """
    pool = list(items)
    shuffled = []
    for turn in range(len(items)):
        chosen = numbers[turn] % len(pool)
        shuffled.append(pool[chosen])
        pool[chosen] = pool[-1]
        pool.pop()
    return shuffled


def _numbers(count: int, entropy: bytes) -> list[int]:
    """Function Q: 32-bit naturals from a hash, eight of them from each hash of it and a counter."""
    numbers: list[int] = []
    for block in range((count + 7) // 8):
        numbers += struct.unpack("<8I", blake2b(entropy + block.to_bytes(4, "little")))
    return numbers[:count]
