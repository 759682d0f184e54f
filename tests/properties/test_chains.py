"""Chains of our own blocks: whatever way an importer takes through them, the roots are the same."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jamliquor.chain.importer import Importer
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import UnknownParent
from jamliquor.state import keys
from jamliquor.types.state import FallbackKeys, TicketKeys
from tests.support.maker import SERVICE, Made, Maker, secrets, validator_keys
from tests.support.scripted_service import call, script
from tests.support.story import LATE_OFFENDER, OFFENDERS, PREIMAGE, Story, tell

EVERYTHING = 1 << 16


@pytest.fixture(scope="module")
def story() -> Story:
    return tell()


def _import(importer: Importer, made: Iterable[Made]) -> None:
    """Import blocks; each must have the root it had when it was made."""
    for one in made:
        assert importer.import_block(one.encoded).root == one.root, f"slot {one.slot}"


def _any_order(made: Iterable[Made], root: bytes, order: random.Random) -> list[Made]:
    """The blocks in a random order, parents before children."""
    waiting = list(made)
    known = {root}
    found = []
    while waiting:
        ready = [one for one in waiting if one.parent in known]
        chosen = order.choice(ready)
        waiting.remove(chosen)
        known.add(chosen.hash)
        found.append(chosen)
    return found


# The story: what is said to happen in it does happen.


def test_the_story_has_six_epochs_forks_and_gaps(story: Story) -> None:
    maker = story.maker
    line = maker.path(story.head.hash)
    slots = [made.slot for made in line]
    assert len({slot // 12 for slot in slots}) == 6
    assert max(slots) >= 72
    assert len(slots) < max(slots)
    assert len(story.forks) == 8
    assert len(maker.made) > len(line) + len(story.forks)


def test_the_story_has_both_seal_modes(story: Story) -> None:
    modes = {}
    for made in story.maker.path(story.head.hash):
        modes[made.slot // 12] = type(made.state.component(keys.SAFROLE).sealing_keys)
    assert modes == {
        0: FallbackKeys,
        1: TicketKeys,
        2: FallbackKeys,
        3: FallbackKeys,
        4: TicketKeys,
        6: FallbackKeys,
    }


def test_reports_of_the_story_reach_the_service(story: Story) -> None:
    states = [made.state for made in story.maker.path(story.head.hash)]
    stored = [state.get(keys.storage(SERVICE, b"key")) for state in states]
    assert stored[0] is None
    assert b"value" in stored
    assert stored[-1] is None
    assert states[-1].get(keys.preimage(SERVICE, blake2b(PREIMAGE))) == PREIMAGE
    outputs = [state.component(keys.ACCUMULATION_OUTPUTS) for state in states]
    assert ((SERVICE, b"y" * 32),) in outputs


def test_reports_of_the_story_wait_for_what_they_build_on(story: Story) -> None:
    line = story.maker.path(story.head.hash)
    queues = {made.slot: made.state.component(keys.ACCUMULATION_QUEUE) for made in line}
    assert [len(items) for items in queues[38] if items] == [1]
    assert not any(queues[40])
    history = {made.slot: made.state.component(keys.ACCUMULATION_HISTORY) for made in line}
    assert len(history[40][-1]) == 2


def test_a_report_of_the_story_times_out(story: Story) -> None:
    line = [made for made in story.maker.path(story.head.hash) if 24 < made.slot < 36]
    pending = [made.state.component(keys.PENDING_REPORTS)[0] is not None for made in line]
    assert True in pending
    assert not pending[-1]
    assert not any(made.state.component(keys.ACCUMULATION_HISTORY)[-1] for made in line)


def test_offenders_of_the_story_lose_their_keys(story: Story) -> None:
    line = story.maker.path(story.head.hash)
    active = {made.slot // 12: made.state.component(keys.ACTIVE_VALIDATORS) for made in line}
    gone = [index for index, each in enumerate(active[2]) if each.ed25519 == bytes(32)]
    assert gone == list(OFFENDERS)
    assert active[3] == validator_keys(6)
    assert active[6] == (active[2][0], *validator_keys(7, 5))
    records = line[-1].state.component(keys.DISPUTES)
    assert (len(records.good), len(records.bad), len(records.wonky)) == (1, 1, 1)
    guilty = (*OFFENDERS, LATE_OFFENDER)
    assert records.offenders == {secrets()[index].ed25519.public for index in guilty}


# The ways through it.


def test_forwards(story: Story) -> None:
    importer = story.maker.new_importer(kept_states=EVERYTHING)
    _import(importer, story.maker.made.values())


def test_each_branch_by_itself(story: Story) -> None:
    for head in (story.head, *story.forks):
        _import(story.maker.new_importer(), story.maker.path(head.hash))


@pytest.mark.parametrize("fork", range(8))
def test_to_a_fork_and_back(story: Story, fork: int) -> None:
    maker = story.maker
    main, side = maker.path(story.head.hash), maker.path(story.forks[fork].hash)
    common = sum(1 for ours, theirs in zip(main, side, strict=False) if ours.hash == theirs.hash)
    importer = maker.new_importer(kept_states=EVERYTHING)
    _import(importer, side)
    _import(importer, main[common:])
    # Back once more, from the point where both part.
    _import(importer, side[common:])
    _import(importer, main[common:])


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order(story: Story, seed: int) -> None:
    maker = story.maker
    order = _any_order(maker.made.values(), maker.root, random.Random(seed))
    _import(maker.new_importer(kept_states=EVERYTHING), order)


@pytest.mark.parametrize("seed", range(2))
def test_with_little_room(story: Story, seed: int) -> None:
    """Where a parent's state had to go, the branch is imported again up to it."""
    maker = story.maker
    importer = maker.new_importer(kept_states=5)
    forgotten = 0
    for made in _any_order(maker.made.values(), maker.root, random.Random(seed)):
        try:
            _import(importer, [made])
        except UnknownParent:
            forgotten += 1
            importer.start(maker.root, maker.first_state)
            _import(importer, maker.path(made.hash))
    assert forgotten


