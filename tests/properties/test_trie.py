"""The native trie behaves like the paper's formula under any history of changes and forks."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from jamliquor._native import check, ffi, lib
from jamliquor.errors import HostError
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.store._db import Database, Trial
from tests.support.naive_trie import NaiveTrie

# Keys from few bytes at few places: long shared beginnings, and the same key again and again.
_places = st.sampled_from([0, 1, 7, 16, 30])
_close = st.dictionaries(_places, st.sampled_from([0, 1, 2, 3, 0x80, 0xFF]), max_size=2).map(
    lambda parts: bytes(parts.get(place, 0) for place in range(KEY_BYTES))
)
_keys = _close | st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
_values = (
    st.binary(max_size=2)
    | st.integers(30, 35).map(bytes)
    | st.integers(1023, 1025).map(bytes)
    | st.just(b"large" * 3000)
)
_changes = st.dictionaries(_keys, st.none() | _values, max_size=8)

Pair = tuple[Trie, NaiveTrie]


class Histories(RuleBasedStateMachine):
    """Pairs of a native and a naive trie that must never tell apart."""

    pairs: Bundle[Pair] = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Trie, NaiveTrie, bytes]] = []

    def _known(self, native: Trie, naive: NaiveTrie) -> Pair:
        self.seen.append((native, naive, naive.root))
        return native, naive

    @initialize(target=pairs, entries=st.dictionaries(_keys, _values, max_size=12))
    def start(self, entries: dict[bytes, bytes]) -> Pair:
        return self._known(Trie.from_entries(entries.items()), NaiveTrie(entries))

    @rule(target=pairs, pair=pairs, changes=_changes)
    def child(self, pair: Pair, changes: dict[bytes, bytes | None]) -> Pair:
        return self._known(pair[0].apply(changes), pair[1].apply(changes))

    @rule(target=pairs, pair=pairs, data=st.data())
    def child_without_some(self, pair: Pair, data: st.DataObject) -> Pair:
        present = sorted(pair[1].entries)
        chosen = data.draw(st.sets(st.sampled_from(present))) if present else set()
        changes = dict.fromkeys(chosen, None)
        return self._known(pair[0].apply(changes), pair[1].apply(changes))

    @rule(pair=pairs, keys=st.lists(_keys, max_size=5))
    def look_up(self, pair: Pair, keys: list[bytes]) -> None:
        asked = [*keys, *pair[1].entries]
        found = [pair[1].get(key) for key in asked]
        assert [pair[0].get(key) for key in asked] == found
        assert pair[0].get_many(asked) == found

    @rule(pair=pairs, start=_keys, cut=st.integers(0, KEY_BYTES), limit=st.integers(0, 4))
    def list_entries(self, pair: Pair, start: bytes, cut: int, limit: int) -> None:
        native, naive = pair
        start = start[:cut]
        assert list(native.items(start)) == list(naive.items(start))
        assert list(native.items(start, limit)) == list(naive.items(start, limit))
        assert list(native.items_with_prefix(start)) == list(naive.items_with_prefix(start))

    @rule(a=pairs, b=pairs)
    def compare(self, a: Pair, b: Pair) -> None:
        assert a[0].changed_keys(b[0]) == a[1].changed_keys(b[1])
        assert (a[0] == b[0]) is (a[1].entries == b[1].entries)

    @invariant()
    def every_state_ever_made_stays_as_it_was(self) -> None:
        for native, naive, root in self.seen:
            assert native.root == root
            assert len(native) == len(naive)
            assert list(native.items()) == list(naive.entries.items())


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


class StoredHistories(Histories):
    """The same with tries that lie in a database, whose base moves on, behind a tiny cache."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = self._opened()
        self.lines: dict[int, set[int]] = {}
        self.base: Trie | None = None

    def _opened(self) -> Database:
        return Database(Path(self.folder.name) / "chain.db", 1500, 1 << 16, Trial())

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    def _lives(self, pair: Pair) -> bool:
        return self.base is None or id(self.base) in self.lines[id(pair[0])]

    def _descended(self, parent: Trie, native: Trie, naive: NaiveTrie) -> Pair:
        self.lines[id(native)] = self.lines.get(id(parent), set()) | {id(native)}
        return self._known(native, naive)

    @initialize(target=Histories.pairs, entries=st.dictionaries(_keys, _values, max_size=12))
    def start(self, entries: dict[bytes, bytes]) -> Pair:
        empty = self.database.base()
        return self._descended(empty, empty.apply(entries), NaiveTrie(entries))

    @rule(target=Histories.pairs, pair=Histories.pairs, changes=_changes)
    def child(self, pair: Pair, changes: dict[bytes, bytes | None]) -> Pair:
        assume(self._lives(pair))
        return self._descended(pair[0], pair[0].apply(changes), pair[1].apply(changes))

    @rule(target=Histories.pairs, pair=Histories.pairs, data=st.data())
    def child_without_some(self, pair: Pair, data: st.DataObject) -> Pair:
        present = sorted(pair[1].entries)
        chosen = data.draw(st.sets(st.sampled_from(present))) if present else set()
        return self.child(pair, dict.fromkeys(chosen, None))

    @rule(pair=Histories.pairs)
    def move_base(self, pair: Pair) -> None:
        assume(self._lives(pair))
        self.database.commit([], pair[0], durable=False)
        self.base = pair[0]
        assert self.database.base() == pair[0]
        assert list(self.database.base().items()) == list(pair[1].entries.items())

    @rule(target=Histories.pairs)
    def open_again(self) -> Pair:
        assume(self.base is not None)
        naive = next(naive for native, naive, _ in self.seen if native is self.base)
        self.database.commit([], durable=True)
        assert self.database.verify(9) == []
        self.database.close()
        self.database = self._opened()
        self.base = self.database.base()
        return self._descended(self.base, self.base, naive)

    @rule(pair=Histories.pairs, keys=st.lists(_keys, max_size=5))
    def look_up(self, pair: Pair, keys: list[bytes]) -> None:
        assume(self._lives(pair))
        super().look_up(pair, keys)

    @rule(pair=Histories.pairs, start=_keys, cut=st.integers(0, KEY_BYTES), limit=st.integers(0, 4))
    def list_entries(self, pair: Pair, start: bytes, cut: int, limit: int) -> None:
        assume(self._lives(pair))
        super().list_entries(pair, start, cut, limit)

    @rule(a=Histories.pairs, b=Histories.pairs)
    def compare(self, a: Pair, b: Pair) -> None:
        assume(self._lives(a) and self._lives(b))
        super().compare(a, b)

    @invariant()
    def every_state_ever_made_stays_as_it_was(self) -> None:
        """Those that the base left behind may say so instead."""
        for native, naive, root in self.seen:
            assert native.root == root
            assert len(native) == len(naive)
            try:
                assert list(native.items()) == list(naive.entries.items())
            except HostError:
                assert not self._lives((native, naive))


