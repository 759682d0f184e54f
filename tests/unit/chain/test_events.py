"""Events as octets, and what a replay of them finds wrong."""

from __future__ import annotations

from typing import Any

import pytest

from jamliquor.chain import events
from jamliquor.chain.best_chain import BestChain
from jamliquor.chain.replay import Replay
from jamliquor.errors import DecodeError, ReplayMismatch
from tests.support.records import ROOT, name, on, tree_of

A1, B1 = on(ROOT, "a1", 11), on(ROOT, "b1", 12)
B2 = on(B1, "b2", 13)
HASH = name("any")
LISTED = events.listed(tree_of(A1), A1.hash)

SAMPLES: list[events.Event] = [
    events.Received(HASH, HASH, 5, 1000, b"archive:7"),
    events.Imported(HASH, HASH, HASH, 5, 6, 1, 2, 3, 4),
    events.Refused(HASH, 5, b"bad_seal", "header: bad_seal ü".encode()),
    events.Reorganised(HASH, HASH, HASH, 3, 4),
    events.Finalised(HASH, 5, 1, 0),
    events.BranchesPruned((HASH, bytes(32))),
    events.BlocksPruned(10, 5, 100, 50),
    events.SnapshotTaken(HASH, 5, 1 << 20, 1 << 33, b"/snap"),
    events.Dropped(HASH, HASH, b"orphans", b"the queue is full"),
    events.Started(HASH, b"tiny", b"0.1.0", b"finality=manual"),
    events.Stopped(HASH, 5, b"done"),
    events.Recovered(HASH, b"head", b"went back"),
    LISTED,
    events.Checkpoint(HASH, HASH, HASH, 1 << 40),
    events.Sampled(1, 2, 3, 4, 5),
    events.Authored(HASH, HASH, 5, 1000, 2, 3, 4),
    events.Skipped(5, b"no time was left for it"),
]


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_round_trip(event: events.Event) -> None:
    octets = events.encode_event(event)
    assert events.decode_event(octets) == event
    assert events.decode_event(b"xyz" + octets, 3) == event
    with pytest.raises(DecodeError):
        events.decode_event(octets + b"\0")
    with pytest.raises(DecodeError):
        events.decode_event(octets[:-1])


def test_every_kind_has_a_sample_and_its_number_stays() -> None:
    numbers = {type(event): events.encode_event(event)[0] for event in SAMPLES}
    assert sorted(numbers.values()) == [int(kind) for kind in events.Kind] == list(range(1, 18))
    assert (
        numbers[events.Imported] == 2
        and numbers[events.Sampled] == 15
        and numbers[events.Skipped] == 17
    )
    assert events.NAMES[events.BranchesPruned] == "branches_pruned"


def test_kinds_and_versions_of_newer_nodes_are_no_errors() -> None:
    assert events.decode_event(b"\xc8\1whatever") is None
    assert events.decode_event(b"\2\7whatever") is None


def imported(record: Any) -> events.Imported:
    return events.Imported(
        record.hash, record.parent, record.state_root, record.slot, record.number, 0, 0, 0, 0
    )


def following(*more: events.Event) -> Replay:
    """A replay that has followed a list, then more."""
    replay = Replay()
    for event in (LISTED, *more):
        replay.apply(event)
    return replay


def test_replay_follows() -> None:
    tree = tree_of(A1, B1)
    replay = following(
        imported(B1),
        events.Reorganised(A1.hash, B1.hash, ROOT.hash, 1, 1),
        events.Checkpoint(B1.hash, B1.state_root, events.digest(tree, B1.hash), 1),
        imported(B2),
        events.Finalised(B1.hash, 12, 1, 1),
        events.BranchesPruned((A1.hash,)),
        None,  # type: ignore[arg-type]
    )
    assert replay.head == B2.hash and replay.checked == 2
    assert replay.tree is not None and list(replay.tree) == [B1._replace(header=b""), B2]


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (imported(B2), "no state is known"),
        (events.Reorganised(A1.hash, B1.hash, ROOT.hash, 1, 1), "best block"),
        (events.Finalised(B1.hash, 12, 1, 1), "not in the tree"),
        (events.Finalised(A1.hash, 11, 1, 1), "other blocks"),
        (events.Checkpoint(ROOT.hash, HASH, HASH, 1), "best block"),
        (events.Checkpoint(A1.hash, HASH, HASH, 1), "digest"),
        (events.listed(tree_of(B1), B1.hash), "digest"),
        (LISTED._replace(digest=HASH), "digest"),
    ],
)
def test_replay_finds_what_does_not_follow(event: events.Event, told: str) -> None:
    with pytest.raises(ReplayMismatch, match=told):
        following(event)


def test_wrong_route() -> None:
    with pytest.raises(ReplayMismatch, match="way between"):
        following(imported(B1), events.Reorganised(A1.hash, B1.hash, ROOT.hash, 2, 1))


def test_a_list_after_a_recovery_replaces_the_tree() -> None:
    replay = following(SAMPLES[11], events.listed(tree_of(B1), B1.hash))
    assert replay.head == B1.hash
    with pytest.raises(ReplayMismatch):
        following(SAMPLES[9], events.listed(tree_of(B1), B1.hash))


def test_a_list_that_is_no_tree() -> None:
    broken = LISTED._replace(blocks=(LISTED.blocks[0], LISTED.blocks[1]._replace(parent=HASH)))
    with pytest.raises(ReplayMismatch, match="no tree"):
        Replay().apply(broken)


def test_events_before_the_first_list_are_passed_over() -> None:
    replay = Replay()
    replay.apply(imported(B2))
    assert replay.tree is None and replay.head is None and replay.checked == 0


def test_equivocated_slots_are_in_the_digest() -> None:
    tree = tree_of(A1, B1, on(ROOT, "twin", 12))
    plain = tree_of(A1, B1)
    best = BestChain(tree).head
    assert best == A1.hash and events.digest(tree, best) != events.digest(plain, best)
    assert events.listed(tree, best).seen == ((12, bytes(32)),)
