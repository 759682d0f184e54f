"""The ``stf/assurances`` vectors (section 11.2)."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from jamliquor.codec import U32, Case, Choice, Hash
from jamliquor.errors import AssurancesError
from jamliquor.stf.assurances import process_assurances
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Assurances
from jamliquor.types.state import PendingReports, ValidatorSet
from jamliquor.types.work import WorkReport
from tests.support.stf import load, stf_vectors


class ErrorCode(IntEnum):
    BAD_ATTESTATION_PARENT = 0
    BAD_VALIDATOR_INDEX = 1
    CORE_NOT_ENGAGED = 2
    BAD_SIGNATURE = 3
    NOT_SORTED_OR_UNIQUE_ASSURERS = 4


class Input(NamedTuple):
    assurances: Assurances
    slot: U32
    parent: Hash


class State(NamedTuple):
    pending: PendingReports
    validators: ValidatorSet


class Good(NamedTuple):
    reported: tuple[WorkReport, ...]


ErrorCodes = Annotated[ErrorCode, Choice(*(Case(code.value, constant=code) for code in ErrorCode))]


class Vector(NamedTuple):
    input: Input
    prior: State
    output: Annotated[
        Good | ErrorCode,
        Choice(Case(0, schema=Good, kind=Good), Case(1, schema=ErrorCodes, kind=ErrorCode)),
    ]
    posterior: State


@pytest.mark.parametrize("path", stf_vectors("assurances"))
def test_assurances(path: Path) -> None:
    params, vector = load(path, Vector)
    checks = SignatureChecks()
    try:
        outcome = process_assurances(
            params,
            vector.input.assurances,
            slot=vector.input.slot,
            parent=vector.input.parent,
            pending=vector.prior.pending,
            validators=vector.prior.validators,
            checks=checks,
        )
        checks.verify()
    except AssurancesError as error:
        assert isinstance(vector.output, ErrorCode), error
        assert error.code == vector.output.name.lower()
        assert vector.posterior == vector.prior
    else:
        assert Good(outcome.available) == vector.output
        assert State(outcome.pending, vector.prior.validators) == vector.posterior
