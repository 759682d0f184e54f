"""Disputes: verdicts on work reports, and the validators found guilty (section 10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Set
from typing import Any, Final, NamedTuple

from jamliquor.errors import DisputesError
from jamliquor.params import ChainParams
from jamliquor.state import keys as indices
from jamliquor.stf.reports import guarantee_message, report_hash
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Culprit, Disputes, Fault, Verdict
from jamliquor.types.state import DisputeRecords, PendingReport, ValidatorKeys

JUDGMENT_CONTEXTS: Final = (b"jam_invalid", b"jam_valid")
"""X_0 and X_1: contexts of a judgment against and for a report (section 10.2)."""


class DisputesPrior(NamedTuple):
    """The prior values this chapter reads: records, pending reports by core, the parent's slot, and
    the active and previous validators."""

    records: DisputeRecords
    pending: tuple[PendingReport | None, ...]
    slot: int
    active: Sequence[ValidatorKeys]
    previous: Sequence[ValidatorKeys]

    @classmethod
    def of(cls, component: Callable[[int], Any]) -> DisputesPrior:
        """Those of a state, whose components ``component`` gives by their index."""
        return cls(
            component(indices.DISPUTES),
            component(indices.PENDING_REPORTS),
            component(indices.TIME),
            component(indices.ACTIVE_VALIDATORS),
            component(indices.PREVIOUS_VALIDATORS),
        )


class Judged(NamedTuple):
    """Posterior records, pending reports after judgment, and the marker the header must carry.

    Values that the block leaves as they were are the prior's own objects.
    """

    records: DisputeRecords
    pending: tuple[PendingReport | None, ...]
    offenders_mark: tuple[bytes, ...]


def judge(
    params: ChainParams, prior: DisputesPrior, extrinsic: Disputes, checks: SignatureChecks
) -> Judged:
    """The transition of this chapter; signatures are demanded from ``checks``.

    Raises:
        DisputesError: one of the codes of the public vectors.
    """
    if extrinsic == ((), (), ()):
        return Judged(prior.records, prior.pending, ())
    _check_order(extrinsic)
    votes: dict[bytes, int] = {}
    for verdict in extrinsic.verdicts:
        _check_verdict(verdict, prior.records)
        validators = _judges(params, verdict, prior)
        votes[verdict.report_hash] = _count_votes(params, verdict)
        _demand_judgments(verdict, validators, checks)
    records = _with_verdicts(params, prior.records, votes)
    known = {keys.ed25519 for validators in (prior.active, prior.previous) for keys in validators}
    for culprit in extrinsic.culprits:
        _check_culprit(culprit, records, known, checks)
    for fault in extrinsic.faults:
        _check_fault(fault, records, known, checks)
    _check_consequences(params, extrinsic, votes)
    mark = (
        *[culprit.key for culprit in extrinsic.culprits],
        *[fault.key for fault in extrinsic.faults],
    )
    return Judged(
        records._replace(offenders=records.offenders.union(mark)),
        _without_condemned(params, prior.pending, votes),
        mark,
    )


def _check_order(extrinsic: Disputes) -> None:
    """Verdicts ascend by report, offences by key, without duplicates (equations 10.7 and 10.8)."""
    for code, keys in (
        ("verdicts_not_sorted_unique", [verdict.report_hash for verdict in extrinsic.verdicts]),
        ("culprits_not_sorted_unique", [culprit.key for culprit in extrinsic.culprits]),
        ("faults_not_sorted_unique", [fault.key for fault in extrinsic.faults]),
    ):
        for index in range(1, len(keys)):
            if keys[index - 1] >= keys[index]:
                raise DisputesError(code, index=index)


def _check_verdict(verdict: Verdict, records: DisputeRecords) -> None:
    """A verdict is on a report without one, by distinct judges in order (equations 10.9 and 10.10)."""
    report = verdict.report_hash
    if report in records.good or report in records.bad or report in records.wonky:
        raise DisputesError("already_judged", report=report)
    last = -1
    for judgment in verdict.judgments:
        if judgment.validator <= last:
            raise DisputesError(
                "judgements_not_sorted_unique", report=report, validator=judgment.validator
            )
        last = judgment.validator


def _judges(params: ChainParams, verdict: Verdict, prior: DisputesPrior) -> Sequence[ValidatorKeys]:
    """The validators a verdict's epoch names: of the prior state's epoch, or of the one before.

    Judges must be in order already, so that the last index bounds all.
    """
    epoch = params.epoch_of(prior.slot)[0]
    if verdict.epoch == epoch:
        validators = prior.active
    elif verdict.epoch == epoch - 1:
        validators = prior.previous
    else:
        raise DisputesError(
            "bad_judgement_age", report=verdict.report_hash, epoch=verdict.epoch, current=epoch
        )
    last = verdict.judgments[-1].validator
    if last >= len(validators):
        raise DisputesError("bad_validator_index", report=verdict.report_hash, validator=last)
    return validators


def _count_votes(params: ChainParams, verdict: Verdict) -> int:
    """The positive judgments: all, none, or one third of the validators (equations 10.11, 10.12)."""
    positive = sum([judgment.valid for judgment in verdict.judgments])
    if positive not in (0, params.one_third, params.super_majority):
        raise DisputesError("bad_vote_split", report=verdict.report_hash, positive=positive)
    return positive


def _demand_judgments(
    verdict: Verdict, validators: Sequence[ValidatorKeys], checks: SignatureChecks
) -> None:
    """Demand the signature of each judgment (equation 10.3)."""
    report = verdict.report_hash
    messages = [context + report for context in JUDGMENT_CONTEXTS]
    for valid, validator, signature in verdict.judgments:
        error = DisputesError("bad_signature", report=report, validator=validator)
        checks.ed25519(validators[validator].ed25519, messages[valid], signature, error)


def _with_verdicts(
    params: ChainParams, records: DisputeRecords, votes: dict[bytes, int]
) -> DisputeRecords:
    """The records with the block's verdicts in them (equations 10.16 to 10.18)."""
    if not votes:
        return records

    def judged(positive: int) -> list[bytes]:
        return [report for report, count in votes.items() if count == positive]

    return records._replace(
        good=records.good.union(judged(params.super_majority)),
        bad=records.bad.union(judged(0)),
        wonky=records.wonky.union(judged(params.one_third)),
    )


