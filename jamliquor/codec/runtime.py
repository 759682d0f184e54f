"""The functions that generated encoders and decoders call."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sized
from typing import Any


class Refusal(Exception):
    """Raised by generated code; the compiler's front adds where it happened."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode_natural(data: bytes, pos: int) -> tuple[int, int]:
    """A general natural at ``pos`` and the offset behind it (appendix C.1.1).

    Raises:
        Refusal: truncated, or longer than the value needs.
    """
    first = data[pos]
    extra = 8 if first == 0xFF else _EXTRA_OCTETS[first]
    end = pos + 1 + extra
    if end > len(data):
        raise Refusal("truncated")
    low = int.from_bytes(data[pos + 1 : end], "little")
    if extra == 8:
        value, least = low, 1 << 56
    else:
        value = ((first - (256 - (1 << (8 - extra)))) << (8 * extra)) + low
        least = 1 << (7 * extra) if extra else 0
    if value < least:
        raise Refusal("natural not in its shortest form")
    return value, end


# Number of leading one bits of an octet: how many octets follow it.
_EXTRA_OCTETS = tuple(
    next((bit for bit in range(8) if not octet & (0x80 >> bit)), 8) for octet in range(256)
)

_ONE_OCTET = {value: bytes((value,)) for value in range(128)}


def encode_natural(value: int) -> bytes:
    """The shortest form of a natural below 2^64.

    Raises:
        ValueError: ``value`` is negative or too large.
    """
    if 0 <= value < 128:
        return _ONE_OCTET[value]
    if value < 0 or value >> 64:
        raise ValueError(f"{value} is not a natural below 2^64")
    extra = (value.bit_length() - 1) // 7
    if extra >= 8:
        return b"\xff" + value.to_bytes(8, "little")
    high, low = divmod(value, 1 << (8 * extra))
    return bytes((256 - (1 << (8 - extra)) + high,)) + low.to_bytes(extra, "little")


def exact(value: bytes, size: int) -> bytes:
    """``value`` if it has ``size`` octets; raises ValueError otherwise."""
    if len(value) != size:
        raise ValueError(f"{len(value)} octets where {size} belong")
    return value


def same_size(values: Collection[bytes], size: int) -> bytes:
    """Octet strings of one size without anything between; raises ValueError if one has another."""
    if not frozenset((size,)).issuperset(map(len, values)):
        raise ValueError(f"octet strings of other sizes where {size} octets belong")
    return b"".join(values)


def exact_bits(value: bytes, count: int) -> bytes:
    """``value`` if it packs ``count`` bits with zero padding; raises ValueError otherwise."""
    exact(value, (count + 7) // 8)
    if count % 8 and value[-1] >> (count % 8):
        raise ValueError(f"bits beyond the {count} that belong")
    return value


def counted(value: Sized, count: int) -> bytes:
    """Nothing, if ``value`` has ``count`` items; raises ValueError otherwise."""
    if len(value) != count:
        raise ValueError(f"{len(value)} items where {count} belong")
    return b""


def wrong_size(record: str) -> ValueError:
    """The error for an octet string of a wrong size in a record."""
    return ValueError(f"a field of {record} has the wrong number of octets")


def no_case(value: Any) -> bytes:
    """Raises ValueError: no alternative of a choice fits ``value``."""
    raise ValueError(f"no discriminator stands for {type(value).__name__} {value!r:.40}")


def ascending(items: tuple[Any, ...]) -> frozenset[Any]:
    """The items as a set; raises Refusal unless they were strictly ascending."""
    for before, after in itertools.pairwise(items):
        if before >= after:
            raise Refusal("items of a set not in ascending order")
    return frozenset(items)


def ascending_pairs(pairs: tuple[tuple[Any, Any], ...]) -> dict[Any, Any]:
    """The pairs as a dictionary; raises Refusal unless the keys were strictly ascending."""
    for before, after in itertools.pairwise(pairs):
        if before[0] >= after[0]:
            raise Refusal("keys of a dictionary not in ascending order")
    return dict(pairs)


NAMES: dict[str, Any] = {
    "ascending": ascending,
    "ascending_pairs": ascending_pairs,
    "counted": counted,
    "decode_natural": decode_natural,
    "encode_natural": encode_natural,
    "exact": exact,
    "exact_bits": exact_bits,
    "new": tuple.__new__,
    "one_octet": _ONE_OCTET.get,
    "no_case": no_case,
    "refuse": Refusal,
    "same_size": same_size,
    "wrong_size": wrong_size,
}
