"""Reading ahead changes what is in memory, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.node.devnet import Devnet, Options
from jamliquor.node.node import Node
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state.foresight import Foresight
from jamliquor.state.state import State
from jamliquor.state.trie import Trie
from jamliquor.store.disk import DiskStore
from jamliquor.types.header import Header
from tests.unit.store.test_disk import ENTRIES, KEYS, filled, opened

_SLOTS = 14


def test_what_was_asked_for_is_in_memory_afterwards(tmp_path: Path) -> None:
    filled(tmp_path, 0)[0].close()
    store = opened(tmp_path)
    state = store.state(store.head or b"")
    assert state is not None
    foresight = Foresight(state.trie)
    assert foresight.get(KEYS[0]) is None
    for key in KEYS:
        foresight.get(key)
    foresight.wait()
    assert store.counters.fetched > 0
    before = store.counters
    assert {key: state.get(key) for key in KEYS} == dict.fromkeys(KEYS) | dict(ENTRIES)
    assert store.counters.value_misses == before.value_misses
    again = Foresight(state.trie)
    again.note(KEYS[0])
    again.wait()
    assert {key: again.get(key) for key in KEYS} == dict.fromkeys(KEYS) | dict(ENTRIES)
    store.close()


def test_a_state_becomes_cold_by_misses_and_warm_by_hits(tmp_path: Path) -> None:
    filled(tmp_path, 0)[0].close()
    store = opened(tmp_path)
    state = store.state(store.head or b"")
    assert state is not None and state.foresight() is None
    for key in KEYS:
        state.get(key)
    assert state.foresight() is not None
    for _ in range(3000):
        state.get(KEYS[0])
    assert state.foresight() is None
    store.close()
    assert State.from_entries(TINY, ENTRIES).foresight() is None


@pytest.mark.parametrize("work", ["mixed", "key-value"])
def test_a_chain_is_the_same_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    network = Devnet(Options(tickets=0, work=work))
    begun = network.genesis
    made = list(network.run(_SLOTS))
    header = codec(Header, TINY).encode(begun.header)
    store = DiskStore(tmp_path, TINY)
    record = BlockRecord(begun.hash, bytes(32), 0, 0, begun.state.root, False, header)
    store.initialise(record, begun.state.items())
    store.close()
    asked = []

    def always(state: State) -> Foresight:
        asked.append(state)
        return Foresight(state.trie)

    monkeypatch.setattr(State, "foresight", always)
    store = DiskStore(tmp_path, TINY)
    node = Node(TINY, NativeEngine(), store)
    for happening in made:
        assert happening.octets is not None
        outcomes = node.receive(happening.octets)
        assert outcomes[0].root == happening.root
    # Each block looks ahead once; none has to look at what it accumulates.
    assert 0 < len(asked) <= _SLOTS
    node.close()
    store.close()


def test_blocks_that_were_announced_are_looked_at_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Devnet(Options(tickets=0, work="key-value"))
    begun = network.genesis
    made = [happening.octets or b"" for happening in network.run(_SLOTS)]
    header = codec(Header, TINY).encode(begun.header)
    store = DiskStore(tmp_path, TINY)
    record = BlockRecord(begun.hash, bytes(32), 0, 0, begun.state.root, False, header)
    store.initialise(record, begun.state.items())
    asked = []

    def always(state: State) -> Foresight:
        asked.append(state)
        return Foresight(state.trie)

    monkeypatch.setattr(Trie, "is_cold", True)
    monkeypatch.setattr(State, "foresight", always)
    node = Node(TINY, NativeEngine(), store)
    for start in range(0, _SLOTS, 4):
        node.announce([b"no block", *made[start : start + 4]])
        for octets in made[start : start + 4]:
            assert node.receive(octets)[0].root is not None
    assert node.head_record.state_root == network.node.head_record.state_root
    # Once for each four of them, and not for a block.
    assert 0 < len(asked) <= 4
    node.close()
    store.close()
