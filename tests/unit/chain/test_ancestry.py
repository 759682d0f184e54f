"""Known headers: who precedes whom, and what is forgotten."""

from __future__ import annotations

from jamliquor.chain.ancestry import Ancestry


def name(number: int) -> bytes:
    return number.to_bytes(32, "little")


def test_every_ancestor_is_found_and_nobody_else() -> None:
    known = Ancestry(50)
    for slot in range(1, 101):
        known.add(name(slot), slot, name(slot - 1))
    known.add(name(1000), 98, name(97))
    for slot in range(1, 101):
        assert known.contains(name(100), name(slot), slot)
        assert not known.contains(name(100), name(slot), slot + 1)
        assert known.contains(name(1000), name(slot), slot) == (slot <= 97)


def test_fork_from_the_far_future_forgets_nobody() -> None:
    known = Ancestry(24)
    for slot in range(1, 40):
        known.add(name(slot), slot, name(slot - 1))
        known.add(name(10_000 + slot), (1 << 32) - 1, name(slot - 1))
    assert known.contains(name(39), name(16), 16)


def test_number_of_headers_is_bounded_whatever_their_slots() -> None:
    known = Ancestry(24)
    known.add(name(1 << 40), (1 << 32) - 1, name(0))
    for slot in range(1, 5000):
        known.add(name(slot), slot, name(slot - 1))
    assert len(known) == 2 * 24 + 1024
    assert known.contains(name(4999), name(4975), 4975)
