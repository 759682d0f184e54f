"""The event log: order, numbers, segments, retention."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest

from jamliquor.chain import events
from jamliquor.store.events import EventLog, since_last_listing, tail
from jamliquor.store.segments import HEAD, damages, entries, segment_files
from tests.support.records import ROOT, name, tree_of

LISTING = events.listed(tree_of(), ROOT.hash)


def event(number: int) -> events.Event:
    return events.Refused(name(str(number)), number, b"bad_seal", b"x" * 40)


def write(folder: Path, count: int, *, first: int = 1, **options: int) -> None:
    """Append events as a node does: a new segment when one is full."""
    log = EventLog(folder, **options)
    for number in range(first, first + count):
        log.append(event(number))
        if log.commit(durable=False):
            log.begin_segment(LISTING)
    log.close()


def refused(folder: Path) -> list[int]:
    return [entry.event.slot for entry in entries(folder) if isinstance(entry.event, events.Refused)]


def test_events_come_back_in_order_with_their_numbers_and_times(tmp_path: Path) -> None:
    ticks = itertools.count(1_000_000, 1000)
    log = EventLog(tmp_path / "events", clock=lambda: next(ticks))
    assert [log.append(event(number)) for number in range(3)] == [1, 2, 3]
    assert segment_files(tmp_path / "events")[0].stat().st_size == HEAD.size
    log.close()
    found = list(entries(tmp_path / "events"))
    assert [(one.sequence, one.micros, one.event) for one in found] == [
        (number + 1, 1000 + number, event(number)) for number in range(3)
    ]
    assert log.repaired == ""


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, 3)
    write(tmp_path, 2, first=4)
    assert refused(tmp_path) == [1, 2, 3, 4, 5] and len(segment_files(tmp_path)) == 1
    assert [one.sequence for one in entries(tmp_path)] == [1, 2, 3, 4, 5]


def test_an_empty_log(tmp_path: Path) -> None:
    assert list(entries(tmp_path / "none")) == [] and tail(tmp_path / "none", 5) == []
    log = EventLog(tmp_path / "new")
    assert log.next_sequence == 1 and log.tail(3) == [] and log.since_last_listing() == []
    log.close()
    again = EventLog(tmp_path / "new")
    assert again.repaired == "" and again.next_sequence == 1
    again.close()


def test_segments_begin_with_a_list_and_are_numbered_through(tmp_path: Path) -> None:
    write(tmp_path, 50, segment_octets=1000)
    assert len(segment_files(tmp_path)) > 3
    found = list(entries(tmp_path))
    assert [one.sequence for one in found] == list(range(1, len(found) + 1))
    lists = sum(isinstance(one.event, events.Listed) for one in found)
    assert lists == len(segment_files(tmp_path)) - 1 and refused(tmp_path) == list(range(1, 51))
    assert list(damages(tmp_path)) == []


@pytest.mark.parametrize(("first", "last"), [(1, 5), (20, 40), (49, None), (200, None), (0, 0)])
def test_ranges(tmp_path: Path, first: int, last: int | None) -> None:
    write(tmp_path, 50, segment_octets=1000)
    everything = list(entries(tmp_path))
    bound = len(everything) if last is None else last
    wanted = [one for one in everything if first <= one.sequence <= bound]
    assert list(entries(tmp_path, first, last)) == wanted


@pytest.mark.parametrize("count", [1, 7, 30, 1000])
def test_tail_crosses_segments(tmp_path: Path, count: int) -> None:
    write(tmp_path, 50, segment_octets=1000)
    assert tail(tmp_path, count) == list(entries(tmp_path))[-count:]


def test_since_the_last_list(tmp_path: Path) -> None:
    write(tmp_path, 50, segment_octets=1000)
    found = since_last_listing(tmp_path)
    assert isinstance(found[0].event, events.Listed)
    assert found == list(entries(tmp_path))[-len(found) :]
    assert not any(isinstance(one.event, events.Listed) for one in found[1:])


def test_the_oldest_segments_go_when_the_budget_is_passed(tmp_path: Path) -> None:
    write(tmp_path, 300, segment_octets=1000, budget=4000)
    assert sum(path.stat().st_size for path in segment_files(tmp_path)) <= 4000 + 1200
    found = list(entries(tmp_path))
    assert isinstance(found[0].event, events.Listed), "what is left can be replayed"
    assert refused(tmp_path)[-1] == 300 and found[-1].sequence - found[0].sequence == len(found) - 1
    assert segment_files(tmp_path)[0].name > "00000020.log"
    assert list(damages(tmp_path)) == []
    write(tmp_path, 1, first=301, segment_octets=1000, budget=4000)
    assert refused(tmp_path)[-1] == 301


def test_many_events_are_written_before_anybody_asks(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for number in range(5000):
        log.append(event(number))
    assert log.size_on_disk > 200_000
    log.close()
    assert refused(tmp_path) == list(range(5000))


def test_events_of_a_newer_node_are_kept_and_counted(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    log = EventLog(tmp_path)
    newer = (0xF0, 1, lambda event: struct.pack("<QQBB", *event[:4]) + b"new")
    monkeypatch.setitem(events.ENCODERS, events.Refused, newer)
    log.append(event(1))
    log.close()
    [found] = entries(tmp_path)
    assert (found.kind, found.version, found.event) == (0xF0, 1, None)
    assert list(damages(tmp_path)) == []
