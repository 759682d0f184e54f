"""Appendix F against the shuffle vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jamliquor.stf.shuffle import shuffle, shuffle_by
from tests.support.vectors import vectors


@pytest.mark.parametrize("path", vectors("shuffle/shuffle_tests.json"))
def test_vectors(path: Path) -> None:
    cases = json.loads(path.read_text())
    assert len(cases) == 8
    for case in cases:
        assert shuffle(range(case["input"]), bytes.fromhex(case["entropy"])) == case["output"]


def test_numbers_choose_from_what_is_left() -> None:
    assert shuffle_by("abcd", [1, 1, 4, 7]) == ["b", "d", "a", "c"]
    with pytest.raises(IndexError):
        shuffle_by("ab", [0])
