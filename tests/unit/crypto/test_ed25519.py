"""Ed25519 keys and the shapes of its arguments; the verdicts are in tests/vectors."""

from __future__ import annotations

import pytest
from nacl.signing import SigningKey

from jamliquor.crypto import BadSignature, ed25519

SECRET = ed25519.SecretKey.from_seed(bytes(range(32)))
GOOD = (SECRET.public, b"message", SECRET.sign(b"message"))


def test_signatures_are_those_of_rfc_8032() -> None:
    other = SigningKey(bytes(range(32)))
    assert SECRET.public == bytes(other.verify_key)
    assert SECRET.sign(b"message") == other.sign(b"message").signature


def test_a_bad_signature_is_a_value_error_with_its_position() -> None:
    with pytest.raises(BadSignature) as caught:
        ed25519.verify_batch([GOOD, GOOD, (SECRET.public, b"other", GOOD[2])])
    assert isinstance(caught.value, ValueError)
    assert caught.value.index == 2
    assert str(caught.value) == "bad signature at position 2"


def test_the_empty_batch_holds() -> None:
    ed25519.verify_batch([])


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(BadSignature):
        ed25519.verify(bytes(size), b"", bytes(64))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_is_refused_in_its_turn(size: int) -> None:
    malformed, wrong = (SECRET.public, b"", bytes(size)), (SECRET.public, b"other", GOOD[2])
    with pytest.raises(BadSignature):
        ed25519.verify(*malformed)
    for items, index in (([GOOD, malformed, wrong], 1), ([wrong, malformed], 0)):
        with pytest.raises(BadSignature) as caught:
            ed25519.verify_batch(items)
        assert caught.value.index == index


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ed25519.SecretKey.from_seed(bytes(31))
