"""Snapshots beside imports: when, of what, which files stay, and what trouble does."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jamliquor.chain.events import Event, SnapshotTaken
from jamliquor.errors import HostError, StoreError, StoreFull
from jamliquor.node import node as imports
from jamliquor.node import snapshotting
from jamliquor.node.settings import DEFAULTS
from jamliquor.node.snapshotting import OWN_SUFFIX, Snapshots, Taking
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.store import snapshot_writer
from jamliquor.store._db import Database, Table, Trial
from jamliquor.store.disk import DiskStore
from jamliquor.store.events import EventLog
from jamliquor.store.snapshot_writer import part_of, usual_name
from tests.support.headed_chain import (
    FIRST,
    LINKS,
    disk_store,
    expected_file,
    expected_state,
    grow,
)
from tests.support.maker import Maker
from tests.support.nodes import deliver, memory_store
from tests.support.nodes import told as entries_of_log

Record = Callable[[Event], object]


class Node:
    """A store with snapshots beside it, as a node has them."""

    def __init__(self, path: Path, **settings: int | None) -> None:
        self.path = path
        self.events: list[Event] = []
        self.told: list[str] = []
        self.store = disk_store(path)
        self.done = self.number(self.store.head)
        self.snapshots = Snapshots(
            self.store,
            path / "snapshots",
            TINY,
            FIRST.hash,
            DEFAULTS._replace(**settings),
            record=self.events.append,
            tell=self.told.append,
        )

    def number(self, block_hash: bytes | None) -> int:
        record = self.store.record(block_hash or b"")
        assert record is not None
        return record.number

    @property
    def base(self) -> int:
        return self.number(self.store.base)

    def take(self, count: int, *, wait: bool = True) -> None:
        """Import some blocks; wait for the snapshot that one begins."""
        for link in LINKS[self.done : self.done + count]:
            self.snapshots.tend()
            if wait:
                self.snapshots.finish(lambda: False)
            grow(self.store, [link])
        self.done += count
        self.snapshots.tend()
        if wait:
            self.snapshots.finish(lambda: False)

    @property
    def taken(self) -> list[int]:
        assert all(isinstance(event, SnapshotTaken) for event in self.events)
        return [event.slot for event in self.events if isinstance(event, SnapshotTaken)]

    def files(self) -> list[str]:
        folder = self.path / "snapshots"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    def close(self) -> None:
        self.snapshots.stop()
        self.store.close()


def auto(number: int) -> str:
    record = LINKS[number - 1].record if number else FIRST
    return usual_name(TINY, record) + OWN_SUFFIX


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    running: list[Node] = []

    def start(**settings: int | None) -> Node:
        running.append(Node(tmp_path / "db", **settings))
        return running[-1]

    yield start
    for node in running:
        node.snapshots.stop()
        node.store.close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Holds every snapshot behind its first chunk until it is set."""
    going_on = threading.Event()

    def note(self: Taking, done: int, total: int) -> None:
        self.entries = (done, total)
        going_on.wait(20)

    monkeypatch.setattr(Taking, "_note", note)
    yield going_on
    going_on.set()


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def in_the_middle(taking: Taking) -> None:
    """Wait until the first chunk of a held snapshot is written."""
    while not taking.entries[0]:
        assert not taking.ended, taking.error
        taking.wait(0.01)
    assert taking.entries[0] < 2500


def test_one_is_taken_as_often_as_wanted_and_is_that_of_create(
    begin: Callable[..., Node], tmp_path: Path
) -> None:
    node = begin(snapshot_every=8)
    node.take(40)
    # The base moves by 3: of what it has reached when 8 blocks have passed.
    assert node.taken == [0, 9, 18, 27, 36] and node.base == 36
    assert node.files() == [auto(36)]
    octets = (node.path / "snapshots" / auto(36)).read_bytes()
    assert octets == expected_file(tmp_path / "expected", 36)
    last = node.events[-1]
    assert isinstance(last, SnapshotTaken)
    assert last[2:] == (2500, len(octets), str(node.path / "snapshots" / auto(36)).encode())
    assert len(node.told) == 5 and auto(36) in node.told[-1]


