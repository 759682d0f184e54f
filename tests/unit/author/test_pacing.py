"""When proofs are made: the share of the processor, the contest's end, blocks first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamliquor.author.pacing import Pace, Pacer


def test_nothing_left_nothing_to_do() -> None:
    assert Pacer().plan(0, 60, 0) == Pace(None, 0)


def test_the_first_may_begin_at_once_and_the_next_when_the_share_allows() -> None:
    pacer = Pacer(0.25, guess=1.0)
    assert pacer.plan(10, 60, 3).start == 10
    pacer.proved(10, 12, cpu=1.0)
    assert pacer.plan(12, 60, 2).start == 14


def test_on_a_busy_machine_time_counts_for_the_end_and_processor_time_for_the_share() -> None:
    pacer = Pacer(0.5, guess=1.0)
    pacer.proved(0, 10, cpu=1.0)
    assert pacer.expected == 10
    assert pacer.plan(10, 24, 1).start is None
    assert pacer.plan(10, 26, 1).start == 10


def test_a_slower_machine_is_believed_at_once_and_a_faster_one_later() -> None:
    pacer = Pacer(1.0, guess=1.0)
    pacer.proved(0, 4, cpu=4)
    assert pacer.expected == 4
    pacer.proved(4, 5, cpu=1)
    assert pacer.expected == 2.5


def test_later_attempts_are_dropped() -> None:
    pacer = Pacer(0.5, guess=1.0)
    # One from 0, one from 2: the third would end after 5 with its margin.
    assert pacer.plan(0, 4.9, 3) == Pace(0, 2)
    assert pacer.plan(0, 5.5, 3) == Pace(0, 3)
    assert pacer.plan(0, 1.4, 3) == Pace(None, 0)


def test_blocks_come_first() -> None:
    pacer = Pacer(1.0, guess=1.0)
    busy = [(20.0, 22.0), (10.0, 12.0)]
    assert pacer.plan(8, 60, 1, busy).start == 8
    assert pacer.plan(9, 60, 1, busy).start == 12
    assert pacer.plan(19, 60, 1, busy).start == 22
    assert pacer.plan(19, 23, 1, busy).start is None


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_a_share_is_a_part_of_one_core(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Pacer(share)


@given(
    share=st.floats(0.05, 1),
    guess=st.floats(0.01, 5),
    end=st.floats(1, 120),
    count=st.integers(1, 20),
    took=st.lists(st.floats(0.01, 8), min_size=20, max_size=20),
)
def test_the_share_holds_over_a_contest(
    share: float, guess: float, end: float, count: int, took: list[float]
) -> None:
    """Whatever proofs take: those after the first begin only once the share has room again."""
    pacer = Pacer(share, guess)
    now, spent, left = 0.0, 0.0, count
    while (pace := pacer.plan(now, end, left)).start is not None:
        assert 1 <= pace.keep <= left
        assert spent <= share * pace.start + 1e-9
        assert pace.start + pacer.expected <= end
        cpu = took[count - left]
        pacer.proved(pace.start, pace.start + cpu, cpu)
        now, spent, left = pace.start + cpu, spent + cpu, left - 1
