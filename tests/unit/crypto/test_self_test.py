"""The installed self-tests, and that they can fail; the measuring function."""

from __future__ import annotations

import itertools

import pytest

from jamliquor.crypto import BadSignature, bandersnatch, bench, ed25519, ring, self_test


@pytest.mark.parametrize(("name", "known_answers"), self_test.PRIMITIVES)
def test_primitives_give_their_known_answers(name: str, known_answers) -> None:
    known_answers()


@pytest.mark.parametrize(
    ("name", "module", "function"),
    [
        ("ed25519", ed25519, "verify"),
        ("bandersnatch-vrf", bandersnatch, "verify"),
        ("ring-vrf", ring, "verify_batch"),
    ],
)
@pytest.mark.parametrize("verdict", ["accepts all", "refuses all"])
def test_a_broken_primitive_is_noticed(monkeypatch, name, module, function, verdict) -> None:
    def broken(*_: object) -> object:
        if verdict == "refuses all":
            raise BadSignature
        return None

    monkeypatch.setattr(module, function, broken)
    with pytest.raises((self_test.SelfTestFailed, BadSignature)):
        dict(self_test.PRIMITIVES)[name]()


def test_measuring_reads_the_given_clock_only() -> None:
    ticks = itertools.count(0.0, 0.25)
    figures = bench.measure(lambda: next(ticks), repeat=1)
    assert set(figures.values()) == {250.0}
    assert set(figures) == {
        "vrf_verify_ms",
        "vrf_sign_ms",
        "ring_verify_ms",
        "ring_verify_batch3_ms",
        "ring_new_key_ms",
        "ring_new_key_full_ms",
        "ring_prove_ms",
        "ed25519_verify_ms",
        "ed25519_batch64_ms",
    }
