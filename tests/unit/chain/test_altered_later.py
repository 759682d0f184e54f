"""More altered blocks, on a chain with a history: offenders, tickets, judged reports, old work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jamliquor.author import statements, tickets
from jamliquor.stf.reports import report_hash
from jamliquor.types.extrinsic import Disputes, Guarantee, Preimage
from jamliquor.types.header import EpochMark
from jamliquor.types.work import WorkReport
from tests.support.maker import SERVICE, Made, Maker, secrets
from tests.support.story import LATE_OFFENDER, OFFENDERS, Story, tell

ONES = b"\x01" * 32
NINE = tuple(bytes([tag]) * 32 for tag in range(9))
MOST = 2**64 - 1


@pytest.fixture(scope="module")
def story() -> Story:
    return tell()


@pytest.fixture(scope="module")
def maker(story: Story) -> Maker:
    return story.maker


def _at(story: Story, slot: int) -> Made:
    """The block of the main line at a slot."""
    [made] = [made for made in story.maker.path(story.head.hash) if made.slot == slot]
    return made


# Work: reports as the guarantors signed them, but reports that may not be.


def _reported(maker: Maker, made: Made, change: Callable[[WorkReport], WorkReport]) -> Guarantee:
    """The block's first report, changed before its guarantors sign it."""
    report = change(made.block.extrinsic.guarantees[0].report)
    return maker.guarantee(made.parent, report, made.slot)


def _digests(report: WorkReport, count: int, **changes: Any) -> WorkReport:
    return report._replace(digests=(report.digests[0]._replace(**changes),) * count)


def _prerequisites(report: WorkReport, *packages: bytes) -> WorkReport:
    return report._replace(context=report.context._replace(prerequisites=packages))


SIGNED: list[tuple[str, Callable[[WorkReport], WorkReport]]] = [
    ("statistics.statistics_overflow", lambda r: _digests(r, 2, gas_used=MOST)),
    ("statistics.statistics_overflow", lambda r: _digests(r, 2, import_count=MOST)),
    ("statistics.statistics_overflow", lambda r: _digests(r, 2, extrinsic_size=MOST)),
    ("reports.work_report_gas_too_high", lambda r: _digests(r, 2, accumulate_gas=MOST)),
    ("reports.too_many_work_results", lambda r: _digests(r, 17, accumulate_gas=1)),
    ("reports.work_report_too_big", lambda r: r._replace(auth_trace=bytes(48 * 1024 + 1))),
    (
        "reports.too_many_dependencies",
        lambda r: _prerequisites(r, *NINE),
    ),
    ("reports.unordered_dependencies", lambda r: _prerequisites(r, ONES, bytes(32))),
    ("reports.dependency_missing", lambda r: _prerequisites(r, ONES)),
    ("reports.bad_service_id", lambda r: _digests(r, 1, service=2**32 - 1)),
]


@pytest.mark.parametrize(("code", "change"), SIGNED)
def test_a_report_that_was_signed(
    story: Story, maker: Maker, code: str, change: Callable[[WorkReport], WorkReport]
) -> None:
    made = _at(story, 13)
    block = maker.altered(made.block, guarantees=(_reported(maker, made, change),))
    assert maker.refusal(block) == code


def test_the_most_gas_that_can_be_counted_is_counted(story: Story, maker: Maker) -> None:
    made = _at(story, 13)
    guarantee = _reported(maker, made, lambda report: _digests(report, 1, gas_used=MOST))
    maker.importer.import_block(maker.altered(made.block, guarantees=(guarantee,)))


def test_signatures_of_a_guarantee_exchanged(story: Story, maker: Maker) -> None:
    made = _at(story, 13)
    [one] = made.block.extrinsic.guarantees
    first, second, *rest = one.credentials
    swapped = (
        first._replace(signature=second.signature),
        second._replace(signature=first.signature),
        *rest,
    )
    altered = maker.altered(made.block, guarantees=(one._replace(credentials=swapped),))
    assert maker.refusal(altered) == "reports.bad_signature"


