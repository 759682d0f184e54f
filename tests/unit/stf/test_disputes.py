"""Section 10: every rule broken one at a time, on signed disputes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DisputesError
from jamliquor.params import TINY
from jamliquor.stf import disputes
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Culprit, Disputes, Fault, Judgment, Verdict
from jamliquor.types.state import DisputeRecords, PendingReport
from jamliquor.types.work import AvailabilitySpecification, RefinementContext, WorkReport
from tests.support.validators import validator, validator_keys

NONE: frozenset[bytes] = frozenset()
NO_RECORDS = DisputeRecords(NONE, NONE, NONE, NONE)
EPOCH = 3
PRIOR = disputes.DisputesPrior(
    NO_RECORDS, (None, None), EPOCH * TINY.epoch_length + 5, validator_keys(10), validator_keys(0)
)


def report(number: int) -> WorkReport:
    return WorkReport(
        AvailabilitySpecification(bytes((number,)) * 32, 7, bytes(32), bytes(32), 1),
        RefinementContext(bytes(32), bytes(32), bytes(32), bytes(32), 5, ()),
        number % 2,
        bytes(32),
        9,
        b"",
        (),
        (),
    )


def hashed(number: int) -> bytes:
    return blake2b(codec(WorkReport, TINY).encode(report(number)))


# Reports in the order of their hashes, as verdicts must come.
A, B, C = sorted(hashed(number) for number in range(3))


def verdict(
    target: bytes, positive: int, epoch: int = EPOCH, judges: Iterable[int] = range(5)
) -> Verdict:
    """Five judgments, the first ``positive`` of them for the report."""
    first = 10 if epoch == EPOCH else 0
    judgments = []
    for place, judge in enumerate(judges):
        valid = place < positive
        message = (b"jam_valid" if valid else b"jam_invalid") + target
        signature = validator(first + judge).ed25519.sign(message)
        judgments.append(Judgment(valid, judge, signature))
    return Verdict(target, epoch, tuple(judgments))


def culprits(target: bytes, *numbers: int) -> tuple[Culprit, ...]:
    """Proofs by key order that validators guaranteed ``target``."""
    found = []
    for number in numbers:
        signer = validator(number)
        signature = signer.ed25519.sign(b"jam_guarantee" + target)
        found.append(Culprit(target, signer.keys.ed25519, signature))
    return tuple(sorted(found, key=lambda culprit: culprit.key))


def faults(target: bytes, valid: bool, *numbers: int) -> tuple[Fault, ...]:
    """Proofs by key order that validators judged ``target`` so."""
    found = []
    for number in numbers:
        signer = validator(number)
        message = (b"jam_valid" if valid else b"jam_invalid") + target
        found.append(Fault(target, valid, signer.keys.ed25519, signer.ed25519.sign(message)))
    return tuple(sorted(found, key=lambda fault: fault.key))


def judge(extrinsic: Disputes, prior: disputes.DisputesPrior = PRIOR) -> disputes.Judged:
    checks = SignatureChecks()
    judged = disputes.judge(TINY, prior, extrinsic, checks)
    checks.verify()
    return judged


GOOD = Disputes((verdict(A, 5),), (), faults(A, False, 10))
BAD = Disputes((verdict(A, 0),), culprits(A, 10, 0), ())
ALL = Disputes(
    (verdict(A, 5), verdict(B, 0, EPOCH - 1), verdict(C, 2, judges=(1, 2, 3, 4, 5))),
    culprits(B, 3, 12),
    (*faults(A, False, 10),),
)


def test_verdicts_offenders_and_marker() -> None:
    judged = judge(ALL)
    mark = (*(culprit.key for culprit in ALL.culprits), *(fault.key for fault in ALL.faults))
    assert judged.records == (
        frozenset({A}),
        frozenset({B}),
        frozenset({C}),
        frozenset(mark),
    )
    assert judged.offenders_mark == mark


def test_records_grow() -> None:
    records = DisputeRecords(*(frozenset({bytes((n,)) * 32}) for n in range(1, 5)))
    judged = judge(ALL, PRIOR._replace(records=records))
    assert all(before < after for before, after in zip(records, judged.records, strict=True))


def test_nothing_happens_without_disputes() -> None:
    judged = judge(Disputes((), (), ()))
    assert judged.records is PRIOR.records
    assert judged.pending is PRIOR.pending
    assert judged.offenders_mark == ()


def test_only_reports_judged_bad_or_wonky_leave_their_cores() -> None:
    numbers = {hashed(number): number for number in range(3)}
    for target, kept in ((A, True), (B, False), (C, False)):
        pending = (PendingReport(report(numbers[target]), 1), PendingReport(report(9), 2))
        judged = judge(ALL, PRIOR._replace(pending=pending))
        assert judged.pending == (pending[0] if kept else None, pending[1])
    assert judge(GOOD, PRIOR._replace(pending=pending)).pending is pending


def test_offences_against_verdicts_of_earlier_blocks() -> None:
    records = NO_RECORDS._replace(good=frozenset({A}), bad=frozenset({B}))
    extrinsic = Disputes((), culprits(B, 4), (*faults(A, False, 10), *faults(B, True, 11)))
    extrinsic = extrinsic._replace(faults=tuple(sorted(extrinsic.faults, key=lambda f: f.key)))
    judged = judge(extrinsic, PRIOR._replace(records=records))
    assert judged.records.offenders == frozenset(judged.offenders_mark)
    assert len(judged.offenders_mark) == 3


def swapped(items: tuple[Judgment, ...]) -> tuple[Judgment, ...]:
    return (items[1], items[0], *items[2:])


def with_verdict(**changes: object) -> Disputes:
    return GOOD._replace(verdicts=(GOOD.verdicts[0]._replace(**changes),))


FORGED = bytes(64)
WONKY = Disputes((verdict(A, 2),), (), ())
LATE = GOOD.verdicts[0].judgments[:4]
MUTATIONS: list[tuple[str, Disputes, str]] = [
    (
        "verdicts out of order",
        ALL._replace(verdicts=ALL.verdicts[::-1]),
        "verdicts_not_sorted_unique",
    ),
    ("verdict twice", GOOD._replace(verdicts=GOOD.verdicts * 2), "verdicts_not_sorted_unique"),
    ("culprits out of order", BAD._replace(culprits=BAD.culprits[::-1]), "culprits_not_sorted_unique"),
    ("culprit twice", BAD._replace(culprits=BAD.culprits[:1] * 2), "culprits_not_sorted_unique"),
    (
        "faults out of order",
        GOOD._replace(faults=faults(A, False, 10, 11)[::-1]),
        "faults_not_sorted_unique",
    ),
    ("fault twice", GOOD._replace(faults=GOOD.faults * 2), "faults_not_sorted_unique"),
    (
        "judges out of order",
        with_verdict(judgments=swapped(GOOD.verdicts[0].judgments)),
        "judgements_not_sorted_unique",
    ),
    ("judge twice", with_verdict(judgments=(*LATE, LATE[-1])), "judgements_not_sorted_unique"),
    (
        "no such judge",
        with_verdict(judgments=(*LATE, Judgment(True, 6, FORGED))),
        "bad_validator_index",
    ),
    ("verdict of an old epoch", with_verdict(epoch=EPOCH - 2), "bad_judgement_age"),
    ("verdict of a coming epoch", with_verdict(epoch=EPOCH + 1), "bad_judgement_age"),
    ("verdict of the other set", with_verdict(epoch=EPOCH - 1), "bad_signature"),
    ("one for", Disputes((verdict(A, 1),), culprits(A, 10, 11), ()), "bad_vote_split"),
    ("three for", Disputes((verdict(A, 3),), (), ()), "bad_vote_split"),
    ("four for", Disputes((verdict(A, 4),), (), faults(A, False, 10)), "bad_vote_split"),
    ("good without fault", GOOD._replace(faults=()), "not_enough_faults"),
    ("bad with one culprit", BAD._replace(culprits=BAD.culprits[:1]), "not_enough_culprits"),
    (
        "bad with a fault in a culprit's place",
        BAD._replace(culprits=BAD.culprits[:1], faults=faults(A, True, 12)),
        "not_enough_culprits",
    ),
    (
        "culprit of a good report",
        GOOD._replace(culprits=culprits(A, 11)),
        "culprits_verdict_not_bad",
    ),
    ("culprit of a wonky report", WONKY._replace(culprits=culprits(A, 11)), "culprits_verdict_not_bad"),
    ("culprit of no verdict", Disputes((), culprits(B, 11), ()), "culprits_verdict_not_bad"),
    ("fault with the verdict", GOOD._replace(faults=faults(A, True, 10)), "fault_verdict_wrong"),
    ("fault with a bad verdict", BAD._replace(faults=faults(A, False, 12)), "fault_verdict_wrong"),
    ("fault for a wonky report", WONKY._replace(faults=faults(A, True, 10)), "fault_verdict_wrong"),
    (
        "fault against a wonky report",
        WONKY._replace(faults=faults(A, False, 10)),
        "fault_verdict_wrong",
    ),
    ("fault of no verdict", Disputes((), (), faults(B, True, 10)), "fault_verdict_wrong"),
    ("culprit no validator", BAD._replace(culprits=culprits(A, 10, 40)), "bad_guarantor_key"),
    ("fault no validator", GOOD._replace(faults=faults(A, False, 40)), "bad_auditor_key"),
    (
        "forged judgment",
        with_verdict(judgments=(*LATE, Judgment(True, 4, FORGED))),
        "bad_signature",
    ),
    (
        "judgment the other way",
        Disputes(
            (
                Verdict(
                    A, EPOCH, tuple(vote._replace(valid=False) for vote in GOOD.verdicts[0].judgments)
                ),
            ),
            culprits(A, 10, 11),
            (),
        ),
        "bad_signature",
    ),
    (
        "forged culprit",
        BAD._replace(culprits=(BAD.culprits[0], BAD.culprits[1]._replace(signature=FORGED))),
        "bad_signature",
    ),
    (
        "forged fault",
        GOOD._replace(faults=(GOOD.faults[0]._replace(signature=FORGED),)),
        "bad_signature",
    ),
]


@pytest.mark.parametrize(
    ("extrinsic", "code"),
    [pytest.param(extrinsic, code, id=name) for name, extrinsic, code in MUTATIONS],
)
def test_refused(extrinsic: Disputes, code: str) -> None:
    with pytest.raises(DisputesError) as caught:
        judge(extrinsic)
    assert caught.value.code == code


@pytest.mark.parametrize("kind", ["good", "bad", "wonky"])
@pytest.mark.parametrize("extrinsic", [GOOD, BAD, WONKY])
def test_a_report_is_judged_once(extrinsic: Disputes, kind: str) -> None:
    records = NO_RECORDS._replace(**{kind: frozenset({A})})
    with pytest.raises(DisputesError) as caught:
        judge(extrinsic, PRIOR._replace(records=records))
    assert caught.value.code == "already_judged"


@pytest.mark.parametrize(("extrinsic", "key"), [(GOOD, GOOD.faults[0].key), (BAD, BAD.culprits[1].key)])
def test_an_offender_is_punished_once(extrinsic: Disputes, key: bytes) -> None:
    records = NO_RECORDS._replace(offenders=frozenset({key}))
    with pytest.raises(DisputesError) as caught:
        judge(extrinsic, PRIOR._replace(records=records))
    assert caught.value.code == "offender_already_reported"


def test_the_first_epoch_has_none_before_it() -> None:
    first = PRIOR._replace(slot=0)
    assert judge(with_verdict(epoch=0), first).records.good == {A}
    with pytest.raises(DisputesError) as caught:
        judge(with_verdict(epoch=(1 << 32) - 1), first)
    assert caught.value.code == "bad_judgement_age"
