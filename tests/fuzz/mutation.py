"""Changes octets at random, but the same way for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.fuzz.target import Target

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0xFE, 0x40, 0x20, 0x10)


def mutated(target: Target, seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """``count`` inputs: each a seed with a few changes, some spliced from two."""
    choice = random.Random(seed)
    for _ in range(count):
        chosen = choice.choice(seeds)
        if target.vary is not None and choice.random() < 0.75:
            yield target.vary(chosen, choice) or chosen
            continue
        data = bytearray(chosen)
        if choice.random() < 0.1:
            other = choice.choice(seeds)
            data[choice.randrange(len(data) + 1) :] = other[choice.randrange(len(other) + 1) :]
        for _ in range(choice.choice((1, 1, 2, 3, 6))):
            _change(data, choice)
        yield bytes(data[: target.max_size])


def _change(data: bytearray, choice: random.Random) -> None:
    at = choice.randrange(len(data) + 1)
    length = choice.choice((1, 1, 2, 4, 32))
    kind = choice.randrange(6)
    if kind == 0 or not data or at == len(data):
        data[at:at] = choice.randbytes(length)
    elif kind == 1:
        del data[at : at + length]
    elif kind == 2:
        data[at] ^= 1 << choice.randrange(8)
    elif kind == 3:
        data[at] = choice.choice(_INTERESTING)
    elif kind == 4:
        data[at : at + length] = choice.randbytes(length)
    else:
        data[at:at] = data[at : at + length]