def _check_culprit(
    culprit: Culprit, records: DisputeRecords, known: Set[bytes], checks: SignatureChecks
) -> None:
    """A culprit is a validator who guaranteed a report that is bad (equation 10.5)."""
    if culprit.report_hash not in records.bad:
        raise DisputesError("culprits_verdict_not_bad", report=culprit.report_hash)
    _check_offender(culprit.key, "bad_guarantor_key", records, known)
    checks.ed25519(
        culprit.key,
        guarantee_message(culprit.report_hash),
        culprit.signature,
        DisputesError("bad_signature", report=culprit.report_hash, culprit=culprit.key),
    )


def _check_fault(
    fault: Fault, records: DisputeRecords, known: Set[bytes], checks: SignatureChecks
) -> None:
    """A fault is a validator's judgment against the verdict (equation 10.6)."""
    report = fault.report_hash
    bad, good = report in records.bad, report in records.good
    if bad is good or bad is not fault.valid:
        raise DisputesError("fault_verdict_wrong", report=report, valid=fault.valid)
    _check_offender(fault.key, "bad_auditor_key", records, known)
    checks.ed25519(
        fault.key,
        JUDGMENT_CONTEXTS[fault.valid] + report,
        fault.signature,
        DisputesError("bad_signature", report=report, fault=fault.key),
    )


def _check_offender(key: bytes, code: str, records: DisputeRecords, known: Set[bytes]) -> None:
    """An offender is a validator of either set who was not punished before (section 10.2)."""
    if key in records.offenders:
        raise DisputesError("offender_already_reported", key=key)
    if key not in known:
        raise DisputesError(code, key=key)


def _check_consequences(params: ChainParams, extrinsic: Disputes, votes: dict[bytes, int]) -> None:
    """A good verdict comes with a fault, a bad one with two culprits (equations 10.13 and 10.14)."""
    culprits = Counter([culprit.report_hash for culprit in extrinsic.culprits])
    faults = {fault.report_hash for fault in extrinsic.faults}
    for report, positive in votes.items():
        if positive == params.super_majority and report not in faults:
            raise DisputesError("not_enough_faults", report=report)
        if positive == 0 and culprits[report] < 2:
            raise DisputesError("not_enough_culprits", report=report, culprits=culprits[report])


def _without_condemned(
    params: ChainParams, pending: tuple[PendingReport | None, ...], votes: dict[bytes, int]
) -> tuple[PendingReport | None, ...]:
    """Pending reports except those judged bad or wonky (equation 10.15)."""
    condemned = {report for report, count in votes.items() if count < params.super_majority}
    if not condemned:
        return pending
    return tuple(
        [
            None if place is not None and report_hash(params, place.report) in condemned else place
            for place in pending
        ]
    )