def test_some_are_kept_and_those_of_people_always(begin: Callable[..., Node], tmp_path: Path) -> None:
    node = begin(snapshot_every=3, keep_snapshots=2)
    node.take(8)
    mine = node.snapshots.begin()
    node.snapshots.finish(lambda: False)
    assert mine.path.name == usual_name(TINY, LINKS[2].record) + ".jamsnap"
    elsewhere = node.snapshots.begin(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="being written"):
        node.snapshots.begin(tmp_path / "other")
    node.snapshots.finish(lambda: False)
    assert elsewhere.written is not None and elsewhere.written.finished
    with pytest.raises(StoreError, match="exists"):
        node.snapshots.begin(tmp_path / "elsewhere")
    node.take(13)
    assert node.files() == sorted([mine.path.name, auto(15), auto(18)])
    assert (tmp_path / "elsewhere").read_bytes() == mine.path.read_bytes()


def test_only_what_it_took_by_itself_is_removed(begin: Callable[..., Node], tmp_path: Path) -> None:
    """Whatever the files that it was asked for are called, and wherever they lie."""
    node = begin(snapshot_every=1000)
    node.take(1)
    copies = tmp_path / "copies"
    copies.mkdir()
    (copies / auto(0)).write_bytes(b"a copy of somebody's")
    node.take(9)
    node.snapshots.begin(copies / auto(9))
    node.snapshots.finish(lambda: False)
    assert sorted(path.name for path in copies.iterdir()) == sorted([auto(0), auto(9)])
    assert node.files() == [auto(0)]


def test_what_became_of_those_that_were_asked_for(begin: Callable[..., Node], tmp_path: Path) -> None:
    node = begin()
    places = [tmp_path / str(number) for number in range(5)]
    for place in places:
        taking = node.snapshots.begin(place)
        assert node.snapshots.asked_for(place) is taking
        node.snapshots.finish(lambda: False)
        assert taking.settled and taking.written is not None
    assert node.snapshots.asked_for(places[1]) is not None
    assert node.snapshots.asked_for(places[0]) is None, "that is too long ago"
    places[4].unlink()
    again = node.snapshots.begin(places[4])
    assert node.snapshots.asked_for(places[4]) is again
    again.wait()
    # Asking is enough for its end to be heard of.
    assert node.snapshots.asked_for(places[4]) is again and again.settled
    assert node.taken == [0] * 6


def test_one_that_was_asked_for_fails_by_itself(
    begin: Callable[..., Node], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written stays, as with a stopped node; trouble of the node's own is still told."""
    node = begin(snapshot_every=8)
    with monkeypatch.context() as context:
        context.setattr(snapshot_writer._Writer, "end", full)
        taking = node.snapshots.begin(tmp_path / "asked")
        node.snapshots.finish(lambda: False)
        assert isinstance(taking.error, StoreFull) and taking.settled
        assert part_of(tmp_path / "asked").exists() and len(node.told) == 1
        node.take(3)
    assert len(node.told) == 2 and node.files() == []


def test_a_file_that_another_process_writes_is_left_to_it(
    begin: Callable[..., Node], tmp_path: Path
) -> None:
    node = begin()
    part = part_of(tmp_path / "theirs")
    with part.open("wb") as file:
        file.write(b"theirs")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        node.snapshots.begin(tmp_path / "theirs")
        node.snapshots.finish(lambda: False)
    assert "another process writes" in node.told[0] and part.read_bytes() == b"theirs"


def test_its_folder_by_another_name(begin: Callable[..., Node], tmp_path: Path) -> None:
    """What is written there counts for the budget, and as the newest one."""
    node = begin()
    node.take(1)
    size = node.store.size_on_disk
    node.close()
    (tmp_path / "db" / "snapshots").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "db")
    node = begin(storage_budget=size + 100_000)
    node.snapshots.begin(tmp_path / "link" / "snapshots" / "mine")
    node.snapshots.finish(lambda: False)
    assert "of the budget of" in node.told[0] and node.taken == []


