"""Blocks that are right but for one thing and sealed again, and the rule that each of them breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jamliquor.author import statements
from jamliquor.state import keys
from jamliquor.stf.reports import report_hash
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Assurance, Disputes, Guarantee, Preimage, TicketEnvelope
from jamliquor.types.header import EpochMark, Ticket
from tests.support.maker import SERVICE, Made, Maker, secrets
from tests.support.scripted_service import GAS

ONES = b"\x01" * 32


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def ordinary(maker: Maker) -> Made:
    """A block within an epoch, with a guarantee for each core."""
    first = maker.make(maker.root, 1)
    reports = [maker.report(first.hash, core) for core in (0, 1)]
    guarantees = [maker.guarantee(first.hash, report, 2) for report in reports]
    return maker.make(first.hash, 2, guarantees=guarantees)


@pytest.fixture(scope="module")
def assured(maker: Maker, ordinary: Made) -> Made:
    """The block that assures the reports of the one before."""
    return maker.make(ordinary.hash, 3)


@pytest.fixture(scope="module")
def changing(maker: Maker, ordinary: Made) -> Made:
    """The first block of an epoch."""
    return maker.make(ordinary.hash, 12)


@pytest.fixture(scope="module")
def contested(maker: Maker, ordinary: Made) -> Made:
    """A block with two tickets."""
    return maker.make(ordinary.hash, 4, ticket_count=2)


def test_nothing_altered_is_the_same_block(maker: Maker, ordinary: Made) -> None:
    assert maker.altered(ordinary.block) == ordinary.block


HEADER: list[tuple[str, dict[str, Any]]] = [
    ("header.bad_extrinsic_hash", {"extrinsic_hash": ONES}),
    ("header.bad_parent_state_root", {"parent_state_root": ONES}),
    ("header.bad_epoch_mark", {"epoch_mark": EpochMark(ONES, ONES, ((ONES, ONES),) * 6)}),
    ("header.bad_tickets_mark", {"tickets_mark": (Ticket(ONES, 0),) * 12}),
    ("header.bad_offenders_mark", {"offenders_mark": (ONES,)}),
    ("header.bad_author_index", {"author_index": 6}),
    ("header.bad_seal", {"seal": bytes(96)}),
    ("header.bad_entropy_source", {"entropy_source": bytes(96)}),
    ("safrole.bad_slot", {"slot": 1}),
]


@pytest.mark.parametrize(("code", "changes"), HEADER, ids=[code for code, _ in HEADER])
def test_a_header(maker: Maker, ordinary: Made, code: str, changes: dict[str, Any]) -> None:
    assert maker.refusal(maker.altered(ordinary.block, **changes)) == code


def test_a_header_by_another_author(maker: Maker, ordinary: Made) -> None:
    other = (ordinary.block.header.author_index + 1) % 6
    altered = maker.altered(ordinary.block, author_index=other)
    assert maker.refusal(altered) == "header.unexpected_author"


def test_a_header_changed_behind_its_seal(maker: Maker, ordinary: Made) -> None:
    """Everything but the seal agrees: the extrinsic and its hash are another block's."""
    altered = maker.altered(ordinary.block, guarantees=())
    assert (
        maker.refusal(altered._replace(header=altered.header._replace(seal=ordinary.block.header.seal)))
        == "header.bad_seal"
    )


def test_an_entropy_signature_of_another_epoch(maker: Maker, ordinary: Made, changing: Made) -> None:
    altered = maker.altered(ordinary.block, entropy_source=changing.block.header.entropy_source)
    assert maker.refusal(altered) == "header.bad_entropy_source"


def test_another_slot_has_another_author(maker: Maker, ordinary: Made) -> None:
    block = maker.altered(ordinary.block, slot=3)
    assert maker.importer.import_block(block).slot == 3


def test_an_epoch_without_its_mark(maker: Maker, changing: Made) -> None:
    assert maker.refusal(maker.altered(changing.block, epoch_mark=None)) == "header.bad_epoch_mark"


def test_an_epoch_with_another_mark(maker: Maker, changing: Made) -> None:
    mark = changing.block.header.epoch_mark
    assert mark is not None
    altered = maker.altered(changing.block, epoch_mark=mark._replace(validators=mark.validators[::-1]))
    assert maker.refusal(altered) == "header.bad_epoch_mark"


GuaranteeChange = Callable[[Guarantee], Guarantee]


def _report(**changes: Any) -> GuaranteeChange:
    """The report with other fields, its guarantors' signatures as they were."""
    return lambda item: item._replace(report=item.report._replace(**changes))


def _context(**changes: Any) -> GuaranteeChange:
    def changed(item: Guarantee) -> Guarantee:
        return _report(context=item.report.context._replace(**changes))(item)

    return changed


def _digest(**changes: Any) -> GuaranteeChange:
    def changed(item: Guarantee) -> Guarantee:
        return _report(digests=(item.report.digests[0]._replace(**changes),))(item)

    return changed