# Chains that nobody thought of.

Steps = list[tuple[int, int, bool]]

STEPS: st.SearchStrategy[Steps] = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(st.integers(1, 4), st.integers(1, 24)),
        st.booleans(),
    ),
    min_size=2,
    max_size=14,
)
"""For each block: how many blocks before the newest its parent lies, slots after the parent, work."""


def _grown(steps: Steps, seed: int) -> Maker:
    maker = Maker(seed=seed)
    heads = [maker.root]
    for number, (back, gap, work) in enumerate(steps):
        parent = heads[max(0, len(heads) - 1 - back)]
        slot = maker.slot(parent) + gap
        guarantees = []
        pending = maker.outlook(parent, slot).judged.pending
        if work and pending[0] is None:
            result = script(call("write", bytes([number]), 1, maker.draw(), 1 + number))
            guarantees.append(maker.guarantee(parent, maker.report(parent, 0, result), slot))
        heads.append(maker.make(parent, slot, guarantees=guarantees).hash)
    return maker


@settings(max_examples=15, deadline=None)
@given(STEPS, st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_random_chains_in_random_order(steps: Steps, seed: int, order: random.Random) -> None:
    maker = _grown(steps, seed)
    shuffled = _any_order(maker.made.values(), maker.root, order)
    _import(maker.new_importer(kept_states=EVERYTHING), shuffled)


def test_the_same_seed_makes_the_same_chain() -> None:
    steps: Steps = [(0, 1, True), (0, 2, True), (1, 5, True), (0, 11, False)]
    once, again, other = _grown(steps, 1), _grown(steps, 1), _grown(steps, 2)
    assert list(once.made) == list(again.made)
    assert list(once.made) != list(other.made)
