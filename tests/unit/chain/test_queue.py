"""Blocks that wait."""

from __future__ import annotations

from jamliquor.chain.queue import Held, WaitingBlocks
from tests.support.records import name


def held(text: str, parent: str, slot: int = 1, octets: int = 10) -> Held:
    return Held(name(text), name(parent), slot, bytes(octets), "test")


def test_blocks_come_out_by_their_parent() -> None:
    waiting = WaitingBlocks()
    a, b, c = held("a", "p"), held("b", "p"), held("c", "q")
    for one in (a, b, c):
        assert waiting.hold(one) == []
    assert len(waiting) == 3 and waiting.octets == 30 and a.hash in waiting
    assert waiting.roots() == sorted([name("p"), name("q")])
    assert waiting.on(name("p")) == [a, b] and waiting.on(name("p")) == []
    assert waiting.octets == 10 and waiting.clear() == [c] and len(waiting) == 0


def test_the_one_that_waited_longest_goes() -> None:
    waiting = WaitingBlocks(max_blocks=2)
    a, b, c = held("a", "p"), held("b", "p"), held("c", "p")
    assert waiting.hold(a) == waiting.hold(b) == []
    assert waiting.hold(a) == []
    assert waiting.hold(c) == [a] and waiting.on(name("p")) == [b, c]


def test_bound_of_octets() -> None:
    waiting = WaitingBlocks(max_octets=25)
    a, b, big = held("a", "p"), held("b", "p"), held("big", "p", octets=20)
    waiting.hold(a)
    waiting.hold(b)
    assert waiting.hold(big) == [a, b] and waiting.octets == 20
    larger = held("larger", "p", octets=26)
    assert waiting.hold(larger) == [larger] and len(waiting) == 1


def test_nothing_waits_where_nothing_may() -> None:
    waiting = WaitingBlocks(max_blocks=0)
    a = held("a", "p")
    assert waiting.hold(a) == [a] and len(waiting) == 0


def test_due_by_slot() -> None:
    waiting = WaitingBlocks()
    a, b, c = held("a", "p", 7), held("b", "p", 5), held("c", "p", 9)
    for one in (a, b, c):
        waiting.hold(one)
    assert waiting.due(4) == [] and waiting.due(7) == [b, a] and len(waiting) == 1


def test_branch_of_a_refused_block() -> None:
    waiting = WaitingBlocks()
    a, b, c, other = held("a", "bad"), held("b", "a"), held("c", "b"), held("o", "good")
    for one in (c, b, a, other):
        waiting.hold(one)
    assert waiting.roots() == sorted([name("bad"), name("good")])
    assert waiting.branch(name("bad")) == [a, b, c] and waiting.clear() == [other]
