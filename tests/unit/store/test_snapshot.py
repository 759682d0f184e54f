"""Snapshots: what is in them, that they are the same everywhere, and going on where writing stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import StoreError
from jamliquor.node.restoring import contents_of, open_snapshot, restore
from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.store.disk import DiskStore
from jamliquor.store.memory import MemoryStore
from jamliquor.store.snapshot import Contents
from jamliquor.store.snapshot_writer import begun, part_of, write_snapshot
from jamliquor.types.header import Header

GENESIS = bytes(range(32))
ENTRIES = {
    blake2b(bytes([n % 256, n // 256]))[:31]: blake2b(bytes([n % 256])) * (n % 40) for n in range(2000)
}
STATE = State.from_entries(TINY, ENTRIES.items())


def line(length: int) -> list[BlockRecord]:
    """Linked headers, oldest first; the last one's state is STATE."""
    records: list[BlockRecord] = []
    parent, root = GENESIS, bytes(32)
    for number in range(length):
        header = Header(
            parent, root, bytes(32), 3 * number, None, None, 0, bytes(96), (), bytes([number]) * 96
        )
        encoded = codec(Header, TINY).encode(header)
        root = STATE.root if number == length - 1 else blake2b(encoded + b"root")
        slot, ticketed = header.slot, number % 2 == 0
        records.append(BlockRecord(blake2b(encoded), parent, slot, number, root, ticketed, encoded))
        parent = records[-1].hash
    return records


LINE = line(20)
HEAD = LINE[-1].hash


def store() -> MemoryStore:
    made = MemoryStore(TINY)
    made.initialise(LINE[-1], STATE.items(), genesis=GENESIS, ancestors=LINE[:-1])
    return made


def written(path: Path) -> Path:
    assert write_snapshot(path, store(), HEAD, TINY, GENESIS).finished
    return path


def test_everything_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jamsnap")
    contents = restore(path, tmp_path / "db")
    # Anchors reach 24 slots back: eight headers, three slots apart.
    assert contents == Contents(TINY, GENESIS, LINE[-1]._replace(number=8), 2000, 8)
    disk = DiskStore(tmp_path / "db", TINY, genesis=GENESIS)
    assert disk.head == disk.finalised == disk.base == HEAD
    state = disk.state(HEAD)
    assert state is not None and state.root == STATE.root
    assert list(state.items()) == list(STATE.items())
    kept = [record._replace(number=record.number - 11) for record in LINE[11:]]
    assert list(disk.records(0, 1000)) == kept
    disk.close()


def test_a_restored_store_writes_the_same_file(tmp_path: Path) -> None:
    first = written(tmp_path / "first")
    restore(first, tmp_path / "db")
    disk = DiskStore(tmp_path / "db", TINY)
    assert write_snapshot(tmp_path / "second", disk, HEAD, TINY, GENESIS).finished
    disk.close()
    assert (tmp_path / "second").read_bytes() == first.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "first", "second"]


@pytest.mark.parametrize("lost", [0, 1, 100, 200_000])
def test_writing_goes_on_where_it_stopped(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "s"
    stopped = write_snapshot(path, store(), HEAD, TINY, GENESIS, stop=lambda: True)
    assert not stopped.finished and 0 < stopped.entries < 2000 and not path.exists()
    assert begun(path) == contents_of(part_of(path))
    octets = part_of(path).read_bytes()
    part_of(path).write_bytes(octets[: max(0, len(octets) - lost)])
    resumed = write_snapshot(path, store(), HEAD, TINY, GENESIS)
    assert resumed.finished and resumed.resumed == (stopped.entries if lost == 0 else 0)
    assert path.read_bytes() == written(tmp_path / "whole").read_bytes()


def test_what_was_begun_for_another_block_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "s"
    write_snapshot(path, store(), HEAD, TINY, GENESIS, stop=lambda: True)
    other = write_snapshot(path, store(), HEAD, TINY, bytes(32))
    assert other.resumed == 0 and contents_of(path).genesis == bytes(32)


def test_any_changed_octet_is_noticed(tmp_path: Path) -> None:
    octets = written(tmp_path / "s").read_bytes()
    places = {
        *range(60),
        *range(60, len(octets), len(octets) // 150),
        *range(len(octets) - 40, len(octets)),
    }
    for place in sorted(places):
        changed = bytearray(octets)
        changed[place] ^= 0x10
        (tmp_path / "bad").write_bytes(changed)
        with pytest.raises(BadInput, match="bad"):
            verify(tmp_path / "bad")


def test_any_length_but_the_whole_is_noticed(tmp_path: Path) -> None:
    octets = written(tmp_path / "s").read_bytes()
    lengths = {*range(60), *range(60, len(octets), len(octets) // 50), len(octets) - 1}
    for length in sorted(lengths):
        (tmp_path / "short").write_bytes(octets[:length])
        with pytest.raises(BadInput, match="cut short"):
            verify(tmp_path / "short")
    (tmp_path / "long").write_bytes(octets + b"\0")
    with pytest.raises(BadInput, match="behind the end"):
        verify(tmp_path / "long")


def test_an_empty_or_new_directory_is_demanded(tmp_path: Path) -> None:
    path = written(tmp_path / "s")
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "precious").write_text("mine")
    with pytest.raises(StoreError, match="not empty"):
        restore(path, tmp_path / "db")
    assert [one.name for one in (tmp_path / "db").iterdir()] == ["precious"]


def test_a_bad_snapshot_leaves_no_trace(tmp_path: Path) -> None:
    octets = bytearray(written(tmp_path / "s").read_bytes())
    octets[-100] ^= 1
    (tmp_path / "bad").write_bytes(octets)
    (tmp_path / "empty").mkdir()
    for folder in ("new", "empty"):
        with pytest.raises(BadInput):
            restore(tmp_path / "bad", tmp_path / folder)
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "empty").iterdir()) == []


def test_what_a_killed_restoration_left_is_done_again(tmp_path: Path) -> None:
    path = written(tmp_path / "s")
    (tmp_path / "db").mkdir()
    for name in ("restoring", "chain.db", "lock"):
        (tmp_path / "db" / name).write_bytes(b"half")
    assert restore(path, tmp_path / "db").entries == 2000


def verify(path: Path) -> None:
    file, reader = open_snapshot(path)
    with file:
        reader.verify()
