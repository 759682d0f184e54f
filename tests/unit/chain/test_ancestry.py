"""Which headers precede which, at any depth, on forks, and after old ones were forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jamliquor.chain.ancestry import Ancestry

NOBODY = b"\xff" * 32


def name(number: int) -> bytes:
    return number.to_bytes(32, "big")


@given(
    steps=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3)), min_size=1, max_size=60),
)
def test_agrees_with_a_walk_along_the_parents(steps: list[tuple[int, int]]) -> None:
    known = Ancestry()
    parents: list[int] = []
    slots: list[int] = []
    for index, (back, gap) in enumerate(steps):
        parent = index - 1 - back % index if index else -1
        parents.append(parent)
        slots.append(gap if parent < 0 else slots[parent] + gap)
        known.add(name(index), slots[index], NOBODY if parent < 0 else name(parent))
    for head in range(len(steps)):
        line = set()
        step = head
        while step >= 0:
            line.add(step)
            step = parents[step]
        for other in range(len(steps)):
            assert known.contains(name(head), name(other), slots[other]) is (other in line)
            assert not known.contains(name(head), name(other), slots[other] + 1)


def test_one_header_of_the_far_future_holds_no_others() -> None:
    known = Ancestry()
    known.add(name(0), 2**32 - 1, NOBODY)
    for slot in range(1, 100):
        known.add(name(slot), slot, name(slot - 1) if slot > 1 else NOBODY)
    known.forget(before=90)
    assert len(known) == 11
    assert known.contains(name(99), name(90), 90)
    assert not known.contains(name(99), name(89), 89)
