"""The signatures of one block: gathered by the chapters, verified together in the native core.

A chapter says which signature must hold and which error it would be; nothing is verified until
:meth:`SignatureChecks.verify`. All of it happens before a block is accepted, so a chapter may go on
as if its signatures held.
"""

from __future__ import annotations

from jamliquor.crypto import BadSignature, bandersnatch, ed25519, ring
from jamliquor.errors import InvalidBlock


class SignatureChecks:
    """What has to be verified for one block, with the error that each failure means."""

    def __init__(self) -> None:
        self._ed25519: list[tuple[bytes, bytes, bytes]] = []
        self._ed25519_errors: list[InvalidBlock] = []
        self._vrf: list[tuple[bytes, bytes, bytes, bytes]] = []
        self._vrf_errors: list[InvalidBlock] = []
        self._ring: dict[tuple[bytes, int], list[tuple[bytes, bytes, bytes]]] = {}
        self._ring_errors: dict[tuple[bytes, int], list[InvalidBlock]] = {}

    def ed25519(self, key: bytes, message: bytes, signature: bytes, error: InvalidBlock) -> None:
        """Demand an Ed25519 signature (section 3.8.2, verified by ZIP-215)."""
        self._ed25519.append((key, message, signature))
        self._ed25519_errors.append(error)

    def vrf(
        self, key: bytes, vrf_input: bytes, aux: bytes, signature: bytes, error: InvalidBlock
    ) -> None:
        """Demand a Bandersnatch signature of ``aux`` under the context ``vrf_input``."""
        self._vrf.append((key, vrf_input, aux, signature))
        self._vrf_errors.append(error)

    def ring(
        self,
        ring_root: bytes,
        ring_size: int,
        vrf_input: bytes,
        proof: bytes,
        error: InvalidBlock,
    ) -> None:
        """Demand a ring proof by some member of the ring that ``ring_root`` commits to."""
        group = (ring_root, ring_size)
        self._ring.setdefault(group, []).append((vrf_input, b"", proof))
        self._ring_errors.setdefault(group, []).append(error)

    def verify(self) -> None:
        """Verify everything that was demanded.

        Raises:
            InvalidBlock: the error that was given with the first failing signature.
        """
        try:
            errors = self._vrf_errors
            if self._vrf:
                bandersnatch.verify_many(self._vrf)
            errors = self._ed25519_errors
            if self._ed25519:
                ed25519.verify_batch(self._ed25519)
            for (ring_root, ring_size), items in self._ring.items():
                errors = self._ring_errors[ring_root, ring_size]
                ring.verify_batch(ring_root, ring_size, items)
        except BadSignature as bad:
            raise errors[bad.index] from None
