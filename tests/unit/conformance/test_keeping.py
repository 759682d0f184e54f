"""Which states a session keeps, and that it makes no difference where."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jamliquor.chain.importer import Imported
from jamliquor.conformance.disk_chain import DiskChain
from jamliquor.conformance.keeping import MemoryChain, RecentTree, Start
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.state.state import State
from tests.support.stored_chain import digest
from tests.support.traces import BLOCK, minimal_state

FIRST = digest("first")


def test_a_line_keeps_its_newest() -> None:
    tree = RecentTree(b"0", 3)
    gone = [tree.add(str(number).encode(), str(number - 1).encode()) for number in range(1, 7)]
    assert [(it.firsts, it.tips) for it in gone[2:]] == [
        ([b"0"], []),
        ([b"1"], []),
        ([b"2"], []),
        ([b"3"], []),
    ]
    assert tree.first == b"4" and b"6" in tree and b"3" not in tree


def test_siblings_go_before_the_parent_that_is_in_use() -> None:
    tree = RecentTree(b"0", 3)
    for name in (b"a", b"b", b"c", b"d"):
        assert tree.use(b"0")
        gone = tree.add(name, b"0")
    assert gone == ([], [b"b"]) and tree.first == b"0"
    # The parent stays while two blocks follow on it, even when it is the one used longest ago.
    assert tree.use(b"c") and tree.use(b"d")
    assert tree.add(b"e", b"d") == ([], [b"c"])
    assert tree.add(b"f", b"e") == ([b"0"], [])


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_is_a_tree_with_the_newest_in_it(seed: int) -> None:
    rng = random.Random(seed)
    tree = RecentTree(b"0", 5)
    parents = {b"0": b""}
    for number in range(1, 200):
        parent = rng.choice([name for name in parents if name in tree])
        tree.use(parent)
        name = str(number).encode()
        gone = tree.add(name, parent)
        parents[name] = parent
        kept = [it for it in parents if it in tree]
        assert name in tree and len(kept) <= 5
        assert not {*gone.firsts, *gone.tips}.intersection(kept)
        assert all(it == tree.first or parents[it] in tree for it in kept)


@pytest.mark.parametrize("seed", range(4))
def test_memory_and_disk_keep_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(Imported, "ticketed", False)
    rng = random.Random(seed)
    first = State.from_entries(TINY, minimal_state().entries)
    start = Start(BLOCK.header, FIRST, b"header", first, ((digest(0), 3), (FIRST, 7)))
    closed: list[Path] = []
    disk = DiskChain(tmp_path / "db", TINY, start, closed.append, limit=6)
    chains = (MemoryChain(start, limit=6), disk)
    slots = {FIRST: 7}
    blocks: list[tuple[bytes, bytes]] = []
    for number in range(150):
        known = [it for it in slots if chains[0].get(it) is not None]
        assert known == [it for it in slots if disk.get(it) is not None]
        if blocks and rng.random() < 0.2:
            block_hash, parent = rng.choice(blocks[-8:])
        else:
            block_hash, parent = digest(seed, number), rng.choice(known)
            blocks.append((block_hash, parent))
        if parent not in known:
            continue
        slot = slots.setdefault(block_hash, slots[parent] + 1)
        oldest = []
        for chain in chains:
            prior = chain.get(parent)
            assert prior is not None
            state = prior.child({keys.TIME: slot}, {bytes([slot % 9]) * 31: block_hash * 3})
            imported = Imported(block_hash, slot, state.root, state, parent, b"header")
            oldest.append(chain.add(imported, b"block" * 100))
        assert oldest[0] == oldest[1]
        ours, theirs = (chain.get(block_hash) for chain in chains)
        assert ours is not None and theirs is not None and ours.root == theirs.root
        assert list(ours.items()) == list(theirs.items())
    disk.close()
    assert closed == [tmp_path / "db"]


def test_disk_is_bounded_over_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Imported, "ticketed", False)
    state = State.from_entries(TINY, minimal_state().entries)
    start = Start(BLOCK.header, FIRST, b"header", state, ((FIRST, 7),))
    disk = DiskChain(tmp_path / "db", TINY, start, lambda _: None, limit=6)
    parent, sizes = FIRST, []
    for number in range(900):
        prior = disk.get(parent)
        assert prior is not None
        state = prior.child({keys.TIME: 8 + number}, {b"k" * 31: digest(number)})
        block_hash = digest("line", number)
        disk.add(Imported(block_hash, 8 + number, state.root, state, parent, b"header"), bytes(10_000))
        parent = block_hash
        if number in (299, 899):
            sizes.append(sum(it.stat().st_blocks * 512 for it in (tmp_path / "db").iterdir()))
    disk.close()
    assert sizes[1] - sizes[0] < 1 << 20
