"""Marks between the parts of an import."""

from __future__ import annotations

from jamliquor.stf.laps import Laps


def test_time_goes_to_the_part_that_ends() -> None:
    times = iter([0.0, 10.0, 11.0, 13.0, 20.0, 24.0])
    laps = Laps(lambda: next(times))
    laps.begin()
    laps.mark("decode")
    laps.mark("trie")
    laps.begin()
    laps.mark("decode")
    assert laps.times == {"decode": 5.0, "trie": 2.0}
    assert laps.blocks == 2