def test_without_the_option_none_is_taken(begin: Callable[..., Node]) -> None:
    node = begin()
    node.take(10)
    assert node.files() == [] and node.events == [] and node.told == []


def changes_kept(path: Path) -> list[int]:
    database = Database(path / "chain.db", 1 << 20, 1 << 20, Trial())
    rows = database.rows(Table.CHANGES, b"", b"\xff" * 64)
    numbers = [int.from_bytes(key[:8], "big") for key, _ in rows]
    database.close()
    return numbers


def test_the_state_stays_while_the_base_moves_on(
    begin: Callable[..., Node], tmp_path: Path, held: threading.Event
) -> None:
    """And what is needed to repair the base from it is kept from its beginning on."""
    node = begin(snapshot_every=1000)
    node.take(20, wait=False)
    taking = node.snapshots.taking
    assert taking is not None and taking.record == FIRST and node.base == 15
    in_the_middle(taking)
    held.set()
    node.snapshots.finish(lambda: False)
    assert node.taken == [0]
    node.take(10)
    octets = (node.path / "snapshots" / auto(0)).read_bytes()
    assert octets == expected_file(tmp_path / "expected", 0)
    node.close()
    assert changes_kept(node.path) == list(range(1, 31))
    damaged = node.path / "chain.db"
    value = next(v for k, v in sorted(expected_state(30).items())[1600:] if v and len(v) == 600)
    image = damaged.read_bytes()
    assert value in image
    damaged.write_bytes(image.replace(value, bytes([value[0] ^ 1]) + value[1:]))
    (node.path / "damaged").touch()
    again = begin()
    assert again.store.damage == "" and len(again.store.repaired) == 1
    state = again.store.state(again.store.head or b"")
    assert state is not None and dict(state.items()) == expected_state(30)


def test_a_stopped_one_is_gone_on_with(
    begin: Callable[..., Node], tmp_path: Path, held: threading.Event
) -> None:
    node = begin(snapshot_every=5)
    node.snapshots.tend()
    taking = node.snapshots.taking
    assert taking is not None
    in_the_middle(taking)
    taking._asked.set()
    held.set()
    node.close()
    assert taking.stopped and node.events == [] and node.told == []
    assert node.files() == [part_of(Path(auto(0))).name]
    again = begin(snapshot_every=5)
    again.take(0)
    assert again.taken == [0] and again.files() == [auto(0)]
    octets = (again.path / "snapshots" / auto(0)).read_bytes()
    assert octets == expected_file(tmp_path / "expected", 0)


@pytest.mark.parametrize("every", [5, None])
def test_what_cannot_be_gone_on_with_is_removed(begin: Callable[..., Node], every: int | None) -> None:
    node = begin()
    node.take(10)
    node.close()
    folder = node.path / "snapshots"
    folder.mkdir()
    for name in (auto(0) + ".part", auto(0)[:-13] + ".jamsnap.part"):
        (folder / name).write_bytes(b"unfinished")
    again = begin(snapshot_every=every)
    assert again.files() == [auto(0)[:-13] + ".jamsnap.part"]


def test_a_full_disk_is_told_once_and_stops_no_import(
    begin: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_writer._Writer, "_flush", full)
    node = begin(snapshot_every=8)
    node.take(20)
    assert [line.count("No space left") for line in node.told] == [1]
    assert node.files() == [] and node.taken == [] and node.base == 15
    monkeypatch.undo()
    node.take(4)
    assert node.taken == [18] and len(node.told) == 2


