"""The public vectors of section 7."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from jamliquor.codec import Hash
from jamliquor.stf import history
from jamliquor.types.state import RecentHistory
from tests.support.stf import load, stf_vectors


class Input(NamedTuple):
    header_hash: Hash
    parent_state_root: Hash
    accumulation_root: Hash
    reported: dict[Hash, Hash]


class Vector(NamedTuple):
    input: Input
    prior: RecentHistory
    posterior: RecentHistory


@pytest.mark.parametrize("path", stf_vectors("history"))
def test_vector(path: Path) -> None:
    params, case = load(path, Vector)
    known = history.with_parent_state_root(case.prior, case.input.parent_state_root)
    posterior = history.append(
        params, known, case.input.header_hash, case.input.accumulation_root, case.input.reported
    )
    assert posterior == case.posterior
