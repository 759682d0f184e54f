"""What a fuzz target is, and the targets there are by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import NamedTuple

Check = Callable[[bytes], None]
"""Tries one input; whatever it raises is a finding."""


class Target(NamedTuple):
    """Something that takes octets from strangers.

    Attributes:
        start: makes the check; whatever is costly is made here, once.
        seeds: inputs to begin with, from data of our own.
        max_size: octets of the largest input tried.
        vary: an input changed with understanding, or None where that fails.
    """

    name: str
    start: Callable[[], Check]
    seeds: Callable[[], Iterable[bytes]]
    max_size: int = 4096
    vary: Callable[[bytes, random.Random], bytes | None] | None = None


class Finding(AssertionError):
    """An input did something that none may do."""


def demand(holds: bool, what: str) -> None:
    """Raise a finding unless something holds; unlike ``assert``, also in optimized runs."""
    if not holds:
        raise Finding(what)
