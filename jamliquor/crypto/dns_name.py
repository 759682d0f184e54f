"""The name of a node: its Ed25519 key in letters, as certificates and chain specifications use it.

An ``e`` and 52 letters of base 32, the lowest five bits of the key first (JIP-4, JAMNP-S).
"""

from __future__ import annotations

from typing import Final

__all__ = ["dns_name", "public_key"]

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_LETTERS: Final = 52


def dns_name(ed25519: bytes) -> str:
    """The 53-letter name of a 32-octet Ed25519 public key.

    Raises:
        ValueError: the key has another length.
    """
    if len(ed25519) != 32:
        raise ValueError("an Ed25519 key has 32 octets")
    number = int.from_bytes(ed25519, "little")
    return "e" + "".join([_ALPHABET[number >> 5 * at & 31] for at in range(_LETTERS)])


def public_key(name: str) -> bytes:
    """The 32-octet Ed25519 key that a name stands for; whether it is a point is not looked at.

    Raises:
        ValueError: this is no such name, and why.
    """
    if len(name) != _LETTERS + 1:
        raise ValueError(f"a name has {_LETTERS + 1} letters, not {len(name)}")
    if name[0] != "e":
        raise ValueError("a name starts with e")
    number = 0
    for letter in reversed(name[1:]):
        digit = _ALPHABET.find(letter)
        if digit < 0:
            raise ValueError(f"names have no {letter!r}")
        number = number << 5 | digit
    if number >> 256:
        raise ValueError("the last letter stands for more bits than a key has")
    return number.to_bytes(32, "little")
