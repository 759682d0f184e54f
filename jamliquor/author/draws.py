"""Choices that a seed decides: each has a name, so that new ones change none of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from jamliquor.crypto.hashing import blake2b

__all__ = ["Draws"]

T = TypeVar("T")
_WHOLE: Final = 1 << 64


class Draws:
    """Draws of one seed, for one purpose: the same names give the same values.

    Args:
        seed: any integer from 0 to 2^64 - 1.
    """

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = b"jamliquor draws" + seed.to_bytes(8, "little")

    def octets(self, count: int, *name: str | int) -> bytes:
        """``count`` octets."""
        label = "/".join(map(str, name)).encode()
        blocks = range(-(-count // 32))
        drawn = [blake2b(self._seed + at.to_bytes(4, "little") + label) for at in blocks]
        return b"".join(drawn)[:count]

    def below(self, limit: int, *name: str | int) -> int:
        """An integer from 0 to ``limit`` - 1, nearly uniform for small limits."""
        return int.from_bytes(self.octets(8, *name), "little") % limit

    def chance(self, probability: float, *name: str | int) -> bool:
        """Whether something of that probability happens."""
        return self.below(_WHOLE, *name) < probability * _WHOLE

    def choice(self, items: Sequence[T], *name: str | int) -> T:
        """One of the items."""
        return items[self.below(len(items), *name)]