def test_guarantors_of_the_other_core(story: Story, maker: Maker) -> None:
    made = _at(story, 1)
    one = made.block.extrinsic.guarantees[0]
    moved = one._replace(report=one.report._replace(core=1))
    altered = maker.altered(made.block, guarantees=(moved,))
    assert maker.refusal(altered) == "reports.wrong_assignment"


def test_a_guarantee_made_before_the_last_rotation(story: Story, maker: Maker) -> None:
    made = _at(story, 13)
    [one] = made.block.extrinsic.guarantees
    altered = maker.altered(made.block, guarantees=(one._replace(slot=7),))
    assert maker.refusal(altered) == "reports.report_epoch_before_last"


def test_a_guarantee_by_an_offender(story: Story, maker: Maker) -> None:
    """In the epoch of the offence the offender's key still stands in the set."""
    made = _at(story, 11)
    ahead = maker.outlook(made.parent, made.slot)
    cores = statements.assignment(ahead, made.slot).cores
    offender = OFFENDERS[0]
    report = maker.report(made.parent, cores[offender])
    honest = maker.guarantee(made.parent, report, made.slot)
    forged = statements.credential(
        secrets()[offender].ed25519, offender, report_hash(maker.params, report)
    )
    credentials = tuple(sorted((forged, *honest.credentials))[:3])
    altered = maker.altered(made.block, guarantees=(honest._replace(credentials=credentials),))
    assert maker.refusal(altered) == "reports.banned_validator"


def test_assurances_with_signatures_exchanged(story: Story, maker: Maker) -> None:
    made = _at(story, 2)
    first, second, *rest = made.block.extrinsic.assurances
    swapped = (
        first._replace(signature=second.signature),
        second._replace(signature=first.signature),
        *rest,
    )
    altered = maker.altered(made.block, assurances=swapped)
    assert maker.refusal(altered) == "assurances.bad_signature"


def test_an_assurance_twice(story: Story, maker: Maker) -> None:
    made = _at(story, 2)
    first, *rest = made.block.extrinsic.assurances
    altered = maker.altered(made.block, assurances=(first, first, *rest))
    assert maker.refusal(altered) == "assurances.not_sorted_or_unique_assurers"


@pytest.mark.parametrize(
    ("code", "preimages"),
    [
        ("preimages_not_sorted_unique", [b"b", b"a"]),
        ("preimages_not_sorted_unique", [b"a", b"a"]),
        ("preimage_unneeded", [b"a"]),
    ],
)
def test_preimages(story: Story, maker: Maker, code: str, preimages: list[bytes]) -> None:
    given = tuple(Preimage(SERVICE, data) for data in preimages)
    altered = maker.altered(_at(story, 13).block, preimages=given)
    assert maker.refusal(altered) == f"preimages.{code}"


# Seals and markers of epochs.


def test_a_seal_with_the_ticket_of_another_slot(story: Story, maker: Maker) -> None:
    made, other = _at(story, 13), _at(story, 14)
    altered = maker.altered(made.block, seal=other.block.header.seal)
    assert maker.refusal(altered) == "header.unexpected_ticket_seal"


def test_the_owner_of_the_ticket_under_another_name(story: Story, maker: Maker) -> None:
    made = _at(story, 13)
    other = (made.block.header.author_index + 1) % 6
    assert maker.refusal(maker.altered(made.block, author_index=other)) == "header.bad_seal"


def test_a_block_by_an_offender_whose_key_is_gone(story: Story, maker: Maker) -> None:
    made = next(each for each in maker.path(story.head.hash) if 24 < each.slot < 36)
    altered = maker.altered(made.block, author_index=OFFENDERS[0])
    assert maker.refusal(altered) == "header.null_author"


MARKS: list[Callable[[EpochMark], EpochMark | None]] = [
    lambda mark: None,
    lambda mark: mark._replace(entropy=ONES),
    lambda mark: mark._replace(tickets_entropy=ONES),
    lambda mark: mark._replace(entropy=mark.tickets_entropy, tickets_entropy=mark.entropy),
    lambda mark: mark._replace(validators=(*mark.validators[:5], mark.validators[4])),
]


