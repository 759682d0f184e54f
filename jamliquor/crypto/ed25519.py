"""Ed25519 signatures (section 3.8.2) by the rules of ZIP-215.

The cofactored equation decides, points may be encoded non-canonically, the scalar may not. These
rules make a batch hold exactly when each of its signatures holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from jamliquor._native import check, ffi, lib
from jamliquor.crypto._batch import first_of_wrong_length, joined
from jamliquor.crypto.errors import BadKey, BadSignature

__all__ = ["SecretKey", "check_key", "verify", "verify_batch"]


def check_key(public_key: bytes) -> None:
    """Check that 32 bytes are a point of the curve, canonically encoded or not (ZIP-215).

    Raises:
        BadKey: they are not, or the length is another.
    """
    if len(public_key) != 32 or check(lib.jam_ed25519_key_check(public_key)):
        raise BadKey


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check a 64-byte signature over ``message`` by a 32-byte public key.

    Raises:
        BadSignature: it does not hold, or a length is wrong.
    """
    if len(public_key) != 32 or len(signature) != 64:
        raise BadSignature
    if check(lib.jam_ed25519_verify(public_key, message, len(message), signature)):
        raise BadSignature


def verify_batch(items: Sequence[tuple[bytes, bytes, bytes]]) -> None:
    """Check triples of public key, message and signature in one native call.

    Raises:
        BadSignature: ``index`` is the position of the first that :func:`verify` refuses.
    """
    keys, messages, signatures = zip(*items, strict=True) if items else ((), (), ())
    malformed = [
        at
        for at in (first_of_wrong_length(keys, 32), first_of_wrong_length(signatures, 64))
        if at is not None
    ]
    if malformed:
        # An earlier item may be the first bad one.
        verify_batch(items[: min(malformed)])
        raise BadSignature(min(malformed))
    data, lengths = joined(messages)
    first_bad = ffi.new("uintptr_t *")
    if check(
        lib.jam_ed25519_verify_batch(
            b"".join(keys), data, lengths, b"".join(signatures), len(items), first_bad
        )
    ):
        raise BadSignature(int(first_bad[0]))


class SecretKey:
    """A signing key, held and wiped by the native core.

    Attributes:
        public: the 32-byte public key.
    """

    __slots__ = ("_handle", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise ValueError("an Ed25519 seed has 32 bytes")
        public = ffi.new("uint8_t[32]")
        handle = ffi.new("JamEd25519Secret **")
        check(lib.jam_ed25519_secret_new(seed, public, handle))
        self._handle = ffi.gc(handle[0], lib.jam_ed25519_secret_free)
        self.public = bytes(public)

    @classmethod
    def from_seed(cls, seed: bytes) -> SecretKey:
        """The key of a 32-byte seed (JIP-5's ``ed25519_secret_seed``).

        Raises:
            ValueError: the seed has another length.
        """
        return cls(seed)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over ``message``."""
        signature = ffi.new("uint8_t[64]")
        check(lib.jam_ed25519_sign(self._handle, message, len(message), signature))
        return bytes(signature)
