"""The tree of blocks that are not final."""

from __future__ import annotations

import gc

import pytest

from jamliquor.chain.tree import BlockTree, Node
from jamliquor.errors import TreeFull, UnknownParent
from tests.support.records import ROOT, name, on, tree_of

A1 = on(ROOT, "a1", 11)
A2 = on(A1, "a2", 13)
A3 = on(A2, "a3", 15)
B2 = on(A1, "b2", 12)
B3 = on(B2, "b3", 14)
C1 = on(ROOT, "c1", 16)
ALL = (A1, A2, A3, B2, B3, C1)


def test_blocks_come_parents_first_in_the_order_of_arrival() -> None:
    assert list(tree_of(*ALL)) == [ROOT, A1, A2, A3, B2, B3, C1]
    assert tree_of(*ALL).leaves == sorted([A3.hash, B3.hash, C1.hash])


def test_unknown_parent_is_named() -> None:
    with pytest.raises(UnknownParent) as refused:
        tree_of(A2)
    assert refused.value.parent == A1.hash


def test_adding_again_changes_nothing() -> None:
    tree = tree_of(*ALL)
    before = tree.digest()
    tree.add(A2)
    assert tree.digest() == before and len(tree) == 7 and not tree.equivocated


def test_bound() -> None:
    tree = BlockTree(ROOT, max_blocks=2)
    tree.add(A1)
    tree.add(A2)
    with pytest.raises(TreeFull):
        tree.add(A3)
    tree.finalise(A1.hash)
    tree.add(A3)


@pytest.mark.parametrize(
    ("old", "new", "ancestor", "left", "entered"),
    [
        (A3, B3, A1, [A3, A2], [B2, B3]),
        (B3, A3, A1, [B3, B2], [A2, A3]),
        (A3, C1, ROOT, [A3, A2, A1], [C1]),
        (A1, A3, A1, [], [A2, A3]),
        (A3, A1, A1, [A3, A2], []),
        (A3, A3, A3, [], []),
    ],
)
def test_routes(old, new, ancestor, left, entered) -> None:  # type: ignore[no-untyped-def]
    route = tree_of(*ALL).route(old.hash, new.hash)
    assert route.ancestor == ancestor.hash
    assert route.left == tuple(one.hash for one in left)
    assert route.entered == tuple(one.hash for one in entered)


def test_ancestors() -> None:
    tree = tree_of(*ALL)
    assert tree.is_ancestor(A1.hash, B3.hash) and tree.is_ancestor(A1.hash, A1.hash)
    assert not tree.is_ancestor(A2.hash, B3.hash) and not tree.is_ancestor(B3.hash, A1.hash)
    assert tree.ancestor(A3.hash, 2) == A1.hash and tree.ancestor(A3.hash, 3) == ROOT.hash
    assert tree.ancestor(A3.hash, 4) is None


def test_finality_moves_the_root_and_drops_side_branches() -> None:
    tree = tree_of(*ALL)
    plan = tree.preview(A2.hash)
    found = tree.finalise(A2.hash)
    assert plan == found and found.settled == (A1, A2)
    assert set(found.dropped) == {B2, B3, C1}
    assert found.dropped.index(B3) < found.dropped.index(B2)
    assert list(tree) == [A2, A3] and tree.root == A2
    with pytest.raises(KeyError):
        tree.finalise(A1.hash)
    assert tree.finalise(A2.hash) == ((), ())


def test_what_is_dropped_waits_for_no_cycle_collector() -> None:
    tree = tree_of(*ALL)
    gc.collect()
    gc.disable()
    try:
        tree.finalise(A3.hash)
        left = [one for one in gc.get_objects() if isinstance(one, Node) and one.record in ALL]
    finally:
        gc.enable()
    assert [node.record for node in left] == [A3]


def test_ticketed_ancestors_are_counted_from_the_root() -> None:
    first, second = on(ROOT, "t1", ticketed=True), None
    second = on(first, "t2", ticketed=True)
    tree = tree_of(first, second)
    assert tree.node(second.hash).ticketed == 2
    tree.finalise(first.hash)
    assert tree.node(second.hash).ticketed == 1


def test_two_blocks_of_one_slot_are_remembered_after_one_was_dropped() -> None:
    twin = on(ROOT, "twin of a2", A2.slot)
    tree = tree_of(*ALL, twin)
    assert tree.equivocated == [A2.slot]
    tree.finalise(A1.hash)
    assert name("twin of a2") not in tree and tree.is_equivocated(A2.slot)
    tree.finalise(A2.hash)
    assert tree.equivocated == [] and not tree.is_equivocated(A2.slot)


def test_a_dropped_block_makes_the_next_one_of_its_slot_a_twin() -> None:
    tree = tree_of(A1, C1)
    tree.finalise(A1.hash)
    assert tree.equivocated == [] and tree.remembered == [(C1.slot, C1.hash)]
    late = on(A1, "late", C1.slot)
    tree.add(late)
    assert tree.is_equivocated(late.slot) and tree.remembered == [(late.slot, bytes(32))]
    again = BlockTree(A1, remembered=[(C1.slot, C1.hash)])
    again.add(late)
    assert again.is_equivocated(late.slot) and again.digest() == tree.digest()


def test_digest_does_not_depend_on_the_order_of_arrival() -> None:
    assert tree_of(*ALL).digest() == tree_of(C1, A1, B2, A2, B3, A3).digest()
    assert tree_of(*ALL).digest() != tree_of(*ALL[:-1]).digest()
    changed = A3._replace(state_root=bytes(32))
    assert tree_of(A1, A2, changed).digest() != tree_of(A1, A2, A3).digest()
