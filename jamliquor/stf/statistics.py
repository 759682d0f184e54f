"""Activity of validators, cores and services (section 13)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jamliquor.errors import StatisticsError
from jamliquor.params import ChainParams
from jamliquor.types.extrinsic import Extrinsic, Preimages
from jamliquor.types.state import (
    CoreRecord,
    CoreRecords,
    ServiceRecord,
    Statistics,
    ValidatorRecord,
    ValidatorRecords,
    ValidatorSet,
)
from jamliquor.types.work import WorkReport

__all__ = ["core_records", "service_records", "update_statistics", "validator_records"]

_COUNTER_LIMIT = 1 << 32
_NATURAL_LIMIT = 1 << 64
_IDLE_VALIDATOR = ValidatorRecord(0, 0, 0, 0, 0, 0)
_IDLE_CORE = CoreRecord(0, 0, 0, 0, 0, 0, 0, 0)


def update_statistics(
    params: ChainParams,
    prior: Statistics,
    *,
    prior_slot: int,
    slot: int,
    author_index: int,
    extrinsic: Extrinsic,
    validators: ValidatorSet,
    reporters: frozenset[bytes],
    available: Sequence[WorkReport],
    popularity: Sequence[int],
    accumulated: Mapping[int, tuple[int, int]],
) -> Statistics:
    """π′, the statistics after a block.

    Args:
        prior: π.
        prior_slot: slot of the parent.
        slot: slot of the block.
        author_index: the block author's validator index.
        extrinsic: the block's extrinsic.
        validators: κ′.
        reporters: Ed25519 keys of the block's guarantors.
        available: the reports that became available.
        popularity: the number of assurances for each core.
        accumulated: S, the accumulated work items and their gas by service.

    Raises:
        StatisticsError: ``statistics_overflow``, a sum is larger than its encoding has room for.
    """
    current, previous = validator_records(
        params,
        prior.current,
        prior.previous,
        prior_slot=prior_slot,
        slot=slot,
        author_index=author_index,
        extrinsic=extrinsic,
        validators=validators,
        reporters=reporters,
    )
    reports = [guarantee.report for guarantee in extrinsic.guarantees]
    cores = core_records(params, reports, available, popularity)
    services = service_records(reports, extrinsic.preimages, accumulated)
    _check_room(current[author_index], _COUNTER_LIMIT)
    for core_record in cores:
        if core_record is not _IDLE_CORE:
            _check_room(core_record, _NATURAL_LIMIT)
    for service_record in services.values():
        _check_room(service_record, _NATURAL_LIMIT)
    return Statistics(current, previous, cores, services)


def _check_room(record: tuple[int, ...], limit: int) -> None:
    """Guarantors may sign any load up to 2^64 - 1 an item; a sum past that has no encoding, so there
    is no state after such a block."""
    largest = max(record)
    if largest >= limit:
        raise StatisticsError("statistics_overflow", value=largest, limit=limit)


def validator_records(
    params: ChainParams,
    current: ValidatorRecords,
    previous: ValidatorRecords,
    *,
    prior_slot: int,
    slot: int,
    author_index: int,
    extrinsic: Extrinsic,
    validators: ValidatorSet,
    reporters: frozenset[bytes],
) -> tuple[ValidatorRecords, ValidatorRecords]:
    """The validators' activity in the epoch of ``slot`` and in the one before (section 13.1).

    A guarantor counts once a block, under the index that its key has in ``validators``; one that
    left with the last epoch does not count.
    """
    if prior_slot // params.epoch_length != slot // params.epoch_length:
        previous, current = current, (_IDLE_VALIDATOR,) * params.validator_count
    records = list(current)
    for assurance in extrinsic.assurances:
        records[assurance.validator] = _counted(records[assurance.validator], assurances=1)
    if reporters:
        for index, keys in enumerate(validators):
            if keys.ed25519 in reporters:
                records[index] = _counted(records[index], guarantees=1)
    blocks, tickets, preimages, preimages_size, guarantees, assurances = records[author_index]
    records[author_index] = ValidatorRecord(
        blocks + 1,
        tickets + len(extrinsic.tickets),
        preimages + len(extrinsic.preimages),
        preimages_size + sum([len(preimage.data) for preimage in extrinsic.preimages]),
        guarantees,
        assurances,
    )
    return tuple(records), previous


def _counted(record: ValidatorRecord, *, guarantees: int = 0, assurances: int = 0) -> ValidatorRecord:
    return ValidatorRecord(
        record.blocks,
        record.tickets,
        record.preimages,
        record.preimages_size,
        record.guarantees + guarantees,
        record.assurances + assurances,
    )


def core_records(
    params: ChainParams,
    reports: Iterable[WorkReport],
    available: Iterable[WorkReport],
    popularity: Sequence[int],
) -> CoreRecords:
    """The cores' activity in one block (section 13.2).

    Args:
        reports: the block's new reports, one a core at most.
        available: the reports that became available, one a core at most.
        popularity: the number of assurances for each core.
    """
    incoming = {report.core: report for report in reports}
    loads = {report.core: _availability_load(params, report) for report in available}
    if not (incoming or loads or any(popularity)):
        return (_IDLE_CORE,) * params.core_count
    records = []
    for core, assurances in enumerate(popularity):
        report = incoming.get(core)
        if report is not None:
            gas, imports, count, size, exports = _refinement_load(report)
            record = CoreRecord(
                loads.get(core, 0),
                assurances,
                imports,
                count,
                size,
                exports,
                report.specification.bundle_length,
                gas,
            )
        elif assurances or core in loads:
            record = CoreRecord(loads.get(core, 0), assurances, 0, 0, 0, 0, 0, 0)
        else:
            record = _IDLE_CORE
        records.append(record)
    return tuple(records)


def _availability_load(params: ChainParams, report: WorkReport) -> int:
    """Octets that a report puts into the availability system: its bundle, segments and their proofs."""
    specification = report.specification
    segments = -(-specification.segment_count * 65 // 64)
    return specification.bundle_length + params.segment_size * segments


def _refinement_load(report: WorkReport) -> tuple[int, int, int, int, int]:
    """Gas, imports, extrinsics, their octets, and exports of all items of a report."""
    gas = imports = count = size = exports = 0
    for digest in report.digests:
        gas += digest.gas_used
        imports += digest.import_count
        count += digest.extrinsic_count
        size += digest.extrinsic_size
        exports += digest.export_count
    return gas, imports, count, size, exports


def service_records(
    reports: Iterable[WorkReport],
    preimages: Preimages,
    accumulated: Mapping[int, tuple[int, int]],
) -> dict[int, ServiceRecord]:
    """The activity in one block of every service that was active, by ascending id (section 13.2).

    Args:
        reports: the block's new reports.
        preimages: the block's preimages.
        accumulated: the accumulated work items and their gas by service.
    """
    # Each list holds the fields of a ServiceRecord in their order.
    totals: dict[int, list[int]] = {}
    for report in reports:
        for digest in report.digests:
            total = totals.setdefault(digest.service, [0] * 10)
            total[2] += 1
            total[3] += digest.gas_used
            total[4] += digest.import_count
            total[5] += digest.extrinsic_count
            total[6] += digest.extrinsic_size
            total[7] += digest.export_count
    for service, data in preimages:
        total = totals.setdefault(service, [0] * 10)
        total[0] += 1
        total[1] += len(data)
    for service, (items, gas) in accumulated.items():
        totals.setdefault(service, [0] * 10)[8:] = items, gas
    return {service: ServiceRecord(*totals[service]) for service in sorted(totals)}
