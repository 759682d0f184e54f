"""Validators whose secrets are known, for tests that sign."""

from __future__ import annotations

import functools
from typing import NamedTuple

from jamliquor.crypto import bandersnatch, ed25519
from jamliquor.types.state import ValidatorKeys


class Validator(NamedTuple):
    """A validator's secrets, and its keys as the state holds them."""

    bandersnatch: bandersnatch.SecretKey
    ed25519: ed25519.SecretKey
    keys: ValidatorKeys


@functools.cache
def validator(index: int) -> Validator:
    """The validator of a number; every number is another one."""
    seed = index.to_bytes(4, "little") * 8
    vrf, signing = bandersnatch.SecretKey(seed), ed25519.SecretKey(seed)
    keys = ValidatorKeys(
        vrf.public, signing.public, bytes((index % 256,)) * 144, bytes((index // 256,)) * 128
    )
    return Validator(vrf, signing, keys)


def validator_keys(first: int, count: int = 6) -> tuple[ValidatorKeys, ...]:
    """The keys of ``count`` validators from number ``first``."""
    return tuple(validator(index).keys for index in range(first, first + count))
