"""The ``stf/reports`` vectors (sections 11.3 to 11.5), with the statistics they touch."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from jamliquor.codec import U32, Case, Choice, Hash
from jamliquor.errors import ReportsError
from jamliquor.stf.reports import ReportingState, process_guarantees, report_hash
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.stf.statistics import core_records, service_records
from jamliquor.types.extrinsic import Guarantees
from jamliquor.types.state import (
    AuthorizationPools,
    CoreRecords,
    Entropy,
    PendingReports,
    RecentHistory,
    ServiceAccount,
    ServiceRecord,
    ValidatorSet,
)
from tests.support.stf import load, stf_vectors


class ErrorCode(IntEnum):
    BAD_CORE_INDEX = 0
    FUTURE_REPORT_SLOT = 1
    REPORT_EPOCH_BEFORE_LAST = 2
    INSUFFICIENT_GUARANTEES = 3
    OUT_OF_ORDER_GUARANTEE = 4
    NOT_SORTED_OR_UNIQUE_GUARANTORS = 5
    WRONG_ASSIGNMENT = 6
    CORE_ENGAGED = 7
    ANCHOR_NOT_RECENT = 8
    BAD_SERVICE_ID = 9
    BAD_CODE_HASH = 10
    DEPENDENCY_MISSING = 11
    DUPLICATE_PACKAGE = 12
    BAD_STATE_ROOT = 13
    BAD_BEEFY_MMR_ROOT = 14
    CORE_UNAUTHORIZED = 15
    BAD_VALIDATOR_INDEX = 16
    WORK_REPORT_GAS_TOO_HIGH = 17
    SERVICE_ITEM_GAS_TOO_LOW = 18
    TOO_MANY_DEPENDENCIES = 19
    SEGMENT_ROOT_LOOKUP_INVALID = 20
    BAD_SIGNATURE = 21
    WORK_REPORT_TOO_BIG = 22
    BANNED_VALIDATOR = 23
    LOOKUP_ANCHOR_NOT_RECENT = 24
    MISSING_WORK_RESULTS = 25


class Input(NamedTuple):
    guarantees: Guarantees
    slot: U32
    known_packages: tuple[Hash, ...]


class State(NamedTuple):
    pending: PendingReports
    current_validators: ValidatorSet
    previous_validators: ValidatorSet
    entropy: Entropy
    offenders: tuple[Hash, ...]
    recent: RecentHistory
    pools: AuthorizationPools
    accounts: dict[U32, ServiceAccount]
    cores: CoreRecords
    services: dict[U32, ServiceRecord]


class Good(NamedTuple):
    reported: tuple[tuple[Hash, Hash], ...]
    reporters: tuple[Hash, ...]


ErrorCodes = Annotated[ErrorCode, Choice(*(Case(code.value, constant=code) for code in ErrorCode))]


class Vector(NamedTuple):
    input: Input
    prior: State
    output: Annotated[
        Good | ErrorCode,
        Choice(Case(0, schema=Good, kind=Good), Case(1, schema=ErrorCodes, kind=ErrorCode)),
    ]
    posterior: State


@pytest.mark.parametrize("path", stf_vectors("reports"))
def test_reports(path: Path) -> None:
    params, vector = load(path, Vector)
    guarantees, prior = vector.input.guarantees, vector.prior
    state = ReportingState(
        slot=vector.input.slot,
        pending_before=prior.pending,
        pending=prior.pending,
        current_validators=prior.current_validators,
        previous_validators=prior.previous_validators,
        entropy=prior.entropy,
        offenders=frozenset(prior.offenders),
        recent_blocks=prior.recent.blocks,
        pools=prior.pools,
        ready=(),
        # A vector lists what is known from every place at once.
        accumulated=(frozenset(vector.input.known_packages),),
        account=prior.accounts.get,
        ancestry=None,
    )
    hashes = [report_hash(params, guarantee.report) for guarantee in guarantees]
    checks = SignatureChecks()
    try:
        outcome = process_guarantees(params, guarantees, hashes, state, checks)
        checks.verify()
    except ReportsError as error:
        assert isinstance(vector.output, ErrorCode), error
        assert error.code == vector.output.name.lower()
        assert vector.posterior == prior
    else:
        good = Good(tuple(sorted(outcome.reported.items())), tuple(sorted(outcome.reporters)))
        assert good == vector.output
        reports = [guarantee.report for guarantee in guarantees]
        posterior = prior._replace(
            pending=outcome.pending,
            cores=core_records(params, reports, (), (0,) * params.core_count),
            services=service_records(reports, (), {}),
        )
        assert posterior == vector.posterior
