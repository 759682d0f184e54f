"""The signatures of one block: gathered by the chapters, verified together in the native core.

A chapter says which signature must hold and which error it would be; nothing is verified until
:meth:`SignatureChecks.start`. All of it has happened before a block is accepted, so a chapter may go
on as if its signatures held. Which error a block with several faults gets does not depend on whether
a thread does part of the work: that of the first failing signature wins over those of chapters that
come after the start.
"""

from __future__ import annotations

from jamliquor.crypto import BadSignature, background, bandersnatch, ed25519, ring
from jamliquor.errors import InvalidBlock


class SignatureChecks:
    """What has to be verified for one block, with the error that each failure means.

    An error is taken out of its list when it is raised: else it and its frames, with the states in
    them, would hold each other until the collector comes.
    """

    def __init__(self) -> None:
        self._ed25519: list[tuple[bytes, bytes, bytes]] = []
        self._ed25519_errors: list[InvalidBlock] = []
        self._vrf: list[tuple[bytes, bytes, bytes, bytes]] = []
        self._vrf_errors: list[InvalidBlock] = []
        self._ring: dict[tuple[bytes, int], list[tuple[bytes, bytes, bytes]]] = {}
        self._ring_errors: dict[tuple[bytes, int], list[InvalidBlock]] = {}
        self._background: tuple[background.Checks, list[list[InvalidBlock]]] | None = None

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

    def start(self, *, parallel: bool, seal_first: bool = False) -> None:
        """Verify, or begin to in a thread; :meth:`join` must follow before anything is accepted.

        Ring proofs take longer than the rest, so they go to the thread if there are any, else
        everything does.

        Args:
            parallel: whether there is a core to spare.
            seal_first: verify the seal, which is the first Bandersnatch signature demanded, before
                returning, so that nobody but the slot's validator can make this machine run guests.

        Raises:
            InvalidBlock: as :meth:`join`.
        """
        if not parallel:
            self.verify()
            return
        if seal_first:
            seal, self._vrf = self._vrf[:1], self._vrf[1:]
            error, self._vrf_errors = self._vrf_errors[:1], self._vrf_errors[1:]
            _verify_vrf(seal, error)
        self._begin(with_ring=bool(self._ring))
        if self._ring:
            self._verify_plain()

    def join(self) -> None:
        """Wait for what :meth:`start` left to a thread.

        Raises:
            InvalidBlock: the error that was given with the first failing signature.
        """
        if self._background is None:
            return
        checks, errors = self._background
        self._background = None
        bad = checks.join()
        if bad is not None:
            batch, position = bad
            raise errors[batch].pop(position)

    def verify(self) -> None:
        """Verify everything that was demanded.

        Raises:
            InvalidBlock: the error that was given with the first failing signature.
        """
        self._verify_plain()
        for group, items in self._ring.items():
            try:
                ring.verify_batch(*group, items)
            except BadSignature as bad:
                raise self._ring_errors[group].pop(bad.index) from None

    def _verify_plain(self) -> None:
        _verify_vrf(self._vrf, self._vrf_errors)
        try:
            if self._ed25519:
                ed25519.verify_batch(self._ed25519)
        except BadSignature as bad:
            raise self._ed25519_errors.pop(bad.index) from None

    def _begin(self, *, with_ring: bool) -> None:
        checks = background.Checks()
        errors = []
        if with_ring:
            for group, items in self._ring.items():
                try:
                    checks.add_ring(*group, items)
                except BadSignature:
                    # What holds before it in the order of verification is judged first.
                    self._verify_plain()
                    raise self._ring_errors[group].pop(0) from None
                errors.append(self._ring_errors[group])
        else:
            # One by one, so that the caller who comes to join can take the one that is not begun.
            for item, error in zip(self._vrf, self._vrf_errors, strict=True):
                checks.add_vrf([item])
                errors.append([error])
            if self._ed25519:
                checks.add_ed25519(self._ed25519)
                errors.append(self._ed25519_errors)
        if errors:
            checks.start()
            self._background = checks, errors


def _verify_vrf(items: list[tuple[bytes, bytes, bytes, bytes]], errors: list[InvalidBlock]) -> None:
    try:
        if items:
            bandersnatch.verify_many(items)
    except BadSignature as bad:
        raise errors.pop(bad.index) from None
