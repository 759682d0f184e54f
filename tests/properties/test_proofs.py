"""Proofs show what is so and nothing else; a part of a trie acts like the whole or says it cannot."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings

from jamliquor.errors import ProofError, WitnessIncomplete
from jamliquor.state.proof import (
    NODE_BYTES,
    RangeProof,
    prove,
    prove_key,
    state_response,
    verify,
    verify_key,
)
from jamliquor.state.stream import SortedRoot, entries_of, portions
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.state.witness import open_partial, partial_of
from tests.support.naive_trie import merklize

_places = st.sampled_from([0, 1, 16, 30])
_keys = st.dictionaries(_places, st.sampled_from([0, 1, 2, 0x80, 0xFF]), max_size=2).map(
    lambda parts: bytes(parts.get(place, 0) for place in range(KEY_BYTES))
)
_values = st.binary(max_size=2) | st.integers(31, 34).map(bytes) | st.just(b"large" * 100)
_tries = st.dictionaries(_keys, _values, max_size=12)

Entries = dict[bytes, bytes]


def within(entries: Entries, first: bytes, last: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(item for item in sorted(entries.items()) if first <= item[0] <= last)


def accepted(root: bytes, proof: RangeProof) -> bool:
    try:
        verify(root, proof)
    except ProofError:
        return False
    return True


def flipped(octets: bytes, bit: int) -> bytes:
    changed = bytearray(octets)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@settings(max_examples=40, deadline=None)
@given(entries=_tries, one=_keys, other=_keys)
def test_a_range_is_proven(entries: Entries, one: bytes, other: bytes) -> None:
    first, last = min(one, other), max(one, other)
    trie = Trie.from_entries(entries.items())
    proof = prove(trie, first, last)
    assert proof.entries == within(entries, first, last)
    assert len(set(proof.nodes)) == len(proof.nodes)
    verify(merklize(entries), proof)


@settings(max_examples=40, deadline=None)
@given(entries=_tries, key=_keys)
def test_a_key_is_proven_or_its_absence(entries: Entries, key: bytes) -> None:
    trie = Trie.from_entries(entries.items())
    proof = prove_key(trie, key)
    assert verify_key(trie.root, proof, key) == entries.get(key)


@settings(max_examples=40, deadline=None)
@given(entries=_tries, one=_keys, other=_keys, data=st.data())
def test_no_bit_of_nodes_entries_or_root_can_change(
    entries: Entries, one: bytes, other: bytes, data: st.DataObject
) -> None:
    trie = Trie.from_entries(entries.items())
    proof = prove(trie, min(one, other), max(one, other))
    parts = [*proof.nodes, *(part for entry in proof.entries for part in entry), trie.root]
    place = data.draw(st.sampled_from([i for i, part in enumerate(parts) if part]))
    bit = data.draw(st.integers(0, len(parts[place]) * 8 - 1))
    parts[place] = flipped(parts[place], bit)
    count = len(proof.nodes)
    pairs = tuple(zip(parts[count:-1:2], parts[count + 1 : -1 : 2], strict=True))
    tampered = proof._replace(nodes=tuple(parts[:count]), entries=pairs)
    assert not accepted(parts[-1], tampered)


@settings(max_examples=40, deadline=None)
@given(entries=_tries, one=_keys, other=_keys, data=st.data())
def test_nothing_false_is_shown(
    entries: Entries, one: bytes, other: bytes, data: st.DataObject
) -> None:
    """Nodes and entries of true proofs, put together in any way and for any range."""
    trie = Trie.from_entries(entries.items())
    low, high = data.draw(_keys), data.draw(_keys)
    proof = prove(trie, min(one, other), max(one, other))
    more = prove(trie, min(low, high), max(low, high))
    nodes = data.draw(st.lists(st.sampled_from([*proof.nodes, *more.nodes, bytes(NODE_BYTES)])))
    pool = sorted({*proof.entries, *more.entries, (low, b"false")})
    shown = sorted(data.draw(st.sets(st.sampled_from(pool))))
    for candidate in (
        proof._replace(entries=tuple(shown)),
        proof._replace(nodes=tuple(nodes)),
        proof._replace(first=min(low, high), last=max(low, high)),
        RangeProof(min(low, high), max(low, high), proof.nodes, tuple(shown)),
        RangeProof(min(low, high), max(low, high), tuple(nodes), tuple(shown)),
    ):
        if accepted(trie.root, candidate):
            assert candidate.entries == within(entries, candidate.first, candidate.last)


@settings(max_examples=40, deadline=None)
@given(entries=_tries, one=_keys, other=_keys, room=st.integers(0, 3000))
def test_a_response_is_proven_and_fits(entries: Entries, one: bytes, other: bytes, room: int) -> None:
    first, last = min(one, other), max(one, other)
    trie = Trie.from_entries(entries.items())
    response = state_response(trie, first, last, room)
    verify(trie.root, response)
    every = within(entries, first, last)
    assert response.entries == every[: len(response.entries)]
    assert bool(response.entries) == bool(every)
    sent = NODE_BYTES * len(response.nodes)
    sent += sum(
        KEY_BYTES + len(value) + (2 if len(value) > 127 else 1) for _, value in response.entries
    )
    assert sent <= room or len(response.entries) <= 1


@settings(max_examples=40, deadline=None)
@given(entries=_tries, size=st.integers(1, 400))
def test_the_root_of_a_stream_is_that_of_the_trie(entries: Entries, size: int) -> None:
    root = SortedRoot()
    streamed: list[tuple[bytes, bytes]] = []
    for portion in portions(Trie.from_entries(entries.items()), size):
        assert root.push(portion.octets) == portion.number
        streamed += entries_of(portion.octets)
        assert root.last_key == streamed[-1][0]
    assert streamed == sorted(entries.items())
    assert root.root == Trie.from_entries(entries.items()).root


@settings(max_examples=40, deadline=None)
@given(entries=_tries, cut=st.integers(1, 12))
def test_a_stream_out_of_order_has_no_root(entries: Entries, cut: int) -> None:
    pieces = [portion.octets for portion in portions(Trie.from_entries(entries.items()), 1)]
    assume(len(pieces) > cut)
    root = SortedRoot()
    root.push(b"".join(pieces[cut:]))
    with pytest.raises(ValueError, match="order"):
        root.push(pieces[cut - 1])


_changes = st.dictionaries(_keys, st.none() | _values, max_size=6)


@settings(max_examples=40, deadline=None)
@given(entries=_tries, read=st.sets(_keys, max_size=4), changes=_changes, data=st.data())
def test_a_part_acts_like_the_whole(
    entries: Entries, read: set[bytes], changes: dict[bytes, bytes | None], data: st.DataObject
) -> None:
    if entries:
        gone = data.draw(st.sets(st.sampled_from(sorted(entries))))
        changes = {**changes, **dict.fromkeys(gone)}
    whole = Trie.from_entries(entries.items())
    part = open_partial(partial_of(whole, read, changes))
    assert part.root == whole.root
    assert [part.get(key) for key in sorted(read)] == [entries.get(key) for key in sorted(read)]
    assert part.apply(changes).root == whole.apply(changes).root


@settings(max_examples=40, deadline=None)
@given(entries=_tries, read=st.sets(_keys, max_size=3), changes=_changes, others=_changes)
def test_a_part_never_guesses(
    entries: Entries,
    read: set[bytes],
    changes: dict[bytes, bytes | None],
    others: dict[bytes, bytes | None],
) -> None:
    """Asked for anything, it gives what the whole gives, or says that it cannot."""
    whole = Trie.from_entries(entries.items())
    part = open_partial(partial_of(whole, read, changes))
    for key in others.keys() | entries.keys():
        try:
            assert part.get(key) == entries.get(key)
        except WitnessIncomplete as error:
            assert key.hex() in str(error)
    try:
        child = part.apply(others)
    except WitnessIncomplete:
        return
    assert child.root == whole.apply(others).root


@settings(max_examples=40, deadline=None)
@given(entries=_tries, read=st.sets(_keys, max_size=4), data=st.data())
def test_an_altered_part_is_of_another_trie(
    entries: Entries, read: set[bytes], data: st.DataObject
) -> None:
    """Any flipped bit makes it unreadable or changes its root, or it says the same as before."""
    whole = Trie.from_entries(entries.items())
    octets = partial_of(whole, read, {})
    bit = data.draw(st.integers(0, len(octets) * 8 - 1))
    try:
        part = open_partial(flipped(octets, bit))
    except ValueError:
        return
    if part.root == whole.root:
        for key in read | entries.keys():
            try:
                assert part.get(key) == entries.get(key)
            except WitnessIncomplete:
                continue
