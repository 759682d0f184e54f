"""Guarantees beyond the vectors: every rule once, boundaries, and what is allowed (section 11.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from jamliquor.codec import codec
from jamliquor.crypto import ed25519
from jamliquor.crypto.ed25519 import SecretKey
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import ReportsError
from jamliquor.params import TINY
from jamliquor.stf.guarantors import Assignment, current_assignment, previous_assignment
from jamliquor.stf.reports import (
    ReportingState,
    ReportsOutcome,
    guarantee_message,
    process_guarantees,
    report_hash,
    report_hashes,
)
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Credential, Guarantee
from jamliquor.types.state import (
    PendingReport,
    ReadyReport,
    RecentBlock,
    ServiceAccount,
    ValidatorKeys,
)
from jamliquor.types.work import (
    AvailabilitySpecification,
    RefinementContext,
    WorkDigest,
    WorkError,
    WorkReport,
)

# Epoch 2 of the tiny chain starts at slot 24; a rotation has 4 slots.
SLOT = 29
SERVICE = 42
AUTHORIZER, CODE, ANCHOR, STATE_ROOT, OUTPUTS, LOOKUP_ANCHOR = (
    bytes([tag]) * 32 for tag in range(0xA0, 0xA6)
)
RECENT_PACKAGE, RECENT_ROOT, ROOT = b"\xb0" * 32, b"\xb1" * 32, b"\xb2" * 32
U64_MAX = 2**64 - 1

SECRETS = [SecretKey.from_seed(bytes([seed]) * 32) for seed in range(1, 13)]
BY_PUBLIC = {secret.public: secret for secret in SECRETS}
VALIDATORS = [ValidatorKeys(bytes(32), secret.public, bytes(144), bytes(128)) for secret in SECRETS]
CURRENT, PREVIOUS = tuple(VALIDATORS[:6]), tuple(VALIDATORS[6:])


def package(tag: int) -> bytes:
    return bytes([tag]) * 32


def make_digest(**changes: Any) -> WorkDigest:
    return WorkDigest(SERVICE, CODE, bytes(32), 1_000, b"out", 5, 1, 2, 3, 4)._replace(**changes)


def make_report(core: int = 0, tag: int = 1, **changes: Any) -> WorkReport:
    """A report that nothing is wrong with; fields of its context may be given too."""
    context = RefinementContext(ANCHOR, STATE_ROOT, OUTPUTS, LOOKUP_ANCHOR, 20, ())
    inner = {name: changes.pop(name) for name in tuple(changes) if name in context._fields}
    return WorkReport(
        AvailabilitySpecification(package(tag), 100, bytes(32), ROOT, 1),
        context._replace(**inner),
        core,
        AUTHORIZER,
        7,
        b"trace",
        (),
        (make_digest(),),
    )._replace(**changes)


def make_account(**changes: Any) -> ServiceAccount:
    return ServiceAccount(0, CODE, 10**9, 500, 10, 0, 0, 0, 0, 0, 0)._replace(**changes)


def make_state() -> ReportingState:
    accounts = {SERVICE: make_account()}
    return ReportingState(
        slot=SLOT,
        pending_before=(None, None),
        pending=(None, None),
        current_validators=CURRENT,
        previous_validators=PREVIOUS,
        entropy=tuple(bytes([tag]) * 32 for tag in range(4)),
        offenders=frozenset(),
        recent_blocks=(
            RecentBlock(b"\xc0" * 32, bytes(32), bytes(32), {}),
            RecentBlock(ANCHOR, OUTPUTS, STATE_ROOT, {RECENT_PACKAGE: RECENT_ROOT}),
        ),
        pools=((AUTHORIZER,), (b"\xc1" * 32, AUTHORIZER)),
        ready=((),) * TINY.epoch_length,
        accumulated=(frozenset(),) * TINY.epoch_length,
        account=accounts.get,
        ancestry=lambda header, slot: (header, slot) == (LOOKUP_ANCHOR, 20),
    )


GOOD_STATE = make_state()


@dataclass(frozen=True)
class Case:
    """Reports to be guaranteed, where and when, and the guarantees once they are signed."""

    reports: tuple[WorkReport, ...] = (make_report(),)
    state: ReportingState = GOOD_STATE
    made_at: int = SLOT
    tamper: Callable[[Guarantee], Guarantee] = lambda guarantee: guarantee

    def assignment(self) -> Assignment:
        state = self.state
        if self.made_at // 4 == state.slot // 4:
            return current_assignment(TINY, state.slot, state.entropy, state.current_validators)
        return previous_assignment(
            TINY, state.slot, state.entropy, state.current_validators, state.previous_validators
        )

    def guarantee(self, report: WorkReport) -> Guarantee:
        cores, validators = self.assignment()
        message = guarantee_message(report_hash(TINY, report))
        credentials = tuple(
            Credential(index, BY_PUBLIC[keys.ed25519].sign(message))
            for index, keys in enumerate(validators)
            if cores[index] == report.core and keys.ed25519 in BY_PUBLIC
        )
        return self.tamper(Guarantee(report, self.made_at, credentials))

    def run(self) -> ReportsOutcome:
        guarantees = tuple(self.guarantee(report) for report in self.reports)
        hashes = [report_hash(TINY, guarantee.report) for guarantee in guarantees]
        checks = SignatureChecks()
        outcome = process_guarantees(TINY, guarantees, hashes, self.state, checks)
        checks.verify()
        return outcome


def one(**changes: Any) -> Case:
    """A case of one report with these changes."""
    return Case(reports=(make_report(**changes),))


def two(first: dict[str, Any], second: dict[str, Any]) -> Case:
    """A case of a report on each core, of packages 1 and 2."""
    return Case(reports=(make_report(0, 1, **first), make_report(1, 2, **second)))


def within(case: Case, **changes: Any) -> Case:
    """The case with a changed state."""
    return replace(case, state=case.state._replace(**changes))


def credentials(change: Callable[[tuple[Credential, ...]], tuple[Credential, ...]]) -> Case:
    """A good report with changed credentials."""
    return Case(tamper=lambda g: g._replace(credentials=change(g.credentials)))


def guarantors(case: Case, core: int) -> list[bytes]:
    """The keys assigned to a core."""
    cores, validators = case.assignment()
    return [validators[index].ed25519 for index in range(6) if cores[index] == core]


def ready_with(report: WorkReport) -> tuple[tuple[ReadyReport, ...], ...]:
    return ((), (ReadyReport(report, frozenset()),), *((),) * (TINY.epoch_length - 2))


def history_with(tag: int) -> tuple[RecentBlock, ...]:
    first, second = GOOD_STATE.recent_blocks
    return first._replace(reported={package(tag): ROOT}), second


def accounts(**changes: Any) -> Callable[[int], ServiceAccount | None]:
    return {SERVICE: make_account(**changes)}.get


GAS_LIMIT, SIZE_LIMIT = TINY.report_accumulation_gas, TINY.max_report_variable_size
DEPENDENCIES = tuple(package(tag) for tag in range(0x10, 0x19))
PENDING_1 = (None, PendingReport(make_report(1, 1), 27))
ACCUMULATED_1 = (*(frozenset[bytes](),) * 11, frozenset({package(1)}))

REFUSED: dict[str, tuple[str, Case]] = {
    "core that does not exist": ("bad_core_index", one(core=2)),
    "core as large as can be encoded": ("bad_core_index", one(core=U64_MAX)),
    "cores in descending order": (
        "out_of_order_guarantee",
        Case(reports=(make_report(1, 1), make_report(0, 2))),
    ),
    "two reports on a core": (
        "out_of_order_guarantee",
        Case(reports=(make_report(0, 1), make_report(0, 2))),
    ),
    "no items": ("missing_work_results", one(digests=())),
    "more items than allowed": (
        "too_many_work_results",
        one(digests=(make_digest(),) * (TINY.max_work_items + 1)),
    ),
    "too many prerequisites": ("too_many_dependencies", one(prerequisites=DEPENDENCIES)),
    "too many of both kinds": (
        "too_many_dependencies",
        one(
            prerequisites=DEPENDENCIES[:4],
            segment_root_lookup=tuple((name, ROOT) for name in DEPENDENCIES[:5]),
        ),
    ),
    "prerequisites not in order": (
        "unordered_dependencies",
        one(prerequisites=(RECENT_PACKAGE, package(1))),
    ),
    "a prerequisite twice": (
        "unordered_dependencies",
        one(prerequisites=(RECENT_PACKAGE, RECENT_PACKAGE)),
    ),
    "a segment root twice": (
        "unordered_dependencies",
        one(segment_root_lookup=((RECENT_PACKAGE, RECENT_ROOT),) * 2),
    ),
    "output above the limit": (
        "work_report_too_big",
        one(auth_trace=b"t", digests=(make_digest(result=bytes(SIZE_LIMIT)),)),
    ),
    "trace above the limit": (
        "work_report_too_big",
        one(auth_trace=bytes(SIZE_LIMIT + 1), digests=(make_digest(result=WorkError.PANIC),)),
    ),
    "outputs above the limit together": (
        "work_report_too_big",
        one(auth_trace=b"", digests=(make_digest(result=bytes(SIZE_LIMIT // 2 + 1)),) * 2),
    ),
    "made in the future": ("future_report_slot", Case(made_at=SLOT + 1)),
    "made before the last rotation": ("report_epoch_before_last", Case(made_at=23)),
    "one guarantor": ("insufficient_guarantees", credentials(lambda c: c[:1])),
    "no guarantor": ("insufficient_guarantees", credentials(lambda c: ())),
    "four guarantors": ("too_many_guarantees", credentials(lambda c: (*c, c[2]))),
    "guarantors in descending order": (
        "not_sorted_or_unique_guarantors",
        credentials(lambda c: c[::-1]),
    ),
    "a guarantor twice": (
        "not_sorted_or_unique_guarantors",
        credentials(lambda c: (c[0], c[0])),
    ),
    "a guarantor that does not exist": (
        "bad_validator_index",
        credentials(lambda c: (c[0], c[1]._replace(validator=6))),
    ),
    "guarantors of another core": (
        "wrong_assignment",
        Case(tamper=lambda g: g._replace(report=make_report(1))),
    ),
    "guarantors of another rotation": (
        "wrong_assignment",
        Case(tamper=lambda g: g._replace(slot=27)),
    ),
    "a signature over another report": (
        "bad_signature",
        Case(tamper=lambda g: g._replace(report=make_report(tag=2))),
    ),
    "signatures exchanged": (
        "bad_signature",
        credentials(
            lambda c: (
                c[0]._replace(signature=c[1].signature),
                c[1]._replace(signature=c[0].signature),
            )
        ),
    ),
    "core with a pending report": ("core_engaged", within(Case(), pending=PENDING_1[::-1])),
    "authorizer of another core's pool": (
        "core_unauthorized",
        within(Case(), pools=((b"\xc1" * 32,), (AUTHORIZER,))),
    ),
    "empty pool": ("core_unauthorized", within(Case(), pools=((), ()))),
    "unknown service": ("bad_service_id", one(digests=(make_digest(), make_digest(service=43)))),
    "old code": ("bad_code_hash", one(digests=(make_digest(code_hash=bytes(32)),))),
    "one unit short of the minimum gas": (
        "service_item_gas_too_low",
        one(digests=(make_digest(accumulate_gas=499),)),
    ),
    "largest minimum gas": (
        "service_item_gas_too_low",
        within(
            one(digests=(make_digest(accumulate_gas=GAS_LIMIT),)),
            account=accounts(min_item_gas=U64_MAX),
        ),
    ),
    "one unit of gas too much": (
        "work_report_gas_too_high",
        one(digests=(make_digest(accumulate_gas=GAS_LIMIT - 499), make_digest(accumulate_gas=500))),
    ),
    "most gas that can be encoded": (
        "work_report_gas_too_high",
        one(digests=(make_digest(accumulate_gas=U64_MAX),)),
    ),
    "gas whose sum exceeds 64 bits": (
        "work_report_gas_too_high",
        one(digests=(make_digest(accumulate_gas=U64_MAX), make_digest(accumulate_gas=501))),
    ),
    "anchor not among the recent blocks": ("anchor_not_recent", one(anchor=LOOKUP_ANCHOR)),
    "another state root": ("bad_state_root", one(anchor_state_root=OUTPUTS)),
    "another accumulation root": ("bad_beefy_mmr_root", one(anchor_accumulation_root=ANCHOR)),
    "lookup anchor too old": (
        "lookup_anchor_not_recent",
        within(Case(made_at=45), slot=45),
    ),
    "lookup anchor that is no ancestor": (
        "lookup_anchor_not_ancestor",
        one(lookup_anchor=b"\xd0" * 32),
    ),
    "lookup anchor of another slot": ("lookup_anchor_not_ancestor", one(lookup_anchor_slot=21)),
    "package twice in the block": (
        "duplicate_package",
        Case(reports=(make_report(0, 1), make_report(1, 1))),
    ),
    "package of a recent block": (
        "duplicate_package",
        within(Case(), recent_blocks=history_with(1)),
    ),
    "package in the ready queue": (
        "duplicate_package",
        within(Case(), ready=ready_with(make_report(1, 1))),
    ),
    "package accumulated": ("duplicate_package", within(Case(), accumulated=ACCUMULATED_1)),
    "package pending on the other core": (
        "duplicate_package",
        within(Case(), pending_before=PENDING_1, pending=PENDING_1),
    ),
    "package pending until this block": (
        "duplicate_package",
        within(Case(), pending_before=(PendingReport(make_report(), 24), None)),
    ),
    "prerequisite that nobody reported": (
        "dependency_missing",
        one(prerequisites=(package(0x10),)),
    ),
    "prerequisite accumulated before recent history": (
        "dependency_missing",
        within(
            one(prerequisites=(package(2),)),
            accumulated=(frozenset({package(2)}),) * TINY.epoch_length,
        ),
    ),
    "prerequisite in the ready queue only": (
        "dependency_missing",
        within(one(prerequisites=(package(2),)), ready=ready_with(make_report(1, 2))),
    ),
    "prerequisite pending only": (
        "dependency_missing",
        within(
            one(prerequisites=(package(2),)),
            pending_before=(None, PendingReport(make_report(1, 2), 27)),
        ),
    ),
    "segment root of an unknown package": (
        "segment_root_lookup_invalid",
        one(segment_root_lookup=((package(0x10), ROOT),)),
    ),
    "wrong segment root of a recent package": (
        "segment_root_lookup_invalid",
        one(segment_root_lookup=((RECENT_PACKAGE, ROOT),)),
    ),
    "wrong segment root of a package of this block": (
        "segment_root_lookup_invalid",
        two({"segment_root_lookup": ((package(2), RECENT_ROOT),)}, {}),
    ),
}

ALLOWED: dict[str, Case] = {
    "most items": one(digests=(make_digest(accumulate_gas=500),) * TINY.max_work_items),
    "most dependencies": within(
        one(
            prerequisites=DEPENDENCIES[:4],
            segment_root_lookup=tuple((name, ROOT) for name in DEPENDENCIES[:4]),
        ),
        recent_blocks=(
            GOOD_STATE.recent_blocks[1]._replace(reported=dict.fromkeys(DEPENDENCIES, ROOT)),
        ),
    ),
    "size at the limit, errors without size": one(
        auth_trace=b"trace",
        digests=(
            make_digest(result=bytes(SIZE_LIMIT - 5)),
            make_digest(result=WorkError.OUT_OF_GAS),
        ),
    ),
    "gas at the limit": one(digests=(make_digest(accumulate_gas=GAS_LIMIT),)),
    "gas at the service's minimum": one(digests=(make_digest(accumulate_gas=500),)),
    "first slot of this rotation": Case(made_at=28),
    "last slot of the last rotation": Case(made_at=27),
    "first slot of the last rotation": Case(made_at=24),
    "last rotation in the epoch before": within(Case(made_at=20), slot=24),
    "first rotation of the chain": within(
        replace(one(lookup_anchor_slot=0), made_at=0), slot=3, ancestry=None
    ),
    "two guarantors": credentials(lambda c: c[:2]),
    "other core engaged": within(Case(), pending=(None, PendingReport(make_report(1, 2), 27))),
    "lookup anchor of the greatest age": within(Case(made_at=44), slot=44),
    "ancestry not known": within(one(lookup_anchor=b"\xd0" * 32), ancestry=None),
    "prerequisite only in the same block": two({"prerequisites": (package(2),)}, {}),
    "prerequisites in a loop": two({"prerequisites": (package(2),)}, {"prerequisites": (package(1),)}),
    "prerequisite in recent history": one(prerequisites=(RECENT_PACKAGE,)),
    "segment root only of the same block": two({}, {"segment_root_lookup": ((package(1), ROOT),)}),
    "segment root of recent history": one(segment_root_lookup=((RECENT_PACKAGE, RECENT_ROOT),)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    code, case = REFUSED[name]
    with pytest.raises(ReportsError) as caught:
        case.run()
    assert caught.value.code == code


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(name: str) -> None:
    case = ALLOWED[name]
    outcome = case.run()
    assert outcome.reported == {package(tag): ROOT for tag in range(1, len(case.reports) + 1)}
    for report in case.reports:
        assert outcome.pending[report.core] == PendingReport(report, case.state.slot)


def test_no_guarantees_leave_everything_alone() -> None:
    state = GOOD_STATE._replace(pending=PENDING_1)
    outcome = process_guarantees(TINY, (), [], state, SignatureChecks())
    assert outcome == (state.pending, frozenset(), {})
    assert outcome.pending is state.pending


def test_other_cores_keep_their_reports() -> None:
    kept = PendingReport(make_report(1, 2), 27)
    outcome = within(Case(), pending=(None, kept)).run()
    assert outcome.pending[1] is kept


def test_reporters_are_those_who_signed() -> None:
    case = Case()
    assert case.run().reporters == set(guarantors(case, 0))
    assert credentials(lambda c: c[1:]).run().reporters == set(guarantors(case, 0)[1:])


def test_reporters_of_the_epoch_before_are_previous_validators() -> None:
    case = within(Case(made_at=23), slot=25)
    reporters = case.run().reporters
    assert reporters == set(guarantors(case, 0))
    assert reporters <= {keys.ed25519 for keys in PREVIOUS}


@pytest.mark.parametrize(("made_at", "slot"), [(29, 29), (25, 29), (23, 25)])
def test_an_offender_may_not_guarantee(made_at: int, slot: int) -> None:
    case = within(Case(made_at=made_at), slot=slot)
    offender = guarantors(case, 0)[1]
    case = within(case, offenders=frozenset({offender, bytes(32)}))
    with pytest.raises(ReportsError) as caught:
        case.run()
    assert caught.value.code == "banned_validator"
    # Without the offender the same report stands.
    outcome = replace(
        case, tamper=lambda g: g._replace(credentials=(g.credentials[0], g.credentials[2]))
    ).run()
    assert offender not in outcome.reporters


def test_a_null_key_may_not_guarantee() -> None:
    case = Case()
    cores, _ = case.assignment()
    index = cores.index(0)
    nulled = tuple(
        keys._replace(ed25519=bytes(32)) if at == index else keys for at, keys in enumerate(CURRENT)
    )
    # The identity and a zero scalar: holds under the point of small order that zeroes encode.
    forged = Credential(index, b"\x01" + bytes(63))
    ed25519.verify(bytes(32), b"any message", forged.signature)
    case = replace(
        within(case, current_validators=nulled),
        tamper=lambda g: g._replace(credentials=tuple(sorted((forged, *g.credentials)))),
    )
    with pytest.raises(ReportsError) as caught:
        case.run()
    assert caught.value.code == "banned_validator"


def test_what_guarantors_sign() -> None:
    case = Case()
    [report] = case.reports
    hashed = blake2b(codec(WorkReport, TINY).encode(report))
    assert report_hash(TINY, report) == hashed
    guarantee = Guarantee(report, 1, ())
    assert report_hashes(TINY, (guarantee,) * 2) == (hashed,) * 2
    assert guarantee_message(hashed) == b"jam_guarantee" + hashed


def test_the_package_seen_before_is_named() -> None:
    code, case = REFUSED["package of a recent block"]
    with pytest.raises(ReportsError, match=code) as caught:
        case.run()
    assert caught.value.fields["package"] == case.reports[0].specification.package_hash
