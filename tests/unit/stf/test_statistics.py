"""Activity of validators, cores and services beyond the vectors (section 13)."""

from __future__ import annotations

from typing import Any

import pytest

from jamliquor.errors import StatisticsError
from jamliquor.params import FULL, TINY
from jamliquor.stf.statistics import (
    core_records,
    service_records,
    update_statistics,
    validator_records,
)
from jamliquor.types.extrinsic import (
    Assurance,
    Disputes,
    Extrinsic,
    Guarantee,
    Preimage,
    TicketEnvelope,
)
from jamliquor.types.state import (
    CoreRecord,
    ServiceRecord,
    Statistics,
    ValidatorKeys,
    ValidatorRecord,
    ValidatorRecords,
)
from jamliquor.types.work import (
    AvailabilitySpecification,
    RefinementContext,
    WorkDigest,
    WorkError,
    WorkReport,
)

EMPTY = Extrinsic((), (), (), (), Disputes((), (), ()))
KEYS = [bytes([tag]) * 32 for tag in range(1, 7)]
VALIDATORS = tuple(ValidatorKeys(bytes(32), key, bytes(144), bytes(128)) for key in KEYS)
CURRENT = tuple(ValidatorRecord(*range(tag, tag + 6)) for tag in range(0, 60, 10))
PREVIOUS = tuple(ValidatorRecord(*range(tag, tag + 6)) for tag in range(100, 160, 10))
NOTHING = ValidatorRecord(0, 0, 0, 0, 0, 0)


def digest(service: int, load: int) -> WorkDigest:
    """An item with gas ``load``, and imports, extrinsics, octets and exports counted up from it."""
    return WorkDigest(
        service, bytes(32), bytes(32), 9, WorkError.PANIC, load, *range(load + 1, load + 5)
    )


def report(core: int, *digests: WorkDigest, length: int = 0, segments: int = 0) -> WorkReport:
    zero = bytes(32)
    return WorkReport(
        AvailabilitySpecification(zero, length, zero, zero, segments),
        RefinementContext(zero, zero, zero, zero, 0, ()),
        core,
        zero,
        1_000_000,
        b"",
        (),
        digests,
    )


def records(extrinsic: Extrinsic = EMPTY, **changes: Any) -> tuple[ValidatorRecords, ValidatorRecords]:
    arguments: dict[str, Any] = {
        "prior_slot": 13,
        "slot": 14,
        "author_index": 2,
        "extrinsic": extrinsic,
        "validators": VALIDATORS,
        "reporters": frozenset(),
    }
    return validator_records(TINY, CURRENT, PREVIOUS, **arguments | changes)


def test_the_author_gets_what_the_block_carries() -> None:
    extrinsic = EMPTY._replace(
        tickets=(TicketEnvelope(0, bytes(784)),) * 2,
        preimages=(Preimage(1, bytes(10)), Preimage(2, bytes(5)), Preimage(2, b"")),
    )
    current, previous = records(extrinsic)
    assert current[2] == ValidatorRecord(20 + 1, 21 + 2, 22 + 3, 23 + 15, 24, 25)
    assert current[:2] + current[3:] == CURRENT[:2] + CURRENT[3:]
    assert previous is PREVIOUS


@pytest.mark.parametrize(("prior_slot", "slot"), [(11, 12), (0, 23), (13, 60)])
def test_a_new_epoch_starts_from_nothing(prior_slot: int, slot: int) -> None:
    current, previous = records(prior_slot=prior_slot, slot=slot)
    assert current == (NOTHING, NOTHING, ValidatorRecord(1, 0, 0, 0, 0, 0), *(NOTHING,) * 3)
    assert previous is CURRENT


def test_assurers_count_by_index() -> None:
    extrinsic = EMPTY._replace(
        assurances=tuple(Assurance(bytes(32), b"\0", index, bytes(64)) for index in (0, 2, 5))
    )
    current, _ = records(extrinsic)
    gained = [new.assurances - old.assurances for new, old in zip(current, CURRENT, strict=True)]
    assert gained == [1, 0, 1, 0, 0, 1]
    assert current[5] == CURRENT[5]._replace(assurances=CURRENT[5].assurances + 1)
    assert current[2].blocks == CURRENT[2].blocks + 1


def test_guarantors_count_by_key_and_once_a_block() -> None:
    # One key has left with the last epoch, the others stand at other indices now.
    reporters = frozenset({KEYS[4], KEYS[2], b"\xee" * 32})
    current, _ = records(reporters=reporters)
    gained = [new.guarantees - old.guarantees for new, old in zip(current, CURRENT, strict=True)]
    assert gained == [0, 0, 1, 0, 1, 0]
    assert current[4] == CURRENT[4]._replace(guarantees=CURRENT[4].guarantees + 1)


def test_an_idle_block_has_idle_cores_and_no_services() -> None:
    idle = CoreRecord(0, 0, 0, 0, 0, 0, 0, 0)
    assert core_records(TINY, (), (), (0, 0)) == (idle, idle)
    assert service_records((), (), {}) == {}


def test_popularity_counts_without_a_report() -> None:
    cores = core_records(TINY, (), (), (0, 3))
    assert cores == (CoreRecord(0, 0, 0, 0, 0, 0, 0, 0), CoreRecord(0, 3, 0, 0, 0, 0, 0, 0))


