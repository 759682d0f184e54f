"""Which validators guarantee reports for which core (section 11.3)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from jamliquor.params import ChainParams
from jamliquor.stf.shuffle import shuffle
from jamliquor.types.state import Entropy, ValidatorSet

__all__ = ["Assignment", "assigned_cores", "current_assignment", "previous_assignment"]

NULL_KEY = bytes(32)
"""What the paper puts in the place of an offender's key (section 6.3)."""


class Assignment(NamedTuple):
    """The guarantors of one rotation: the core of every validator and the validators themselves.

    Where the paper's Φ replaces offenders' keys by zeroes, the set is left as it is (no copy of
    1023 keys), and :meth:`key` refuses them.
    """

    cores: tuple[int, ...]
    validators: ValidatorSet

    def key(self, validator: int, offenders: frozenset[bytes]) -> bytes | None:
        """The Ed25519 key of a validator, 32 octets; None when it is an offender's or all zeroes.

        A validator that offended before its epoch began has a key of zeroes in the set itself. That
        encodes a point under which anyone can sign, so it is never used.
        """
        key = self.validators[validator].ed25519
        return None if key in offenders or key == NULL_KEY else key


def current_assignment(
    params: ChainParams, slot: int, entropy: Entropy, current: ValidatorSet
) -> Assignment:
    """G: the guarantors of the rotation that ``slot`` is in (section 11.3).

    Args:
        slot: slot of the block.
        entropy: η′, of which the third hash decides.
        current: κ′, the validators of the block's epoch.
    """
    return Assignment(assigned_cores(params, entropy[2], slot), current)


def previous_assignment(
    params: ChainParams,
    slot: int,
    entropy: Entropy,
    current: ValidatorSet,
    previous: ValidatorSet,
) -> Assignment:
    """G*: the guarantors of the rotation before that of ``slot`` (section 11.3).

    In the first rotation of an epoch these are validators of the epoch before.

    Args:
        slot: slot of the block.
        entropy: η′, of which the third or, across epochs, the fourth hash decides.
        current: κ′, the validators of the block's epoch.
        previous: λ′, the validators of the epoch before.
    """
    before = slot - params.rotation_period
    if before // params.epoch_length == slot // params.epoch_length:
        return Assignment(assigned_cores(params, entropy[2], before), current)
    return Assignment(assigned_cores(params, entropy[3], before), previous)


def assigned_cores(params: ChainParams, entropy: bytes, slot: int) -> tuple[int, ...]:
    """Function P: the core of each validator, by validator index (section 11.3).

    Args:
        entropy: the epoch's entropy, 32 octets.
        slot: any slot of the rotation; below zero for the rotation before the first.
    """
    turn = slot % params.epoch_length // params.rotation_period
    return _rotated(params.core_count, params.validator_count, entropy, turn)


# Two rotations are in use at once, of two epochs at most, for each of two competing blocks.
@lru_cache(maxsize=4)
def _rotated(cores: int, validators: int, entropy: bytes, turn: int) -> tuple[int, ...]:
    return tuple([(core + turn) % cores for core in _shuffled(cores, validators, entropy)])


@lru_cache(maxsize=4)
def _shuffled(cores: int, validators: int, entropy: bytes) -> tuple[int, ...]:
    return tuple(shuffle([cores * i // validators for i in range(validators)], entropy))
