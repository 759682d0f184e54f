"""Availability assurances beyond the vectors (section 11.2)."""

from __future__ import annotations

import random

import pytest

from jamliquor.crypto.ed25519 import SecretKey
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import AssurancesError
from jamliquor.params import FULL, TINY
from jamliquor.stf.assurances import AssurancesOutcome, assurance_message, process_assurances
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Assurance
from jamliquor.types.state import PendingReport, PendingReports, ValidatorKeys
from jamliquor.types.work import AvailabilitySpecification, RefinementContext, WorkReport

PARENT = b"\x11" * 32
KEYS = [SecretKey.from_seed(bytes([seed]) * 32) for seed in range(1, 7)]
VALIDATORS = tuple(ValidatorKeys(bytes(32), key.public, bytes(144), bytes(128)) for key in KEYS)
SLOT = 20


def report(core: int) -> WorkReport:
    zero = bytes(32)
    return WorkReport(
        AvailabilitySpecification(bytes([core]) * 32, 100, zero, zero, 0),
        RefinementContext(zero, zero, zero, zero, 0, ()),
        core,
        zero,
        0,
        b"",
        (),
        (),
    )


def pending(*slots: int | None) -> PendingReports:
    return tuple(
        None if slot is None else PendingReport(report(core), slot) for core, slot in enumerate(slots)
    )


def assure(validator: int, bits: int) -> Assurance:
    availabilities = bytes([bits])
    signature = KEYS[validator].sign(assurance_message(PARENT, availabilities))
    return Assurance(PARENT, availabilities, validator, signature)


def process(assurances: list[Assurance], reports: PendingReports) -> AssurancesOutcome:
    checks = SignatureChecks()
    outcome = process_assurances(
        TINY,
        tuple(assurances),
        slot=SLOT,
        parent=PARENT,
        pending=reports,
        validators=VALIDATORS,
        checks=checks,
    )
    checks.verify()
    return outcome


def test_the_message_is_the_parent_and_the_bits() -> None:
    assert assurance_message(PARENT, b"\2") == b"jam_available" + blake2b(PARENT + b"\2")


def test_nothing_happens_to_fresh_reports_without_assurances() -> None:
    reports = pending(SLOT - 1, None)
    outcome = process([], reports)
    assert outcome == (reports, (), (0, 0))
    assert outcome.pending is reports


@pytest.mark.parametrize(("age", "stays"), [(4, True), (5, False), (6, False)])
def test_a_report_times_out_after_the_period(age: int, stays: bool) -> None:
    reports = pending(SLOT - age, SLOT - 1)
    outcome = process([], reports)
    assert outcome.pending == ((reports[0] if stays else None), reports[1])
    assert outcome.available == ()


@pytest.mark.parametrize(("assurers", "available"), [(4, False), (5, True), (6, True)])
def test_more_than_two_thirds_make_a_report_available(assurers: int, available: bool) -> None:
    reports = pending(SLOT - 1, SLOT - 2)
    outcome = process([assure(validator, 0b10) for validator in range(assurers)], reports)
    assert outcome.available == ((reports[1].report,) if available else ())
    assert outcome.pending == (reports[0], None if available else reports[1])
    assert outcome.popularity == (0, assurers)


def test_a_report_that_times_out_now_may_become_available() -> None:
    reports = pending(SLOT - 5, SLOT - 5)
    outcome = process([assure(validator, 0b01) for validator in range(5)], reports)
    assert outcome.available == (reports[0].report,)
    assert outcome.pending == (None, None)


def test_a_report_that_times_out_now_may_be_assured_in_vain() -> None:
    outcome = process([assure(0, 0b11)], pending(SLOT - 5, SLOT - 1))
    assert outcome.available == ()
    assert outcome.pending[0] is None
    assert outcome.popularity == (1, 1)


def test_available_reports_come_by_core() -> None:
    outcome = process([assure(validator, 0b11) for validator in range(6)], pending(17, 16))
    assert [report.core for report in outcome.available] == [0, 1]


@pytest.mark.parametrize(
    ("code", "assurances"),
    [
        ("bad_attestation_parent", [assure(0, 1)._replace(anchor=b"\x12" * 32)]),
        ("bad_validator_index", [assure(0, 1)._replace(validator=6)]),
        ("not_sorted_or_unique_assurers", [assure(1, 1), assure(0, 1)]),
        ("not_sorted_or_unique_assurers", [assure(1, 1), assure(1, 1)]),
        ("core_not_engaged", [assure(0, 1), assure(1, 2)]),
        ("bad_signature", [assure(0, 1), assure(1, 0)._replace(availabilities=b"\1")]),
        ("bad_signature", [assure(0, 1)._replace(validator=1)]),
    ],
)
def test_broken_rules(code: str, assurances: list[Assurance]) -> None:
    with pytest.raises(AssurancesError) as caught:
        process(assurances, pending(SLOT - 1, None))
    assert caught.value.code == code


def test_the_idle_core_is_named() -> None:
    with pytest.raises(AssurancesError) as caught:
        process([assure(3, 0b11)], pending(SLOT - 1, None))
    assert caught.value.fields == {"validator": 3, "core": 1}


@pytest.mark.parametrize("count", [1, 2, 7, 255, 256, 683, 1023])
def test_popularity_at_full_size(count: int) -> None:
    draw = random.Random(count)
    fields = [draw.getrandbits(341) for _ in range(count)]
    fields[-1] = 1 << 340
    assurances = tuple(
        Assurance(PARENT, bits.to_bytes(43, "little"), validator, bytes(64))
        for validator, bits in enumerate(fields)
    )
    outcome = process_assurances(
        FULL,
        assurances,
        slot=SLOT,
        parent=PARENT,
        pending=tuple(PendingReport(report(0), SLOT) for _ in range(341)),
        validators=(VALIDATORS[0],) * 1023,
        checks=SignatureChecks(),
    )
    expected = tuple(sum(bits >> core & 1 for bits in fields) for core in range(341))
    assert outcome.popularity == expected
