"""Validator secrets from one 32-byte seed (JIP-5)."""

from __future__ import annotations

from typing import Final

from jamliquor.crypto.hashing import blake2b

__all__ = ["DEV_ACCOUNTS", "bandersnatch_secret_seed", "ed25519_secret_seed", "trivial_seed"]

DEV_ACCOUNTS: Final = ("alice", "bob", "carol", "david", "eve", "fergie")
"""Names of the first development accounts, in the order of their indices."""


def trivial_seed(index: int) -> bytes:
    """The 32-byte seed of development account ``index``: for tests only, everybody knows it.

    Raises:
        OverflowError: the index is no 32-bit unsigned integer.
    """
    return index.to_bytes(4, "little") * 8


def ed25519_secret_seed(seed: bytes) -> bytes:
    """The seed of the validator's Ed25519 key, for :class:`jamliquor.crypto.ed25519.SecretKey`.

    Raises:
        ValueError: the seed has not 32 bytes.
    """
    return _derived(b"jam_val_key_ed25519", seed)


def bandersnatch_secret_seed(seed: bytes) -> bytes:
    """The seed of the validator's Bandersnatch key.

    Raises:
        ValueError: the seed has not 32 bytes.
    """
    return _derived(b"jam_val_key_bandersnatch", seed)


def _derived(label: bytes, seed: bytes) -> bytes:
    if len(seed) != 32:
        raise ValueError("a validator's seed has 32 bytes")
    return blake2b(label + seed)