@pytest.mark.parametrize("change", MARKS)
def test_an_epochs_first_block_with_another_mark(
    story: Story, maker: Maker, change: Callable[[EpochMark], EpochMark | None]
) -> None:
    made = _at(story, 12)
    mark = made.block.header.epoch_mark
    assert mark is not None
    altered = maker.altered(made.block, epoch_mark=change(mark))
    assert maker.refusal(altered) == "header.bad_epoch_mark"


def test_the_contests_end_with_another_mark(story: Story, maker: Maker) -> None:
    made = _at(story, 11)
    mark = made.block.header.tickets_mark
    assert mark is not None
    for other in (None, mark[::-1], mark[1:] + mark[:1], tuple(sorted(mark))):
        altered = maker.altered(made.block, tickets_mark=other)
        assert maker.refusal(altered) == "header.bad_tickets_mark"


def test_a_ticket_that_would_not_stay(story: Story, maker: Maker) -> None:
    made = _at(story, 6)
    following = next(each for each in story.forks if each.slot == maker.sealable(made.hash, 12))
    before = maker.made[following.parent]
    ahead = maker.outlook(made.hash, before.slot)
    running = tickets.contest(ahead)
    ours = sorted(tickets.candidates(maker.params, running, maker.keyring), key=lambda each: each.id)
    assert len(ours) > maker.params.epoch_length, "there are more tickets than slots"
    worst = tickets.prove(running, maker.keyring, ours[-1])
    altered = maker.altered(before.block, tickets=(worst,))
    assert maker.refusal(altered) == "safrole.useless_ticket"


# Disputes on reports that were judged, and by validators of another epoch.


def _disputing(maker: Maker, made: Made, disputes: Disputes) -> str:
    mark = (*(item.key for item in disputes.culprits), *(item.key for item in disputes.faults))
    return maker.refusal(
        maker.altered(made.block, disputes=disputes, offenders_mark=mark, assurances=())
    )


def test_a_report_judged_again(story: Story, maker: Maker) -> None:
    judged = _at(story, 6).block.extrinsic.disputes
    assert _disputing(maker, _at(story, 11), judged) == "disputes.already_judged"


def test_an_offender_reported_again(story: Story, maker: Maker) -> None:
    judged = _at(story, 6).block.extrinsic.disputes
    again = judged._replace(verdicts=(), faults=())
    assert _disputing(maker, _at(story, 11), again) == "disputes.offender_already_reported"


DisputesChange = Callable[[Disputes], Disputes]


def _fault(**changes: Any) -> DisputesChange:
    return lambda item: item._replace(faults=(item.faults[0]._replace(**changes),))


GOOD: list[tuple[str, DisputesChange]] = [
    ("not_enough_faults", lambda item: item._replace(faults=())),
    ("bad_auditor_key", _fault(key=ONES)),
    ("fault_verdict_wrong", _fault(valid=True)),
    ("fault_verdict_wrong", _fault(report_hash=ONES)),
    ("bad_signature", _fault(signature=bytes(64))),
    ("faults_not_sorted_unique", lambda item: item._replace(faults=item.faults * 2)),
    ("verdicts_not_sorted_unique", lambda item: item._replace(verdicts=item.verdicts * 2)),
    (
        "bad_judgement_age",
        lambda item: item._replace(verdicts=(item.verdicts[0]._replace(epoch=1),)),
    ),
    # Validators changed with the epoch, so those of the one before signed nothing here.
    (
        "bad_signature",
        lambda item: item._replace(verdicts=(item.verdicts[0]._replace(epoch=2),)),
    ),
]


@pytest.mark.parametrize(("code", "change"), GOOD)
def test_a_good_verdict(story: Story, maker: Maker, code: str, change: DisputesChange) -> None:
    made = _at(story, 42)
    disputes = made.block.extrinsic.disputes
    assert disputes.faults[0].key == secrets()[LATE_OFFENDER].ed25519.public
    assert _disputing(maker, made, change(disputes)) == f"disputes.{code}"
