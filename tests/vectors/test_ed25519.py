"""The consensus-critical Ed25519 signatures: each holds under ZIP-215, singly and batched."""

from __future__ import annotations

import json

import pytest

from jamliquor.crypto import BadSignature, ed25519
from tests.support import ed25519_reference as reference
from tests.support.vectors import vectors

FILES = vectors("ed25519/vectors.json", "jam-conformance-0.7.2")

Item = tuple[bytes, bytes, bytes]


def load(path) -> list[Item]:
    return [
        (bytes.fromhex(v["pk"]), bytes.fromhex(v["msg"]), bytes.fromhex(v["r"] + v["s"]))
        for v in json.loads(path.read_text())
    ]


def assert_verdicts(items: list[Item], expected: list[bool]) -> None:
    """Single verdicts are as expected, and a batch names the first bad one."""
    verdicts = []
    for item in items:
        try:
            ed25519.verify(*item)
            verdicts.append(True)
        except BadSignature:
            verdicts.append(False)
    assert verdicts == expected
    if all(expected):
        ed25519.verify_batch(items)
    else:
        with pytest.raises(BadSignature) as caught:
            ed25519.verify_batch(items)
        assert caught.value.index == expected.index(False)


@pytest.mark.parametrize("path", FILES)
def test_all_hold(path) -> None:
    items = load(path)
    assert len(items) == 196
    assert_verdicts(items, [True] * 196)


@pytest.mark.parametrize("path", FILES)
def test_the_reference_agrees_on_them(path) -> None:
    assert all(reference.holds(*item) for item in load(path))


@pytest.mark.parametrize("path", FILES)
def test_a_flipped_message_bit_fails_where_the_equation_does(path) -> None:
    items = [(key, bytes([m[0] ^ 1]) + m[1:], signature) for key, m, signature in load(path)]
    expected = [reference.holds(*item) for item in items]
    assert_verdicts(items, expected)
    for at, holds in enumerate(expected):
        pair = [items[at], items[at]]
        assert_verdicts(pair, [holds, holds])


@pytest.mark.parametrize("path", FILES)
def test_a_scalar_beyond_the_order_fails(path) -> None:
    for key, message, signature in load(path):
        s = int.from_bytes(signature[32:], "little") + reference.ORDER
        item = (key, message, signature[:32] + s.to_bytes(32, "little"))
        assert_verdicts([item], [False])
        assert_verdicts([item, item], [False, False])


@pytest.mark.parametrize("path", FILES)
def test_a_point_off_the_curve_fails(path) -> None:
    off_curve = next(
        y.to_bytes(32, "little") for y in range(2, 99) if not reference.decode(y.to_bytes(32, "little"))
    )
    good = load(path)
    for key, message, signature in good[::7]:
        assert_verdicts([good[0], (off_curve, message, signature)], [True, False])
        assert_verdicts([good[0], (key, message, off_curve + signature[32:])], [True, False])
