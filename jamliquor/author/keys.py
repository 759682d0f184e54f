"""The secrets of validators, found by the public keys that a state names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jamliquor.crypto import bandersnatch, ed25519
from jamliquor.crypto.key_derivation import bandersnatch_secret_seed, ed25519_secret_seed
from jamliquor.types.state import ValidatorKeys


class ValidatorSecret(NamedTuple):
    """One validator's secret keys, held by the native core."""

    bandersnatch: bandersnatch.SecretKey
    ed25519: ed25519.SecretKey

    @classmethod
    def from_seed(cls, seed: bytes) -> ValidatorSecret:
        """The secrets of a 32-octet seed (JIP-5).

        Raises:
            ValueError: the seed has another length.
        """
        return cls(
            bandersnatch.SecretKey.from_seed(bandersnatch_secret_seed(seed)),
            ed25519.SecretKey.from_seed(ed25519_secret_seed(seed)),
        )

    def keys(self, *, bls: bytes = bytes(144), metadata: bytes = bytes(128)) -> ValidatorKeys:
        """The public keys as a validator set has them (equation 6.8)."""
        return ValidatorKeys(self.bandersnatch.public, self.ed25519.public, bls, metadata)


class Keyring:
    """The secrets at hand, whoever they belong to."""

    __slots__ = ("_bandersnatch", "_ed25519")

    def __init__(self, secrets: Iterable[ValidatorSecret]) -> None:
        held = tuple(secrets)
        self._bandersnatch = {secret.bandersnatch.public: secret.bandersnatch for secret in held}
        self._ed25519 = {secret.ed25519.public: secret.ed25519 for secret in held}

    def bandersnatch(self, public: bytes) -> bandersnatch.SecretKey | None:
        """The secret of a 32-octet Bandersnatch key, or None."""
        return self._bandersnatch.get(public)

    def ed25519(self, public: bytes) -> ed25519.SecretKey | None:
        """The secret of a 32-octet Ed25519 key, or None."""
        return self._ed25519.get(public)
