"""Ring commitments and proofs: the specification's vectors, rings of every domain, padding."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from jamliquor.crypto import BadRingProof, BadSignature, bandersnatch, ring

VECTORS = json.loads((Path(__file__).parent / "vrf_specification.json").read_text())["ring"]

PADDING = bytes.fromhex("92ca79e61dd90c1573a8693f199bf6e1e86835cc715cdcf93f5ef222560023aa")
#: On the curve, outside the subgroup of prime order.
OF_ORDER_TWO = (0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001 - 1).to_bytes(
    32, "little"
)


@functools.cache
def secret(index: int) -> bandersnatch.SecretKey:
    return bandersnatch.SecretKey.from_seed(index.to_bytes(4, "little"))


def keys(count: int) -> list[bytes]:
    return [secret(index).public for index in range(count)]


def claim(context: bytes, index: int = 0) -> tuple[bytes, bytes, bytes]:
    return context, b"message", secret(index).prove(keys(6), index, context, b"message")


@functools.cache
def tiny() -> tuple[bytes, tuple[bytes, bytes, bytes]]:
    return ring.commitment(keys(6)), claim(b"context")


@pytest.mark.parametrize("vector", VECTORS, ids=["1", "3", "7"])
def test_the_specification_s_proofs_hold(vector: dict[str, str]) -> None:
    members = [bytes.fromhex(key) for key in vector["keys"]]
    commitment, context, aux, proof, output = (
        bytes.fromhex(vector[name]) for name in ("commitment", "input", "aux", "proof", "output")
    )
    assert ring.commitment(members) == commitment
    assert ring.verify_batch(commitment, 8, [(context, aux, proof)]) == [output[:32]]
    with pytest.raises(BadRingProof):
        ring.verify_batch(commitment, 8, [(context, aux + b"\0", proof)])


@pytest.mark.parametrize("count", [1, 255, 256, 767, 768])
def test_proofs_hold_in_rings_at_the_edges_of_the_domains(count: int) -> None:
    # Provers commit with powers of tau, commitments come from the Lagrange form: they must agree.
    members = keys(count)
    proof = secret(count - 1).prove(members, count - 1, b"context", b"")
    outputs = ring.verify_batch(ring.commitment(members), count, [(b"context", b"", proof)])
    assert outputs == [secret(count - 1).output(b"context")] == [bandersnatch.output(proof)]


def test_keys_that_are_no_points_count_as_padding() -> None:
    good = keys(6)
    expected = ring.commitment([*good[:3], PADDING, *good[4:]])
    for no_point in (bytes(32), b"\xff" * 32):
        assert ring.commitment([*good[:3], no_point, *good[4:]]) == expected
    assert ring.commitment([*good, *[PADDING] * 100]) == ring.commitment(good)
    assert ring.commitment([]) == ring.commitment([PADDING])


def test_points_outside_the_subgroup_stand_for_themselves() -> None:
    """A pending set and its root from a public chain (1766243493_2605); its first key is one."""
    members = [
        bytes.fromhex(key)
        for key in (
            "b247a0ba14a8f431b993321e2d76560dc02708c67df6661dc9fd1cc6eb21f084",
            "2105650944fcd101621fd5bb3124c9fd191d114b7ad936c1d79d734f9f21392e",
            "dee6d555b82024f1ccf8a1e37e60fa60fd40b1958c4bb3006af78647950e1b91",
            "9326edb21e5541717fde24ec085000b28709847b8aab1ac51f84e94b37ca1b66",
            "ff71c6c03ff88adb5ed52c9681de1629a54e702fc14729f6b50d2f0a76f185b3",
            "151e5c8fe2b9d8a606966a79edd2f9e5db47e83947ce368ccba53bf6ba20a40b",
        )
    ]
    assert ring.commitment(members).hex() == (
        "a09c9adb915e6c526a15ab86642406ec105db35bdca9ffefe5156de77f0a2aa2251f7adc"
        "5010cb6e388936164ef33d57a808c242071cc5ab88f2034d0df50186d828b1eb0fcbf51a"
        "40723128862c4f528435733ea9a797eb713837166cefa73d92e630ae2b14e758ab0960e3"
        "72172203f4c9a41777dadd529971d7ab9d23ab29fe0e9c85ec450505dde7f5ac038274cf"
    )
    assert ring.commitment([OF_ORDER_TWO]) != ring.commitment([PADDING])


def test_a_ring_with_an_invalid_key_proves_for_the_others() -> None:
    members = [*keys(5), bytes(32)]
    proof = secret(2).prove(members, 2, b"context", b"")
    assert ring.verify_batch(ring.commitment(members), 6, [(b"context", b"", proof)])


def test_the_order_of_keys_matters_and_position_does_not_show() -> None:
    commitment, (context, message, proof) = tiny()
    assert ring.commitment(keys(6)[::-1]) != commitment
    other = claim(context, 3)
    assert other[2] != proof
    assert ring.verify_batch(commitment, 6, [other]) == [bandersnatch.output(other[2])]
    assert message == b"message"


def test_a_batch_names_the_first_bad_proof_alone() -> None:
    commitment, good = tiny()
    context, message, proof = good
    bad_pedersen = (context, b"other", proof)
    bad_membership = (context, message, proof[:-96] + proof[-48:] + proof[-96:-48])
    undecodable = (context, message, proof[:-1] + b"\xff")
    short = (context, message, proof[:-1])
    for bad in (bad_pedersen, bad_membership, undecodable, short):
        for items, index in (([bad], 0), ([good, good, bad, good], 2), ([good, bad, bad], 1)):
            with pytest.raises(BadSignature) as caught:
                ring.verify_batch(commitment, 6, items)
            assert isinstance(caught.value, BadRingProof)
            assert caught.value.index == index
    with pytest.raises(BadRingProof) as caught:
        ring.verify_batch(commitment, 6, [bad_pedersen, short])
    assert caught.value.index == 0
    assert ring.verify_batch(commitment, 6, [good, good]) == [secret(0).output(context)] * 2


def test_a_proof_holds_in_its_ring_only() -> None:
    _, good = tiny()
    with pytest.raises(BadRingProof):
        ring.verify_batch(ring.commitment(keys(5)), 5, [good])


@pytest.mark.parametrize("commitment", [b"", bytes(143), bytes(144), b"\xff" * 144])
def test_nothing_holds_under_a_commitment_that_does_not_decode(commitment: bytes) -> None:
    with pytest.raises(BadRingProof) as caught:
        ring.verify_batch(commitment, 6, [tiny()[1]])
    assert caught.value.index == 0


def test_no_proofs_hold_under_any_commitment() -> None:
    assert ring.verify_batch(b"", 6, []) == []


def test_the_cache_of_verifiers_is_bounded_and_counted() -> None:
    commitment, good = tiny()
    ring.verify_batch(commitment, 6, [good])
    hits, misses, limit, _ = ring.cache_info()
    ring.verify_batch(commitment, 6, [good])
    assert ring.cache_info()[:2] == (hits + 1, misses)
    for count in range(1, limit + 3):
        with pytest.raises(BadRingProof):
            ring.verify_batch(ring.commitment([*keys(count)[::-1], PADDING]), 6, [good])
    assert ring.cache_info()[2:] == (limit, limit)


def test_malformed_rings_are_the_caller_s_error() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ring.commitment([bytes(31)])
    with pytest.raises(ValueError, match="no domain"):
        ring.commitment([PADDING] * 1792)
    for index in (1, 6, -1):
        with pytest.raises(ValueError, match=r"position"):
            secret(0).prove(keys(6), index, b"", b"")


def test_a_ring_with_the_neutral_point_has_a_root_and_no_prover() -> None:
    neutral = b"\1" + bytes(31)
    members = [*keys(5), neutral]
    assert ring.commitment(members) not in (ring.commitment(keys(5)), ring.commitment(keys(6)))
    with pytest.raises(ValueError, match="prover"):
        secret(0).prove(members, 0, b"", b"")


def test_proofs_are_deterministic_and_differ_with_every_argument() -> None:
    """Blinding that two statements shared would tell who made them."""
    ring_keys, other_ring = keys(6), [*keys(5), secret(9).public]
    proof = secret(0).prove(ring_keys, 0, b"context", b"message")
    assert secret(0).prove(ring_keys, 0, b"context", b"message") == proof
    others = [
        secret(0).prove(ring_keys, 0, b"context", b"messagf"),
        secret(0).prove(ring_keys, 0, b"contex", b"tmessage"),
        secret(0).prove(other_ring, 0, b"context", b"message"),
    ]
    # The membership part, behind output point and Pedersen proof.
    commitments = {each[192:240] for each in (proof, *others)}
    assert len(commitments) == 4
