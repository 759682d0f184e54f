"""Ring commitments and ring proofs over Bandersnatch (appendix G)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from jamliquor._native import check, ffi, lib
from jamliquor.crypto._batch import first_of_wrong_length, joined, outputs_of
from jamliquor.crypto.errors import BadRingProof

__all__ = [
    "cache_info",
    "commitment",
    "prepare",
    "prepare_uncached",
    "verifier",
    "verify_batch",
]

_COMMITMENT = 144
_PROOF = 784

#: Verifiers kept, 40 KB each: the current epoch's ring, and others for forks around a change.
_VERIFIERS = 4


def commitment(keys: Sequence[bytes]) -> bytes:
    """The 144-byte commitment to a ring of 32-byte keys (the paper's function O, appendix G).

    Keys that are no points of the curve count as the padding point; points outside the subgroup of
    prime order stand as they are.

    Raises:
        ValueError: a key has another length, or there are more than 1791.
    """
    if first_of_wrong_length(keys, 32) is not None:
        raise ValueError("a Bandersnatch key has 32 bytes")
    out = ffi.new(f"uint8_t[{_COMMITMENT}]")
    check(lib.jam_ring_commitment(b"".join(keys), len(keys), out))
    return bytes(out)


def verify_batch(
    ring_commitment: bytes, ring_size: int, items: Sequence[tuple[bytes, bytes, bytes]]
) -> list[bytes]:
    """Check triples of context, message and 784-byte proof in one native call; their outputs.

    Args:
        ring_commitment: the 144-byte commitment to the ring.
        ring_size: number of keys it was made from; it selects the proof system's domain.
        items: the claims. Each gets the verdict it would get alone.

    Raises:
        BadRingProof: ``index`` is the position of the first that does not hold.
        ValueError: the ring is larger than the reference string allows.
    """
    if not items:
        return []
    inputs, messages, proofs = zip(*items, strict=True)
    malformed = first_of_wrong_length(proofs, _PROOF)
    if malformed is not None:
        # An earlier item may be the first bad one.
        verify_batch(ring_commitment, ring_size, items[:malformed])
        raise BadRingProof(malformed)
    outputs = ffi.new("uint8_t[]", 32 * len(items))
    first_bad = ffi.new("uintptr_t *")
    verdict = lib.jam_ring_verify_batch(
        verifier(ring_commitment, ring_size),
        *joined(inputs),
        *joined(messages),
        b"".join(proofs),
        len(items),
        outputs,
        first_bad,
    )
    if check(verdict):
        raise BadRingProof(int(first_bad[0]))
    return outputs_of(outputs, len(items))


def cache_info() -> tuple[int, int, int, int]:
    """Hits, misses, limit and size of the cache of verifiers."""
    info = verifier.cache_info()
    return info.hits, info.misses, _VERIFIERS, info.currsize


def prepare_uncached(ring_commitment: bytes, ring_size: int) -> Any:
    """The native verifier for a commitment, made anew: what a ring costs when it is first met.

    Raises:
        BadRingProof: the commitment does not decode.
        ValueError: the ring is larger than the reference string allows.
    """
    if len(ring_commitment) != _COMMITMENT:
        raise BadRingProof
    handle = ffi.new("JamRingVerifier **")
    if check(lib.jam_ring_verifier_new(ring_commitment, ring_size, handle)):
        raise BadRingProof
    return ffi.gc(handle[0], lib.jam_ring_verifier_free)


def prepare(ring_commitment: bytes, ring_size: int) -> None:
    """Make the verifier of a ring now, rather than with its first proof.

    Raises:
        BadRingProof, ValueError: as :func:`prepare_uncached`.
    """
    verifier(ring_commitment, ring_size)


verifier = functools.lru_cache(maxsize=_VERIFIERS)(prepare_uncached)
"""The native verifier for a commitment, as :func:`prepare_uncached` makes it; kept."""
