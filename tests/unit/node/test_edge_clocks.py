"""Clocks around the native core."""

from __future__ import annotations

import struct
from pathlib import Path

from jamliquor.node.edge import blocks
from jamliquor.node.edge.clocks import PYTHON, Clocks, instructions


class _Counter:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = 0

    def __call__(self) -> int:
        return self.at

    def work(self, count: int) -> None:
        self.at += count


def test_work_is_split_by_kind() -> None:
    counter = _Counter()
    clocks = Clocks(counter)
    trie, vrf = clocks.around("trie", counter.work), clocks.around("vrf", counter.work)

    def block() -> None:
        counter.work(5)
        trie(100)
        vrf(30)
        trie(1)
        counter.work(2)

    assert clocks.split(block) == {"trie": 101, "vrf": 30, PYTHON: 7}
    assert clocks.split(lambda: vrf(4)) == {"vrf": 4, PYTHON: 0}


def test_each_kind_counts_where_it_took_least() -> None:
    rounds = [{"trie": 4e6, PYTHON: 9e6}, {"trie": 5e6, PYTHON: 7e6, "vrf": 1e6}]
    assert blocks._least(rounds, 1e6) == {"trie": 4.0, PYTHON: 7.0, "vrf": 0.0}


def test_counter_of_the_emulator(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_bytes(struct.pack("<Q", 7))
    now = instructions(page)
    assert now() == 7
    with page.open("r+b") as file:
        file.write(struct.pack("<Q", 1 << 40))
        file.flush()
        assert now() == 1 << 40
