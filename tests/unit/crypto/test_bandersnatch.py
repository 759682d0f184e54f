"""The IETF VRF: the specification's vectors, edge encodings, shapes of arguments."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from jamliquor.crypto import BadSignature, bandersnatch

VECTORS = json.loads((Path(__file__).parent / "vrf_specification.json").read_text())["ietf"]

SECRET = bandersnatch.SecretKey.from_seed(b"seed")
GOOD = (SECRET.public, b"context", b"message", SECRET.sign(b"context", b"message"))

FIELD = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
ORDER = 0x1CFB69D4CA675F520CCE760202687600FF8F87007419047174FD06B52876E7E1


@pytest.mark.parametrize("vector", VECTORS, ids=range(1, 8))
def test_the_specification_s_signatures_hold(vector: dict[str, str]) -> None:
    public, context, aux, signature, output = (
        bytes.fromhex(vector[name]) for name in ("public", "input", "aux", "signature", "output")
    )
    assert bandersnatch.verify(public, context, aux, signature) == output[:32]
    assert bandersnatch.output(signature) == output[:32]
    with pytest.raises(BadSignature):
        bandersnatch.verify(public, context, aux + b"\0", signature)


def test_many_give_outputs_in_order_or_the_first_bad_position() -> None:
    other = (SECRET.public, b"other", b"", SECRET.sign(b"other", b""))
    assert bandersnatch.verify_many([GOOD, other]) == [
        SECRET.output(b"context"),
        SECRET.output(b"other"),
    ]
    assert bandersnatch.verify_many([]) == []
    for bad in ((*other[:3], bytes(95)), (bytes(31), *other[1:]), (*GOOD[:3], other[3])):
        with pytest.raises(BadSignature) as caught:
            bandersnatch.verify_many([GOOD, bad, other, bad])
        assert caught.value.index == 1


@pytest.mark.parametrize(
    "public",
    [
        bytes(32),
        (FIELD - 1).to_bytes(32, "little"),
        FIELD.to_bytes(32, "little"),
        b"\xff" * 32,
    ],
    ids=["order four", "order two", "beyond the field", "all ones"],
)
def test_keys_outside_the_group_are_refused(public: bytes) -> None:
    with pytest.raises(BadSignature):
        bandersnatch.verify(public, *GOOD[1:])


def test_a_response_beyond_the_order_is_refused() -> None:
    *claim, signature = GOOD
    response = int.from_bytes(signature[64:], "little") + ORDER
    with pytest.raises(BadSignature):
        bandersnatch.verify(*claim, signature[:64] + response.to_bytes(32, "little"))


def test_a_challenge_is_read_modulo_the_order() -> None:
    *claim, signature = GOOD
    challenge = int.from_bytes(signature[32:64], "little") + ORDER
    same = signature[:32] + challenge.to_bytes(32, "little") + signature[64:]
    assert bandersnatch.verify(*claim, same) == SECRET.output(b"context")


def test_an_output_has_one_hash_whatever_its_encoding() -> None:
    # The identity is the one point whose encoding ignores the sign bit.
    plain, signed = b"\1" + bytes(31), b"\1" + bytes(30) + b"\x80"
    assert bandersnatch.output(plain + bytes(64)) == bandersnatch.output(signed + bytes(64))


@pytest.mark.parametrize("size", [0, 95, 97, 783])
def test_an_output_needs_a_signature_or_a_proof(size: int) -> None:
    with pytest.raises(BadSignature):
        bandersnatch.output(bytes(size))


def test_signatures_over_two_messages_share_the_output_and_no_nonce() -> None:
    one, two = SECRET.sign(b"context", b"one"), SECRET.sign(b"context", b"two")
    assert one[:32] == two[:32]
    c1, c2, s1, s2 = (
        int.from_bytes(part, "little") for part in (one[32:64], two[32:64], one[64:], two[64:])
    )
    secret = int.from_bytes(hashlib.sha512(b"seed").digest(), "little") % ORDER
    # With one nonce for both, anybody could solve for the secret.
    assert (s1 - s2) * pow(c1 - c2, -1, ORDER) % ORDER != secret
