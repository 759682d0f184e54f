"""Guarantees, assurances and verdicts of our keys."""

from __future__ import annotations

import pytest

from jamliquor.author import statements
from jamliquor.author.keys import Keyring
from jamliquor.crypto import ed25519
from jamliquor.crypto.hashing import blake2b
from jamliquor.state import keys
from jamliquor.stf.reports import report_hash
from jamliquor.types.extrinsic import Disputes
from tests.support.maker import Made, Maker, secrets

REPORT = b"r" * 32


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def reported(maker: Maker) -> Made:
    report = maker.report(maker.root, 1)
    return maker.make(maker.root, 1, guarantees=[maker.guarantee(maker.root, report, 1)])


def test_single_statements_hold(maker: Maker) -> None:
    key = secrets()[2].ed25519
    hashed = REPORT
    signed = statements.credential(key, 2, hashed)
    ed25519.verify(key.public, b"jam_guarantee" + hashed, signed.signature)
    assured = statements.assurance(maker.params, key, 2, bytes(32), [1])
    assert assured.availabilities == b"\x02"
    message = b"jam_available" + blake2b(bytes(32) + b"\x02")
    ed25519.verify(key.public, message, assured.signature)
    for valid, context in ((True, b"jam_valid"), (False, b"jam_invalid")):
        voted = statements.judgment(key, 2, hashed, valid)
        ed25519.verify(key.public, context + hashed, voted.signature)
        proof = statements.fault(key, hashed, valid)
        assert (proof.key, proof.valid) == (key.public, valid)
        ed25519.verify(key.public, context + hashed, proof.signature)
    guilty = statements.culprit(key, hashed)
    ed25519.verify(key.public, b"jam_guarantee" + hashed, guilty.signature)


@pytest.mark.parametrize(("slot", "made_in"), [(1, 1), (6, 3), (6, 4), (13, 12), (13, 11)])
def test_guarantors_are_those_of_the_rotation(maker: Maker, slot: int, made_in: int) -> None:
    """Also across an epoch; the block is accepted, so the stf agrees."""
    report = maker.report(maker.root, 0)
    guarantee = maker.guarantee(maker.root, report, slot, at=made_in)
    assert len(guarantee.credentials) == 3
    assert guarantee.slot == made_in
    maker.make(maker.root, slot, guarantees=[guarantee])


def test_only_our_guarantors_sign(maker: Maker) -> None:
    ahead = maker.outlook(maker.root, 1)
    report = maker.report(maker.root, 0)
    whole = statements.gather_guarantee(ahead, report, maker.keyring)
    first = whole.credentials[0]
    ours = Keyring([secrets()[first.validator]])
    assert statements.gather_guarantee(ahead, report, ours).credentials == (first,)


def test_offenders_do_not_guarantee(maker: Maker, reported: Made) -> None:
    pending = reported.state.component(keys.PENDING_REPORTS)[1]
    hashed = report_hash(maker.params, pending.report)
    ahead = maker.outlook(reported.hash)
    culprits = sorted(
        [statements.culprit(secret.ed25519, hashed) for secret in secrets()[:2]],
        key=lambda proof: proof.key,
    )
    verdict = statements.gather_verdict(ahead, hashed, 0, maker.keyring)
    disputes = Disputes((verdict,), tuple(culprits), ())
    after = maker.outlook(reported.hash, 2, disputes)
    signers = set()
    for core in (0, 1):
        report = maker.report(reported.hash, core)
        guarantee = statements.gather_guarantee(after, report, maker.keyring)
        signers |= {credential.validator for credential in guarantee.credentials}
    assert signers == {2, 3, 4, 5}
    # Nor is a condemned report assured.
    assert statements.gather_assurances(after, reported.hash, maker.keyring) == ()


def test_assurances_are_of_the_cores_with_reports(maker: Maker, reported: Made) -> None:
    ahead = maker.outlook(reported.hash)
    found = statements.gather_assurances(ahead, reported.hash, maker.keyring)
    assert [each.validator for each in found] == list(range(6))
    assert {each.availabilities for each in found} == {b"\x02"}
    assert statements.gather_assurances(ahead, reported.hash, maker.keyring, []) == ()
    one = statements.gather_assurances(ahead, reported.hash, Keyring([secrets()[3]]))
    assert one == (found[3],)


@pytest.mark.parametrize("positive", [0, 2, 5])
def test_a_verdict_has_as_many_votes_as_asked_for(maker: Maker, positive: int) -> None:
    ahead = maker.outlook(maker.root)
    verdict = statements.gather_verdict(ahead, REPORT, positive, maker.keyring)
    assert len(verdict.judgments) == 5
    assert sum(vote.valid for vote in verdict.judgments) == positive
    assert [vote.validator for vote in verdict.judgments] == [0, 1, 2, 3, 4]


def test_a_verdict_by_the_epoch_before(maker: Maker) -> None:
    head = maker.make(maker.root, 14)
    ahead = maker.outlook(head.hash)
    verdict = statements.gather_verdict(ahead, REPORT, 2, maker.keyring, last_epoch=True)
    assert verdict.epoch == 0
    made = maker.make(head.hash, disputes=Disputes((verdict,), (), ()))
    assert made.state.component(keys.DISPUTES).wonky == {REPORT}
