"""Bandersnatch VRF signatures (section 3.8.2, appendix G): 96 bytes over a context and a message.

The context determines the signature's 32-byte output; the message does not.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from jamliquor._native import check, ffi, lib
from jamliquor.crypto._batch import first_of_wrong_length, joined, outputs_of
from jamliquor.crypto.errors import BadKey, BadSignature

__all__ = [
    "KeyCounters",
    "SecretKey",
    "check_key",
    "key_counters",
    "output",
    "prepare",
    "release_prover",
    "verify",
    "verify_many",
]

_SIGNATURE = 96
_PROOF = 784

#: Provers kept, each bound to one position of one ring: an author signs many tickets in one ring.
_PROVERS = 1


class KeyCounters(NamedTuple):
    """Figures of the cache of decoded public keys, 32 at most, since the process began.

    Attributes:
        hits: signatures whose key was kept.
        misses: signatures whose key had to be decoded.
        kept: keys kept now.
    """

    hits: int
    misses: int
    kept: int


def key_counters() -> KeyCounters:
    """Figures of the cache of decoded public keys."""
    words = ffi.new("uint64_t[3]")
    check(lib.jam_vrf_key_counters(words))
    return KeyCounters(*words)


def prepare() -> None:
    """Make the tables that the first verification would otherwise wait for; quick when repeated."""
    check(lib.jam_vrf_prepare())


def check_key(public_key: bytes) -> None:
    """Check that 32 bytes are a point of the prime-order subgroup.

    Raises:
        BadKey: they are not, or the length is another.
    """
    if len(public_key) != 32 or check(lib.jam_vrf_key_check(public_key)):
        raise BadKey


def verify(public_key: bytes, vrf_input: bytes, aux: bytes, signature: bytes) -> bytes:
    """Check a signature over context ``vrf_input`` and message ``aux``; its 32-byte output.

    Raises:
        BadSignature: it does not hold, a length is wrong, or the key is no point of the subgroup.
    """
    return verify_many([(public_key, vrf_input, aux, signature)])[0]


def verify_many(items: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> list[bytes]:
    """Check several (public key, context, message, signature) in one native call; their outputs.

    Raises:
        BadSignature: ``index`` is the position of the first that :func:`verify` refuses.
    """
    keys, inputs, messages, signatures = zip(*items, strict=True) if items else ((), (), (), ())
    malformed = [
        at
        for at in (first_of_wrong_length(keys, 32), first_of_wrong_length(signatures, _SIGNATURE))
        if at is not None
    ]
    if malformed:
        # An earlier item may be the first bad one.
        verify_many(items[: min(malformed)])
        raise BadSignature(min(malformed))
    outputs = ffi.new("uint8_t[]", 32 * len(items))
    first_bad = ffi.new("uintptr_t *")
    verdict = lib.jam_vrf_verify_batch(
        b"".join(keys),
        *joined(inputs),
        *joined(messages),
        b"".join(signatures),
        len(items),
        outputs,
        first_bad,
    )
    if check(verdict):
        raise BadSignature(int(first_bad[0]))
    return outputs_of(outputs, len(items))


def output(signature: bytes) -> bytes:
    """The 32-byte output (the paper's ``Y``) that a signature or ring proof claims.

    It says nothing about validity: only after verification is it the output of a member's key.

    Raises:
        BadSignature: the length is neither 96 nor 784.
    """
    if len(signature) not in (_SIGNATURE, _PROOF):
        raise BadSignature
    out = ffi.new("uint8_t[32]")
    check(lib.jam_vrf_output(signature, out))
    return bytes(out)


class SecretKey:
    """A secret scalar, held and wiped by the native core.

    Attributes:
        public: the 32-byte public key.
    """

    __slots__ = ("_handle", "public")

    def __init__(self, seed: bytes) -> None:
        public = ffi.new("uint8_t[32]")
        handle = ffi.new("JamVrfSecret **")
        check(lib.jam_vrf_secret_new(seed, len(seed), public, handle))
        self._handle = ffi.gc(handle[0], lib.jam_vrf_secret_free)
        self.public = bytes(public)

    @classmethod
    def from_seed(cls, seed: bytes) -> SecretKey:
        """The key of a seed of any length (JIP-5's ``bandersnatch_secret_seed`` has 32 bytes)."""
        return cls(seed)

    def sign(self, vrf_input: bytes, aux: bytes) -> bytes:
        """The 96-byte signature over context ``vrf_input`` and message ``aux``; deterministic."""
        signature = ffi.new(f"uint8_t[{_SIGNATURE}]")
        check(lib.jam_vrf_sign(self._handle, vrf_input, len(vrf_input), aux, len(aux), signature))
        return bytes(signature)

    def output(self, vrf_input: bytes) -> bytes:
        """The 32-byte output that all signatures and proofs over ``vrf_input`` have."""
        out = ffi.new("uint8_t[32]")
        check(lib.jam_vrf_secret_output(self._handle, vrf_input, len(vrf_input), out))
        return bytes(out)

    def prove(self, ring_keys: Sequence[bytes], index: int, vrf_input: bytes, aux: bytes) -> bytes:
        """A 784-byte proof that some key of the ring signed.

        It is blinded by what derives from the secret and all arguments, so it is deterministic.

        Args:
            ring_keys: the ring's 32-byte keys, in the order of its commitment.
            index: position of this key among them.
            vrf_input: the context.
            aux: the message.

        Raises:
            ValueError: the key at ``index`` is not this one, or no proof can be made for this ring
                (malformed keys, too many, or the neutral point among them).
        """
        if first_of_wrong_length(ring_keys, 32) is not None:
            raise ValueError("a Bandersnatch key has 32 bytes")
        proof = ffi.new(f"uint8_t[{_PROOF}]")
        check(
            lib.jam_ring_prove(
                _prover(b"".join(ring_keys), index),
                self._handle,
                vrf_input,
                len(vrf_input),
                aux,
                len(aux),
                proof,
            )
        )
        return bytes(proof)


def release_prover() -> None:
    """Let go of the last ring's prover: 1 MB on the tiny chain, 6 MB on the full one.

    The next proof makes another.
    """
    _prover.cache_clear()


@functools.lru_cache(maxsize=_PROVERS)
def _prover(ring_keys: bytes, index: int) -> Any:
    if index < 0:
        raise ValueError("the ring has no prover for this position")
    handle = ffi.new("JamRingProver **")
    check(lib.jam_ring_prover_new(ring_keys, len(ring_keys) // 32, index, handle))
    return ffi.gc(handle[0], lib.jam_ring_prover_free)
