"""Signatures and ring proofs of ours, verified by an implementation that shares no code with ours."""

from __future__ import annotations

import pytest

from jamliquor.crypto import bandersnatch, ring
from jamliquor.crypto.key_derivation import bandersnatch_secret_seed, trivial_seed

other = pytest.importorskip("dot_ring", reason="dot-ring has no wheel for this platform")

CONTEXT = b"jam_ticket_seal" + bytes(range(32)) + b"\1"
SECRETS = [
    bandersnatch.SecretKey.from_seed(bandersnatch_secret_seed(trivial_seed(index)))
    for index in range(6)
]
KEYS = [secret.public for secret in SECRETS]


def test_a_signature() -> None:
    signature = SECRETS[2].sign(CONTEXT, b"message")
    subject = other.IETF_VRF[other.Bandersnatch].from_bytes(signature)
    assert subject.verify(KEYS[2], CONTEXT, b"message")
    assert not subject.verify(KEYS[2], CONTEXT, b"another")
    assert not subject.verify(KEYS[3], CONTEXT, b"message")


def test_a_ring_and_a_proof_in_it() -> None:
    members = other.Ring(KEYS)
    root = other.RingRoot.from_ring(members)
    assert root.to_bytes() == ring.commitment(KEYS)
    proof = SECRETS[2].prove(KEYS, 2, CONTEXT, b"")
    subject = other.RingVRF[other.Bandersnatch].from_bytes(proof)
    assert subject.verify(CONTEXT, b"", members, root)
    assert not subject.verify(CONTEXT + b"x", b"", members, root)
    foreign = other.Ring(KEYS[:5])
    assert not subject.verify(CONTEXT, b"", foreign, other.RingRoot.from_ring(foreign))


def test_a_proof_of_theirs_by_us() -> None:
    members = other.Ring(KEYS)
    _, scalar = other.secret_from_seed(bandersnatch_secret_seed(trivial_seed(4)), other.Bandersnatch)
    proof = other.RingVRF[other.Bandersnatch].prove(CONTEXT, b"", scalar, KEYS[4], members)
    expected = SECRETS[4].output(CONTEXT)
    assert ring.verify_batch(ring.commitment(KEYS), 6, [(CONTEXT, b"", proof.to_bytes())]) == [expected]
