"""Which validators guarantee for which core (section 11.3)."""

from __future__ import annotations

from collections import Counter

import pytest

from jamliquor.params import FULL, TINY, ChainParams
from jamliquor.stf.guarantors import (
    Assignment,
    assigned_cores,
    current_assignment,
    previous_assignment,
)
from jamliquor.stf.shuffle import shuffle
from jamliquor.types.state import ValidatorKeys

ENTROPY = (b"\0" * 32, b"\1" * 32, b"\2" * 32, b"\3" * 32)


def validators(tag: int, params: ChainParams = TINY) -> tuple[ValidatorKeys, ...]:
    keys = (
        bytes([tag, index % 256, index // 256]) + bytes(29) for index in range(params.validator_count)
    )
    return tuple(ValidatorKeys(bytes(32), key, bytes(144), bytes(128)) for key in keys)


CURRENT, PREVIOUS = validators(1), validators(2)


@pytest.mark.parametrize("params", [TINY, FULL], ids=lambda params: params.name)
def test_every_core_has_three_guarantors(params: ChainParams) -> None:
    for slot in (0, params.epoch_length - 1, 12_345):
        counts = Counter(assigned_cores(params, b"\7" * 32, slot))
        assert counts == Counter(dict.fromkeys(range(params.core_count), 3))


@pytest.mark.parametrize("params", [TINY, FULL], ids=lambda params: params.name)
def test_cores_are_the_shuffled_ones_turned_once_a_rotation(params: ChainParams) -> None:
    count, cores = params.validator_count, params.core_count
    base = shuffle([cores * i // count for i in range(count)], b"\7" * 32)
    epoch = 5 * params.epoch_length
    for phase in range(0, params.epoch_length, params.rotation_period - 1):
        turned = [(core + phase // params.rotation_period) % cores for core in base]
        assert list(assigned_cores(params, b"\7" * 32, epoch + phase)) == turned


def test_current_rotation_takes_the_entropy_before_last_and_current_validators() -> None:
    assignment = current_assignment(TINY, 29, ENTROPY, CURRENT)
    assert assignment == (assigned_cores(TINY, ENTROPY[2], 29), CURRENT)


@pytest.mark.parametrize(
    ("slot", "entropy", "validator_set"),
    [
        (24, ENTROPY[3], PREVIOUS),
        (27, ENTROPY[3], PREVIOUS),
        (28, ENTROPY[2], CURRENT),
        (35, ENTROPY[2], CURRENT),
        (36, ENTROPY[3], PREVIOUS),
        (3, ENTROPY[3], PREVIOUS),
    ],
)
def test_previous_rotation_crosses_epochs(
    slot: int, entropy: bytes, validator_set: tuple[ValidatorKeys, ...]
) -> None:
    assignment = previous_assignment(TINY, slot, ENTROPY, CURRENT, PREVIOUS)
    assert assignment == (assigned_cores(TINY, entropy, slot - 4), validator_set)


def test_offenders_and_null_keys_are_nobody() -> None:
    keys = (CURRENT[0]._replace(ed25519=bytes(32)), *CURRENT[1:])
    assignment = Assignment((0,) * 6, keys)
    offenders = frozenset({keys[2].ed25519})
    found = [assignment.key(index, offenders) for index in range(6)]
    assert found == [None, keys[1].ed25519, None, *(key.ed25519 for key in keys[3:])]
