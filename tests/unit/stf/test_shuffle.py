"""The shuffle beyond the vectors (appendix F)."""

from __future__ import annotations

import hashlib

import pytest

from jamliquor.stf.shuffle import shuffle, shuffle_by

ENTROPY = bytes(range(32))


def _numbers(count: int) -> list[int]:
    """Function Q of the paper, one number at a time."""
    found = []
    for index in range(count):
        seed = ENTROPY + (index // 8).to_bytes(4, "little")
        at = 4 * (index % 8)
        digest = hashlib.blake2b(seed, digest_size=32).digest()
        found.append(int.from_bytes(digest[at : at + 4], "little"))
    return found


def _plain(items: list[int], numbers: list[int]) -> list[int]:
    """Function F as the paper writes it: the chosen item, then the rest with the last in its place."""
    if not items:
        return []
    chosen = numbers[0] % len(items)
    rest = list(items)
    rest[chosen] = rest[-1]
    return [items[chosen], *_plain(rest[:-1], numbers[1:])]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 16, 17, 341])
def test_the_papers_recursion(count: int) -> None:
    items = list(range(100, 100 + count))
    assert shuffle(items, ENTROPY) == _plain(items, _numbers(count))
    assert items == list(range(100, 100 + count))


def test_numbers_may_be_too_many_and_not_too_few() -> None:
    assert shuffle_by("abcd", [3, 0, 1, 0, 9, 9]) == ["d", "a", "b", "c"]
    with pytest.raises(IndexError):
        shuffle_by("abcd", [3, 0, 1])
