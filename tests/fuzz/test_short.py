"""A short run of every fuzz target, always the same."""

from __future__ import annotations

import contextlib

import pytest

from jamliquor.codec import codec
from jamliquor.errors import DecodeError
from jamliquor.params import TINY
from jamliquor.types.block import Block
from tests.fuzz import blocks
from tests.fuzz.all_targets import TARGETS
from tests.fuzz.mutation import mutated
from tests.fuzz.octets import story

RUNS = {"blocks-sealed": 60, "states": 60, "signatures": 60, "framing": 60, "conversation": 60}


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_their_neighbours(name: str) -> None:
    target = TARGETS[name]
    check = target.start()
    seeds = list(target.seeds())
    for seed in seeds[:60]:
        check(seed[: target.max_size])
    for data in mutated(target, seeds, RUNS.get(name, 300), 0):
        check(data)


def test_changed_blocks_pass_and_fail() -> None:
    """The target of changed blocks means something: seeds are accepted, changes mostly are not."""
    maker, bases = story().maker, blocks.bases()
    target = TARGETS["blocks-sealed"]
    for made in bases[::6]:
        block = blocks.resealed(maker, made, made.block, 0x8F)
        assert isinstance(blocks.judge(blocks.on_parent(made), block), bytes)
    found = set()
    for data in mutated(target, list(target.seeds()), 150, 1):
        with contextlib.suppress(DecodeError):
            made = bases[data[0] % len(bases)]
            block = codec(Block, TINY).decode(data[2:])
            verdict = blocks.judge(blocks.on_parent(made), blocks.resealed(maker, made, block, data[1]))
            found.add(verdict if isinstance(verdict, str) else "")
    assert len(found) > 15, found
