"""Signatures verified by a thread of the native core while their caller does something else."""

from __future__ import annotations

from collections.abc import Sequence

from jamliquor._native import check, ffi, lib
from jamliquor.crypto import ring
from jamliquor.crypto._batch import joined

__all__ = ["Checks"]


class Checks:
    """Batches of signatures: added, started once, joined once.

    Keys and signatures must have their kind's length, which decoded blocks see to. Everything is
    copied. What the thread has not done by the time of the join, the calling thread does.
    """

    __slots__ = ("_handle",)

    def __init__(self) -> None:
        out = ffi.new("JamChecks **")
        check(lib.jam_checks_new(out))
        self._handle = ffi.gc(out[0], lib.jam_checks_free)

    def add_vrf(self, items: Sequence[tuple[bytes, bytes, bytes, bytes]]) -> None:
        """Add what :func:`jamliquor.crypto.bandersnatch.verify_many` takes."""
        keys, inputs, messages, signatures = zip(*items, strict=True)
        self._check_sizes(items, key=32, signature=96)
        check(
            lib.jam_checks_add_vrf(
                self._handle,
                b"".join(keys),
                *joined(inputs),
                *joined(messages),
                b"".join(signatures),
                len(items),
            )
        )

    def add_ed25519(self, items: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        """Add what :func:`jamliquor.crypto.ed25519.verify_batch` takes."""
        keys, messages, signatures = zip(*items, strict=True)
        self._check_sizes(items, key=32, signature=64)
        check(
            lib.jam_checks_add_ed25519(
                self._handle,
                b"".join(keys),
                *joined(messages),
                b"".join(signatures),
                len(items),
            )
        )

    def add_ring(
        self, ring_commitment: bytes, ring_size: int, items: Sequence[tuple[bytes, bytes, bytes]]
    ) -> None:
        """Add what :func:`jamliquor.crypto.ring.verify_batch` takes.

        Raises:
            BadRingProof: the commitment does not decode, so no proof can hold.
            ValueError: the ring is larger than the reference string allows.
        """
        inputs, messages, proofs = zip(*items, strict=True)
        self._check_sizes(items, key=None, signature=784)
        check(
            lib.jam_checks_add_ring(
                self._handle,
                ring.verifier(ring_commitment, ring_size),
                *joined(inputs),
                *joined(messages),
                b"".join(proofs),
                len(items),
            )
        )

    def start(self) -> None:
        """Begin with everything that was added, in its order."""
        check(lib.jam_checks_start(self._handle))

    def join(self) -> tuple[int, int] | None:
        """Batch and position of the first item that does not hold; None when all hold."""
        found = ffi.new("uintptr_t[2]")
        if check(lib.jam_checks_join(self._handle, found, found + 1)):
            return int(found[0]), int(found[1])
        return None

    @staticmethod
    def _check_sizes(items: Sequence[tuple[bytes, ...]], *, key: int | None, signature: int) -> None:
        for item in items:
            if len(item[-1]) != signature or (key is not None and len(item[0]) != key):
                raise ValueError("a key or signature of another length")
