from __future__ import annotations

import hashlib

import pytest

from jamliquor.crypto.hashing import blake2b, keccak


def test_blake2b_is_unkeyed_with_32_bytes() -> None:
    expected = "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
    assert blake2b(b"").hex() == expected


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_has_the_original_padding(data: bytes, digest: str) -> None:
    assert keccak(data).hex() == digest
    assert keccak(data) != hashlib.sha3_256(data).digest()


@pytest.mark.parametrize("length", [135, 136, 137, 272, 10_000])
def test_keccak_depends_on_every_byte_around_its_block_size(length: int) -> None:
    data = bytes(length)
    assert len({keccak(data), keccak(data + b"\0"), keccak(data[:-1] + b"\1")}) == 3