GUARANTEES: list[tuple[str, GuaranteeChange]] = [
    ("bad_core_index", _report(core=2)),
    ("missing_work_results", _report(digests=())),
    ("core_unauthorized", _report(authorizer_hash=ONES)),
    ("dependency_missing", _context(prerequisites=(ONES,))),
    ("anchor_not_recent", _context(anchor=ONES)),
    ("bad_state_root", _context(anchor_state_root=ONES)),
    ("bad_beefy_mmr_root", _context(anchor_accumulation_root=ONES)),
    ("lookup_anchor_not_ancestor", _context(lookup_anchor=ONES)),
    ("bad_service_id", _digest(service=7)),
    ("bad_code_hash", _digest(code_hash=ONES)),
    ("work_report_gas_too_high", _digest(accumulate_gas=11 * GAS)),
    ("segment_root_lookup_invalid", _report(segment_root_lookup=((ONES, ONES),))),
    ("future_report_slot", lambda item: item._replace(slot=3)),
    ("insufficient_guarantees", lambda item: item._replace(credentials=item.credentials[:1])),
    ("too_many_guarantees", lambda item: item._replace(credentials=item.credentials * 2)),
    (
        "not_sorted_or_unique_guarantors",
        lambda item: item._replace(credentials=item.credentials[::-1]),
    ),
    (
        "bad_validator_index",
        lambda item: item._replace(
            credentials=(item.credentials[0], item.credentials[1]._replace(validator=6))
        ),
    ),
]


@pytest.mark.parametrize(("code", "change"), GUARANTEES, ids=[code for code, _ in GUARANTEES])
def test_a_guarantee(maker: Maker, ordinary: Made, code: str, change: GuaranteeChange) -> None:
    one = ordinary.block.extrinsic.guarantees[0]
    altered = maker.altered(ordinary.block, guarantees=(change(one),))
    assert maker.refusal(altered) == f"reports.{code}"


def test_a_guarantee_of_another_report_than_was_signed(maker: Maker, ordinary: Made) -> None:
    one = ordinary.block.extrinsic.guarantees[0]
    altered = maker.altered(ordinary.block, guarantees=(_report(auth_gas_used=2)(one),))
    assert maker.refusal(altered) == "reports.bad_signature"


def test_guarantees_out_of_order(maker: Maker, ordinary: Made) -> None:
    altered = maker.altered(ordinary.block, guarantees=ordinary.block.extrinsic.guarantees[::-1])
    assert maker.refusal(altered) == "reports.out_of_order_guarantee"


def test_a_guarantee_on_a_core_in_use(maker: Maker, ordinary: Made) -> None:
    made = maker.make(ordinary.hash, 3, assurances=())
    report = maker.report(ordinary.hash, 0)
    guarantee = maker.guarantee(ordinary.hash, report, 3)
    assert maker.refusal(maker.altered(made.block, guarantees=(guarantee,))) == "reports.core_engaged"


def test_a_package_twice(maker: Maker, assured: Made) -> None:
    made = maker.make(assured.hash, 4)
    again = maker.made[assured.parent].block.extrinsic.guarantees[0].report
    guarantee = maker.guarantee(assured.hash, again, 4)
    altered = maker.altered(made.block, guarantees=(guarantee,))
    assert maker.refusal(altered) == "reports.duplicate_package"


AssuranceChange = Callable[[tuple[Assurance, ...]], tuple[Assurance, ...]]

ASSURANCES: list[tuple[str, AssuranceChange]] = [
    ("bad_attestation_parent", lambda items: (items[0]._replace(anchor=ONES),)),
    ("bad_validator_index", lambda items: (items[0]._replace(validator=6),)),
    ("not_sorted_or_unique_assurers", lambda items: items[::-1]),
    ("bad_signature", lambda items: (items[0]._replace(availabilities=b"\x01"),)),
]


@pytest.mark.parametrize(("code", "change"), ASSURANCES, ids=[code for code, _ in ASSURANCES])
def test_assurances(maker: Maker, assured: Made, code: str, change: AssuranceChange) -> None:
    altered = maker.altered(assured.block, assurances=change(assured.block.extrinsic.assurances))
    assert maker.refusal(altered) == f"assurances.{code}"


def test_an_assurance_of_an_idle_core(maker: Maker, ordinary: Made) -> None:
    first = maker.importer.state_of(ordinary.parent)
    assert first is not None
    key = secrets()[0].ed25519
    idle = (statements.assurance(maker.params, key, 0, ordinary.parent, [1]),)
    altered = maker.altered(ordinary.block, assurances=idle)
    assert maker.refusal(altered) == "assurances.core_not_engaged"


TicketChange = Callable[[tuple[TicketEnvelope, ...]], tuple[TicketEnvelope, ...]]

