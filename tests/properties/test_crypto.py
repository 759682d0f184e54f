"""Batches judge as single verifications do, whatever they are mixed from."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jamliquor.crypto import BadSignature, bandersnatch, ed25519, key_derivation, ring
from tests.support import ed25519_reference as reference

#: Points whose order divides 8, canonical or not: they carry the cases in which rules differ.
SMALL_ORDER = [
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
]


@functools.cache
def signer(index: int) -> ed25519.SecretKey:
    return ed25519.SecretKey.from_seed(
        key_derivation.ed25519_secret_seed(key_derivation.trivial_seed(index))
    )


@st.composite
def signed(draw) -> tuple[bytes, bytes, bytes]:
    """A signature that holds, one that does not, or one around a point of small order."""
    secret, message = signer(draw(st.integers(0, 3))), draw(st.binary(max_size=9))
    kind = draw(st.sampled_from(["good", "other message", "torsion in R", "small order", "noise"]))
    signature = secret.sign(message)
    if kind == "other message":
        return secret.public, message + b"!", signature
    if kind == "torsion in R":
        # Changes R, hence the challenge: only a cofactored signer could make it hold.
        r = reference.decode(signature[:32])
        twist = reference.decode(draw(st.sampled_from(SMALL_ORDER)))
        assert r is not None
        assert twist is not None
        return secret.public, message, reference.encode(reference.add(r, twist)) + signature[32:]
    if kind == "small order":
        key, r = draw(st.sampled_from(SMALL_ORDER)), draw(st.sampled_from(SMALL_ORDER))
        return key, message, r + draw(st.sampled_from([bytes(32), signature[32:]]))
    if kind == "noise":
        return secret.public, message, draw(st.binary(min_size=0, max_size=64))
    return secret.public, message, signature


@settings(max_examples=60, deadline=None)
@given(st.lists(signed(), max_size=6))
def test_an_ed25519_batch_names_the_first_that_the_equation_refuses(items) -> None:
    bad = [
        at
        for at, (key, message, signature) in enumerate(items)
        if len(signature) != 64 or not reference.holds(key, message, signature)
    ]
    for at, item in enumerate(items):
        if at in bad:
            with pytest.raises(BadSignature):
                ed25519.verify(*item)
        else:
            ed25519.verify(*item)
    if bad:
        with pytest.raises(BadSignature) as caught:
            ed25519.verify_batch(items)
        assert caught.value.index == bad[0]
    else:
        ed25519.verify_batch(items)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 767))
def test_a_vrf_signature_holds_for_what_it_signs_only(index, context, message, bit) -> None:
    secret = bandersnatch.SecretKey.from_seed(bytes([index]))
    signature = secret.sign(context, message)
    assert bandersnatch.verify(secret.public, context, message, signature) == secret.output(context)
    assert bandersnatch.output(signature) == secret.output(context)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    claims = [
        (secret.public, context, message + b"!", signature),
        (secret.public, context + b"!", message, signature),
        (secret.public, context, message, bytes(flipped)),
        (bandersnatch.SecretKey.from_seed(b"other").public, context, message, signature),
    ]
    for claim in claims:
        with pytest.raises(BadSignature):
            bandersnatch.verify(*claim)


@functools.cache
def proofs() -> tuple[bytes, list[tuple[bytes, bytes, bytes]]]:
    secrets = [bandersnatch.SecretKey.from_seed(bytes([index])) for index in range(6)]
    keys = [secret.public for secret in secrets]
    contexts = [b"first", b"second", b"third"]
    made = [
        (context, b"message", secrets[at].prove(keys, at, context, b"message"))
        for at, context in enumerate(contexts)
    ]
    return ring.commitment(keys), made


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(0, 784 * 8 - 1)), max_size=4))
def test_a_ring_batch_names_the_first_bad_proof(choices) -> None:
    commitment, good = proofs()
    items = []
    for which, bit in choices:
        context, message, proof = good[which]
        changed = bytearray(proof)
        if bit is not None:
            changed[bit // 8] ^= 1 << bit % 8
        items.append((context, message, bytes(changed)))
    expected = [at for at, (_, bit) in enumerate(choices) if bit is not None]
    if expected:
        with pytest.raises(BadSignature) as caught:
            ring.verify_batch(commitment, 6, items)
        assert caught.value.index == expected[0]
    else:
        outputs = ring.verify_batch(commitment, 6, items)
        assert outputs == [bandersnatch.output(proof) for _, _, proof in items]
