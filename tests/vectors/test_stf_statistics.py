"""The ``stf/statistics`` vectors: activity of validators (section 13.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from jamliquor.codec import U16, U32, FixedBytes
from jamliquor.stf.statistics import validator_records
from jamliquor.types.extrinsic import Extrinsic
from jamliquor.types.state import ValidatorRecords, ValidatorSet
from tests.support.stf import load, stf_vectors


class Input(NamedTuple):
    slot: U32
    author_index: U16
    extrinsic: Extrinsic


class State(NamedTuple):
    current: ValidatorRecords
    previous: ValidatorRecords
    slot: U32
    validators: ValidatorSet


class Vector(NamedTuple):
    input: Input
    prior: State
    # Nothing; the codec has no annotation for it.
    output: Annotated[bytes, FixedBytes(0)]
    posterior: State


@pytest.mark.parametrize("path", stf_vectors("statistics"))
def test_statistics(path: Path) -> None:
    params, vector = load(path, Vector)
    extrinsic = vector.input.extrinsic
    # The vectors hold no entropy to find assignments by: the guarantors are today's validators.
    reporters = frozenset(
        vector.prior.validators[credential.validator].ed25519
        for guarantee in extrinsic.guarantees
        for credential in guarantee.credentials
    )
    current, previous = validator_records(
        params,
        vector.prior.current,
        vector.prior.previous,
        prior_slot=vector.prior.slot,
        slot=vector.input.slot,
        author_index=vector.input.author_index,
        extrinsic=extrinsic,
        validators=vector.prior.validators,
        reporters=reporters,
    )
    # The vectors leave the slot to another chapter.
    assert vector.prior._replace(current=current, previous=previous) == vector.posterior