TICKETS: list[tuple[str, TicketChange]] = [
    ("bad_ticket_order", lambda items: items[::-1]),
    ("duplicate_ticket", lambda items: (items[0], items[0])),
    ("bad_ticket_attempt", lambda items: (items[0]._replace(attempt=3),)),
    ("too_many_tickets", lambda items: items * 2),
    (
        "bad_ticket_proof",
        lambda items: (items[0]._replace(proof=items[0].proof[:-1] + b"\xff"),),
    ),
    ("bad_ticket_proof", lambda items: (items[0]._replace(attempt=(items[0].attempt + 1) % 3),)),
]


@pytest.mark.parametrize(("code", "change"), TICKETS)
def test_tickets(maker: Maker, contested: Made, code: str, change: TicketChange) -> None:
    altered = maker.altered(contested.block, tickets=change(contested.block.extrinsic.tickets))
    assert maker.refusal(altered) == f"safrole.{code}"


def test_a_ticket_that_was_submitted_before(maker: Maker, contested: Made) -> None:
    made = maker.make(contested.hash)
    altered = maker.altered(made.block, tickets=contested.block.extrinsic.tickets)
    assert maker.refusal(altered) == "safrole.duplicate_ticket"


def test_a_ticket_after_the_contest(maker: Maker, contested: Made) -> None:
    altered = maker.altered(contested.block, slot=10, assurances=(), guarantees=())
    assert maker.refusal(altered) == "safrole.unexpected_ticket"


def test_a_preimage_that_nobody_asked_for(maker: Maker, ordinary: Made) -> None:
    altered = maker.altered(ordinary.block, preimages=(Preimage(SERVICE, b"unasked"),))
    assert maker.refusal(altered) == "preimages.preimage_unneeded"


# Disputes, on a block whose offenders' mark follows them.


def _disputed(maker: Maker, made: Made, disputes: Disputes) -> Block:
    mark = (*(item.key for item in disputes.culprits), *(item.key for item in disputes.faults))
    return maker.altered(made.block, disputes=disputes, offenders_mark=mark)


@pytest.fixture(scope="module")
def condemned(maker: Maker, assured: Made) -> Disputes:
    """A bad verdict with both culprits, for the block that assures the report."""
    ahead = maker.outlook(assured.parent)
    pending = ahead.prior.component(keys.PENDING_REPORTS)[0]
    hashed = report_hash(maker.params, pending.report)
    culprits = [statements.culprit(secret.ed25519, hashed) for secret in secrets()[:2]]
    return Disputes(
        (statements.gather_verdict(ahead, hashed, 0, maker.keyring),),
        tuple(sorted(culprits, key=lambda proof: proof.key)),
        (),
    )


def test_a_condemned_report_cannot_be_assured(maker: Maker, assured: Made, condemned: Disputes) -> None:
    block = _disputed(maker, assured, condemned)
    assert maker.refusal(block) == "assurances.core_not_engaged"
    one = statements.gather_assurances(
        maker.outlook(assured.parent, assured.slot, condemned), assured.parent, maker.keyring
    )
    accepted = maker.importer.import_block(maker.altered(block, assurances=one))
    assert accepted.state.component(keys.PENDING_REPORTS) == (None, None)


DisputesChange = Callable[[Disputes], Disputes]


def _votes(change: Callable[[Any], Any]) -> DisputesChange:
    def changed(item: Disputes) -> Disputes:
        verdict = item.verdicts[0]
        return item._replace(verdicts=(verdict._replace(judgments=change(verdict.judgments)),))

    return changed


DISPUTES: list[tuple[str, DisputesChange]] = [
    ("not_enough_culprits", lambda item: item._replace(culprits=item.culprits[:1])),
    ("culprits_not_sorted_unique", lambda item: item._replace(culprits=item.culprits[::-1])),
    ("culprits_verdict_not_bad", lambda item: item._replace(verdicts=())),
    ("judgements_not_sorted_unique", _votes(lambda votes: votes[::-1])),
    ("bad_vote_split", _votes(lambda votes: (votes[0]._replace(valid=True), *votes[1:]))),
    (
        "bad_signature",
        _votes(lambda votes: (votes[0]._replace(signature=votes[1].signature), *votes[1:])),
    ),
    ("bad_validator_index", _votes(lambda votes: (*votes[:-1], votes[-1]._replace(validator=6)))),
    (
        "bad_judgement_age",
        lambda item: item._replace(verdicts=(item.verdicts[0]._replace(epoch=1),)),
    ),
    (
        "bad_guarantor_key",
        lambda item: item._replace(culprits=(item.culprits[0]._replace(key=ONES),)),
    ),
]


@pytest.mark.parametrize(("code", "change"), DISPUTES, ids=[code for code, _ in DISPUTES])
def test_disputes(
    maker: Maker, assured: Made, condemned: Disputes, code: str, change: DisputesChange
) -> None:
    block = _disputed(maker, assured, change(condemned))
    assert maker.refusal(maker.altered(block, assurances=())) == f"disputes.{code}"


def test_the_mark_of_offenders_is_missing(maker: Maker, assured: Made, condemned: Disputes) -> None:
    block = maker.altered(assured.block, disputes=condemned, assurances=())
    assert maker.refusal(block) == "header.bad_offenders_mark"