TestStoredHistories = StoredHistories.TestCase
TestStoredHistories.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_as_a_batch(batch: bytes) -> None:
    """Malformed batches are refused, never read past their end."""
    trie = Trie.empty()
    out = ffi.new("struct JamTrie **")
    try:
        check(lib.jam_trie_apply(trie._handle, batch, len(batch), out))
    except ValueError:
        assert out[0] == ffi.NULL
    else:
        assert len(batch) == 0 or len(batch) >= 4 + KEY_BYTES
        Trie(out[0])


def test_long_listings_come_in_portions() -> None:
    entries = {index.to_bytes(KEY_BYTES, "big"): bytes(1000) for index in range(300)}
    entries[b"\xff" * KEY_BYTES] = bytes(100_000)
    trie = Trie.from_entries(entries.items())
    assert dict(trie.items()) == entries
    assert len(list(trie.items(limit=170))) == 170
    assert trie.get(b"\xff" * KEY_BYTES) == bytes(100_000)
    assert sum(map(len, entries.values())) < trie.memory < 500_000


def test_loads_in_portions_see_repeated_keys() -> None:
    first = (bytes(KEY_BYTES), bytes(2_000_000))
    with pytest.raises(ValueError, match="twice"):
        Trie.from_entries([first, first])
    with pytest.raises(ValueError, match="twice"):
        Trie.from_entries([(bytes(KEY_BYTES), b"a"), (bytes(KEY_BYTES), b"b")])


@pytest.mark.parametrize("key", [b"", bytes(30), bytes(32)])
def test_keys_of_a_wrong_length_are_refused(key: bytes) -> None:
    trie = Trie.empty()
    with pytest.raises(ValueError, match="31 bytes"):
        trie.get(key)
    with pytest.raises(ValueError, match="31 bytes"):
        trie.get_many([bytes(31), key])
    with pytest.raises(ValueError, match="31 bytes"):
        trie.apply({key: b""})
    with pytest.raises(ValueError, match="31 bytes"):
        trie.apply({key: None})
    with pytest.raises(ValueError, match="31 bytes"):
        Trie.from_entries([(key, b"")])


def test_threads_share_one_handle() -> None:
    base = Trie.from_entries((index.to_bytes(KEY_BYTES, "big"), b"v") for index in range(500))
    roots: list[bytes] = []

    def work() -> None:
        trie = base
        for index in range(100):
            trie = trie.apply({index.to_bytes(KEY_BYTES, "big"): None})
            assert base.get(index.to_bytes(KEY_BYTES, "big")) == b"v"
        roots.append(trie.root)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(roots) == 4
    assert len(set(roots)) == 1
    assert len(base) == 500


def test_a_beginning_longer_than_a_key_is_refused() -> None:
    trie = Trie.empty()
    with pytest.raises(ValueError, match="31 bytes"):
        list(trie.items(bytes(32)))
    with pytest.raises(ValueError, match="31 bytes"):
        list(trie.items_with_prefix(bytes(32)))