def test_a_core_gets_its_new_report_and_the_one_that_became_available() -> None:
    incoming = report(1, digest(7, 10), digest(8, 100), length=300)
    available = report(1, digest(7, 1), length=5_000, segments=64)
    cores = core_records(TINY, [incoming], [available], (0, 5))
    assert cores[1] == CoreRecord(
        availability_load=5_000 + 65 * 4_104,
        popularity=5,
        imports=11 + 101,
        extrinsic_count=12 + 102,
        extrinsic_size=13 + 103,
        exports=14 + 104,
        bundle_size=300,
        gas_used=10 + 100,
    )


def test_a_new_report_alone_is_no_load() -> None:
    cores = core_records(TINY, [report(0, digest(7, 10), length=300)], (), (0, 0))
    assert cores[0] == CoreRecord(0, 0, 11, 12, 13, 14, 300, 10)


@pytest.mark.parametrize(
    ("segments", "proven"), [(0, 0), (1, 2), (63, 64), (64, 65), (65, 67), (3_072, 3_120)]
)
def test_segments_with_their_proofs_are_rounded_up(segments: int, proven: int) -> None:
    cores = core_records(TINY, [], [report(0, length=1, segments=segments)], (5, 0))
    assert cores[0].availability_load == 1 + 4_104 * proven


def test_full_size_has_a_record_for_every_core() -> None:
    cores = core_records(FULL, [report(340, digest(1, 1))], (), (0,) * 341)
    assert len(cores) == 341
    assert [core for core, record in enumerate(cores) if any(record)] == [340]


def test_services_are_those_reported_provided_or_accumulated() -> None:
    services = service_records(
        [report(0, digest(9, 10), digest(3, 20)), report(1, digest(9, 100))],
        (Preimage(5, bytes(8)), Preimage(9, bytes(2)), Preimage(5, b"")),
        {3: (2, 777), 4: (0, 55)},
    )
    assert services == {
        3: ServiceRecord(0, 0, 1, 20, 21, 22, 23, 24, 2, 777),
        4: ServiceRecord(0, 0, 0, 0, 0, 0, 0, 0, 0, 55),
        5: ServiceRecord(2, 8, 0, 0, 0, 0, 0, 0, 0, 0),
        9: ServiceRecord(1, 2, 2, 110, 112, 114, 116, 118, 0, 0),
    }
    assert list(services) == [3, 4, 5, 9]


def test_all_parts_together() -> None:
    incoming = report(0, digest(9, 10), length=70)
    extrinsic = EMPTY._replace(
        guarantees=(Guarantee(incoming, 14, ()),), preimages=(Preimage(5, bytes(8)),)
    )
    available = [report(1, length=30)]
    prior = Statistics(
        CURRENT, PREVIOUS, core_records(TINY, (), (), (1, 1)), {1: ServiceRecord(*[1] * 10)}
    )
    after = update_statistics(
        TINY,
        prior,
        prior_slot=13,
        slot=14,
        author_index=2,
        extrinsic=extrinsic,
        validators=VALIDATORS,
        reporters=frozenset(KEYS[:1]),
        available=available,
        popularity=(0, 5),
        accumulated={1: (1, 2)},
    )
    current, previous = records(extrinsic, reporters=frozenset(KEYS[:1]))
    assert after == Statistics(
        current,
        previous,
        core_records(TINY, [incoming], available, (0, 5)),
        service_records([incoming], extrinsic.preimages, {1: (1, 2)}),
    )


def overall(current: ValidatorRecords = CURRENT, **changes: Any) -> Statistics:
    arguments: dict[str, Any] = {
        "prior_slot": 13,
        "slot": 14,
        "author_index": 2,
        "extrinsic": EMPTY,
        "validators": VALIDATORS,
        "reporters": frozenset(),
        "available": (),
        "popularity": (0, 0),
        "accumulated": {},
    }
    prior = Statistics(current, PREVIOUS, (), {})
    return update_statistics(TINY, prior, **arguments | changes)


MOST = 2**64 - 1


def gas(service: int, used: int) -> WorkDigest:
    return digest(service, 0)._replace(gas_used=used)


@pytest.mark.parametrize(
    ("reports", "holds"),
    [
        pytest.param((report(0, gas(1, MOST)),), True, id="one item at the most"),
        pytest.param((report(0, gas(1, MOST), gas(2, 0)),), True, id="two items at the most"),
        pytest.param((report(0, gas(1, MOST), gas(2, 1)),), False, id="a core past the most"),
        pytest.param(
            (report(0, gas(1, MOST)), report(1, gas(1, 1))), False, id="a service past the most"
        ),
        pytest.param((report(0, gas(1, MOST)), report(1, gas(2, MOST))), True, id="each by itself"),
    ],
)
def test_sums_have_room_for_64_bits(reports: tuple[WorkReport, ...], holds: bool) -> None:
    extrinsic = EMPTY._replace(guarantees=tuple(Guarantee(each, 14, ()) for each in reports))
    if holds:
        assert max(record.gas_used for record in overall(extrinsic=extrinsic).cores) == MOST
        return
    with pytest.raises(StatisticsError) as caught:
        overall(extrinsic=extrinsic)
    assert caught.value.code == "statistics_overflow"


@pytest.mark.parametrize(("octets", "holds"), [(2**32 - 4, True), (2**32 - 3, False)])
def test_a_validators_counters_have_room_for_32_bits(octets: int, holds: bool) -> None:
    current = (*CURRENT[:2], CURRENT[2]._replace(preimages_size=octets), *CURRENT[3:])
    extrinsic = EMPTY._replace(preimages=(Preimage(1, b"abc"),))
    if holds:
        assert overall(current, extrinsic=extrinsic).current[2].preimages_size == 2**32 - 1
        return
    with pytest.raises(StatisticsError) as caught:
        overall(current, extrinsic=extrinsic)
    assert caught.value.code == "statistics_overflow"
