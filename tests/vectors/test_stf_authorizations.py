"""The public vectors of section 8."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from jamliquor.codec import U16, U32, Hash
from jamliquor.stf import authorization
from jamliquor.types.state import AuthorizationPools, AuthorizationQueues
from tests.support.stf import load, stf_vectors


class Input(NamedTuple):
    slot: U32
    used: tuple[tuple[U16, Hash], ...]


class State(NamedTuple):
    pools: AuthorizationPools
    queues: AuthorizationQueues


class Vector(NamedTuple):
    input: Input
    prior: State
    posterior: State


@pytest.mark.parametrize("path", stf_vectors("authorizations"))
def test_vector(path: Path) -> None:
    params, case = load(path, Vector)
    entering = authorization.entering_authorizers(case.prior.queues, case.input.slot)
    pools = authorization.rotate_pools(params, case.prior.pools, entering, case.input.used)
    assert State(pools, case.prior.queues) == case.posterior