def test_some_of_the_disk_is_spared(
    begin: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshotting, "SPARED_OCTETS", 1 << 60)
    node = begin(snapshot_every=3)
    node.take(5)
    assert len(node.told) == 1 and "of the disk are free" in node.told[0]
    assert node.files() == []


def test_one_that_does_not_fit_the_budget_is_not_begun(begin: Callable[..., Node]) -> None:
    node = begin()
    size = node.store.size_on_disk
    node.close()
    node = begin(snapshot_every=8, storage_budget=size + 100_000)
    node.take(12)
    [line] = node.told
    assert "does not fit" in line and f"budget of {(size + 100_000) / 1e6:.1f} MB" in line
    assert node.files() == []
    node.close()
    node = begin(snapshot_every=8, storage_budget=size + 20_000_000)
    assert node.snapshots.reserve() == (size + 20_000_000) // 16
    node.take(0)
    assert node.taken == [9]
    taken = (node.path / "snapshots" / auto(9)).stat().st_size
    assert node.snapshots.reserve() == taken + (size + 20_000_000) // 16


def test_imports_give_way_when_much_is_held(
    begin: Callable[..., Node], monkeypatch: pytest.MonkeyPatch, held: threading.Event
) -> None:
    waits: list[float | None] = []
    monkeypatch.setattr(Taking, "wait", lambda self, seconds=None: waits.append(seconds))
    node = begin(snapshot_every=8)
    node.take(6, wait=False)
    assert waits == []
    monkeypatch.setattr(snapshotting, "HELD_OCTETS", 1000)
    node.take(2, wait=False)
    assert waits == [0.5] * 3


def test_damage_that_it_meets_is_left_to_the_next_start(begin: Callable[..., Node]) -> None:
    node = begin()
    node.take(12)
    node.close()
    database = node.path / "chain.db"
    value = next(v for _, v in sorted(expected_state(12).items())[1600:] if v and len(v) == 600)
    database.write_bytes(database.read_bytes().replace(value, b"\0" + value[1:]))
    node = begin(snapshot_every=8)
    node.take(3)
    assert len(node.told) == 1 and "value of key" in node.told[0]
    assert node.files() == [] and (node.path / "damaged").exists()


def test_a_node_is_asked_for_one(tmp_path: Path) -> None:
    maker = Maker()
    main = maker.line(maker.root, range(1, 7))
    log, store, folder = tmp_path / "log", memory_store(maker), tmp_path / "snapshots"
    told: list[str] = []
    node = imports.Node(TINY, NativeEngine(), store, EventLog(log), snapshots=folder, tell=told.append)
    deliver(node, main[:3])
    taking = node.begin_snapshot()
    deliver(node, main[3:5])
    taking.wait()
    deliver(node, main[5:])
    assert taking.ended and taking.error is None and len(told) == 1
    assert [path.name for path in folder.iterdir()] == [f"tiny-0-{maker.root[:4].hex()}.jamsnap"]
    last, waits = node.begin_snapshot(tmp_path / "last"), []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        last.wait(seconds)

    node.finish_snapshot(lambda: False, pause)
    assert waits and last.settled and node.asked_snapshot(tmp_path / "last") is last
    node.close()
    paths = [event.path for event in entries_of_log(log, SnapshotTaken)]  # type: ignore[union-attr]
    assert paths == [str(taking.path).encode(), str(tmp_path / "last").encode()]


def test_closing_a_store_ends_its_view(tmp_path: Path) -> None:
    store: DiskStore = disk_store(tmp_path / "db")
    pinned = store.pin()
    with pytest.raises(StoreError, match="pinned already"):
        store.pin()
    store.compact()
    with pytest.raises(HostError, match="released"):
        dict(pinned.trie.items())
    pinned = store.pin()
    store.close()
    with pytest.raises(HostError, match="released"):
        pinned.record_of(FIRST.hash)
