"""The best block by section 19, and the way ties go."""

from __future__ import annotations

import itertools
import random

import pytest

from jamliquor.chain.best_chain import BestChain
from jamliquor.chain.finality import Finality
from jamliquor.chain.record import BlockRecord
from jamliquor.chain.tree import BlockTree
from tests.support.records import ROOT, on, tree_of


def head(*records: BlockRecord) -> bytes:
    """The head after blocks came one by one; looking at the whole tree gives the same."""
    tree = BlockTree(ROOT)
    best = BestChain(tree)
    for record in records:
        preferred = best.prefers(record)
        found = best.added(tree.add(record))
        assert not preferred or found == record.hash
        assert found == BestChain(tree).head
    return best.head


def test_the_root_alone() -> None:
    assert head() == ROOT.hash


def test_more_tickets_win_against_more_blocks() -> None:
    long = [on(ROOT, "l1", 11)]
    long += [on(long[0], "l2", 13)]
    long += [on(long[1], "l3", 15)]
    short = on(ROOT, "s1", 12, ticketed=True)
    assert head(*long, short) == head(short, *long) == short.hash


def test_equal_tickets_go_to_the_higher_slot() -> None:
    low, high = on(ROOT, "low", 12), on(ROOT, "high", 14)
    assert head(low, high) == head(high, low) == high.hash


def test_equal_slots_disqualify_both() -> None:
    one, two = on(ROOT, "one", 12), on(ROOT, "two", 12)
    below = on(ROOT, "below", 11)
    assert head(one, two) == ROOT.hash
    assert head(one, below, two) == below.hash


def test_everything_above_a_disqualified_block_is_disqualified() -> None:
    first = on(ROOT, "first", 11)
    second = on(first, "second", 12, ticketed=True)
    third = on(second, "third", 13, ticketed=True)
    twin = on(ROOT, "twin", 12)
    for order in itertools.permutations((second, third, twin)):
        if order.index(third) > order.index(second):
            assert head(first, *order) == first.hash


def test_a_final_block_is_not_disqualified() -> None:
    one, two = on(ROOT, "one", 12), on(ROOT, "two", 12)
    above = on(one, "above", 13)
    tree = tree_of(one, two, above)
    best = BestChain(tree)
    assert best.head == ROOT.hash and best.above(one.hash) == above.hash
    tree.finalise(one.hash)
    assert best.recompute() == above.hash


def test_a_twin_that_finality_dropped_still_disqualifies() -> None:
    one = on(ROOT, "one", 11)
    two = on(one, "two", 13)
    twin = on(ROOT, "twin", 13)
    tree = tree_of(one, two, twin)
    tree.finalise(one.hash)
    assert BestChain(tree).head == one.hash


def test_unaudited_blocks_are_passed_over() -> None:
    one = on(ROOT, "one", 11)
    tree = BlockTree(ROOT)
    best = BestChain(tree)
    assert best.added(tree.add(one, audited=False)) == ROOT.hash
    two = on(one, "two", 12)
    assert best.added(tree.add(two)) == two.hash


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_arrival_gives_the_same_head(seed: int) -> None:
    chance = random.Random(seed)
    made = [ROOT]
    for index in range(25):
        parent = chance.choice(made)
        slot = parent.slot + chance.randint(1, 6)
        made.append(on(parent, f"{seed}/{index}", slot, ticketed=chance.random() < 0.3))
    blocks = made[1:]
    expected = head(*blocks)
    for _ in range(3):
        ready, later = [], blocks[:]
        known = {ROOT.hash}
        while later:
            possible = [one for one in later if one.parent in known]
            chosen = chance.choice(possible)
            later.remove(chosen)
            known.add(chosen.hash)
            ready.append(chosen)
        assert head(*ready) == expected


def test_lower_hash_wins_the_last_tie() -> None:
    # One slot with two blocks is never acceptable, so the tie shows in the order only.
    from jamliquor.chain.best_chain import _order  # noqa: PLC0415

    one = on(ROOT, "one", 12)
    assert _order(1, one._replace(hash=b"\1" * 32)) > _order(1, one._replace(hash=b"\2" * 32))


def test_finality_by_depth() -> None:
    line = [ROOT]
    for index in range(5):
        line.append(on(line[-1], f"line {index}"))
    tree = tree_of(*line[1:])
    assert Finality.parse("depth:2").due(tree, line[5].hash) == line[3].hash
    assert Finality.parse("depth:0").due(tree, line[5].hash) == line[5].hash
    assert Finality.parse("depth:5").due(tree, line[5].hash) is None
    assert Finality.parse("depth:9").due(tree, line[5].hash) is None
    assert Finality.parse("manual").due(tree, line[5].hash) is None
    assert str(Finality.parse("depth:2")) == "depth:2" and str(Finality()) == "manual"
    for wrong in ("", "depth", "depth:", "depth:-1", "depth:x", "auto"):
        with pytest.raises(ValueError, match="neither manual nor depth:N"):
            Finality.parse(wrong)
