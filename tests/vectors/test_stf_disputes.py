"""The public vectors of section 10."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from jamliquor.codec import U8, U32, Case, Choice, Hash
from jamliquor.errors import DisputesError
from jamliquor.params import ChainParams
from jamliquor.stf import disputes
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Disputes
from jamliquor.types.state import DisputeRecords, PendingReports, ValidatorSet
from tests.support.stf import load, stf_vectors

CODES = (
    "already_judged",
    "bad_vote_split",
    "verdicts_not_sorted_unique",
    "judgements_not_sorted_unique",
    "culprits_not_sorted_unique",
    "faults_not_sorted_unique",
    "not_enough_culprits",
    "not_enough_faults",
    "culprits_verdict_not_bad",
    "fault_verdict_wrong",
    "offender_already_reported",
    "bad_judgement_age",
    "bad_validator_index",
    "bad_signature",
    "bad_guarantor_key",
    "bad_auditor_key",
)


class State(NamedTuple):
    records: DisputeRecords
    pending: PendingReports
    slot: U32
    active: ValidatorSet
    previous: ValidatorSet


class Marker(NamedTuple):
    offenders: tuple[Hash, ...]


class Vector(NamedTuple):
    extrinsic: Disputes
    prior: State
    output: Annotated[
        Marker | int, Choice(Case(0, schema=Marker, kind=Marker), Case(1, schema=U8, kind=int))
    ]
    posterior: State


def transition(params: ChainParams, extrinsic: Disputes, prior: State) -> tuple[disputes.Judged, State]:
    """What a block does in this chapter, signatures included."""
    checks = SignatureChecks()
    judged = disputes.judge(params, disputes.DisputesPrior(*prior), extrinsic, checks)
    checks.verify()
    return judged, prior._replace(records=judged.records, pending=judged.pending)


@pytest.mark.parametrize("path", stf_vectors("disputes"))
def test_vector(path: Path) -> None:
    params, case = load(path, Vector)
    if isinstance(case.output, Marker):
        judged, posterior = transition(params, case.extrinsic, case.prior)
        assert judged.offenders_mark == case.output.offenders
        assert posterior == case.posterior
    else:
        with pytest.raises(DisputesError) as caught:
            transition(params, case.extrinsic, case.prior)
        assert caught.value.code == CODES[case.output]
