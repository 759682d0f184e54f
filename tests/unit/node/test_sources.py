"""Blocks from files, in the groups that a node is told of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jamliquor.conformance.bad_input import BadInput
from jamliquor.node.sources import TOLD_BLOCKS, Sent, in_groups


def test_groups_hold_a_few_blocks_or_a_large_one() -> None:
    sizes = [10] * (TOLD_BLOCKS + 2) + [2 << 20] * 2 + [10]
    blocks = [Sent(bytes(size), str(number)) for number, size in enumerate(sizes)]
    groups = list(in_groups(blocks))
    assert [one for group in groups for one in group] == blocks
    assert [len(group) for group in groups] == [TOLD_BLOCKS, 3, 1, 1]


def test_what_comes_before_a_break_is_handed_on() -> None:
    def breaking() -> Iterator[Sent]:
        yield Sent(b"a", "a")
        raise BadInput("cut short", Path("x"))

    groups = in_groups(breaking())
    assert next(groups) == [Sent(b"a", "a")]
    with pytest.raises(BadInput, match="cut short"):
        next(groups)
