"""The event log after torn writes, flipped bits, full disks and missing files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jamliquor.errors import StoreError, StoreFull
from jamliquor.store.events import EventLog
from jamliquor.store.segments import HEAD, damages, entries, segment_files
from tests.unit.store.test_events import LISTING, event, refused, write


def only(folder: Path) -> Path:
    [path] = segment_files(folder)
    return path


def test_a_log_cut_anywhere_opens_with_the_whole_events_before_the_cut(tmp_path: Path) -> None:
    write(tmp_path / "whole", 4)
    octets = only(tmp_path / "whole").read_bytes()
    frame = (len(octets) - HEAD.size) // 4
    for length in range(len(octets)):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / "00000001.log").write_bytes(octets[:length])
        log = EventLog(folder)
        kept = max(0, (length - HEAD.size) // frame)
        assert log.next_sequence == kept + 1
        torn = length < HEAD.size or (length - HEAD.size) % frame
        assert bool(log.repaired) == bool(torn), length
        log.append(event(kept + 1))
        log.close()
        assert refused(folder) == list(range(1, kept + 2)), length
        assert list(damages(folder)) == []


@pytest.mark.parametrize("rest", [b"\0" * 4096, b"\xff" * 100, os.urandom(3000)])
def test_a_tail_that_was_allocated_but_never_written_is_cut(tmp_path: Path, rest: bytes) -> None:
    write(tmp_path, 4)
    whole = only(tmp_path).stat().st_size
    with only(tmp_path).open("ab") as file:
        file.write(rest)
    assert [damage.torn for damage in damages(tmp_path)] == [True]
    log = EventLog(tmp_path)
    assert f"cut back to byte {whole}" in log.repaired
    log.close()
    assert only(tmp_path).stat().st_size == whole and refused(tmp_path) == [1, 2, 3, 4]


def test_every_flipped_bit_is_found_and_costs_one_event_at_most(tmp_path: Path) -> None:
    write(tmp_path, 3)
    path = only(tmp_path)
    octets = path.read_bytes()
    for at in range(HEAD.size, len(octets)):
        changed = bytearray(octets)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        assert list(damages(tmp_path)), at
        assert len(refused(tmp_path)) == 2, at


def test_damage_in_the_middle_is_left_as_it_is_and_writing_goes_on_behind_it(tmp_path: Path) -> None:
    write(tmp_path, 5)
    path = only(tmp_path)
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)
    log = EventLog(tmp_path)
    assert "left behind" in log.repaired and log.next_sequence == 6
    log.append(event(6))
    log.close()
    assert path.read_bytes() == octets
    assert refused(tmp_path) == [1, 2, 4, 5, 6]
    assert [damage.torn for damage in damages(tmp_path)] == [False, False]


def test_damaged_head_of_the_last_segment(tmp_path: Path) -> None:
    write(tmp_path, 20, segment_octets=1000)
    last = segment_files(tmp_path)[-1]
    numbers = [one.sequence for one in entries(tmp_path)]
    octets = bytearray(last.read_bytes())
    octets[3] ^= 0x40
    last.write_bytes(octets)
    log = EventLog(tmp_path)
    assert "left behind" in log.repaired and log.next_sequence <= numbers[-1] + 1
    log.close()
    assert "head of the segment" in str(next(damages(tmp_path)))


def test_a_segment_that_is_missing_is_told(tmp_path: Path) -> None:
    write(tmp_path, 50, segment_octets=1000)
    segment_files(tmp_path)[1].unlink()
    [gap] = damages(tmp_path)
    assert "begins with event" in str(gap)


class Disk:
    """Writes like the system, until its room is used up."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, file: int, octets: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = octets[: self.room]
        self.room -= len(part)
        return os.write(file, part)


def test_full_disk_loses_nothing(tmp_path: Path) -> None:
    write(tmp_path / "full", 10)
    whole = only(tmp_path / "full").read_bytes()
    for room in (0, 1, 30, 100, 300):
        folder = tmp_path / str(room)
        disk = Disk(10**6)
        log = EventLog(folder, clock=lambda: 7, write=disk.write)
        disk.room = room
        for number in range(1, 6):
            log.append(event(number))
        for _ in range(2):
            with pytest.raises(StoreFull, match="No space left") as told:
                log.flush()
        assert str(folder) in str(told.value)
        assert only(folder).stat().st_size == HEAD.size, "no part of an event is left"
        log.append(event(6))
        disk.room = 10**6
        log.close()
        assert refused(folder) == [1, 2, 3, 4, 5, 6] and not list(damages(folder))
    assert whole


def test_full_disk_at_a_new_segment(tmp_path: Path) -> None:
    disk = Disk(10**6)
    log = EventLog(tmp_path, write=disk.write)
    log.append(event(1))
    log.flush()
    for room in (0, 5):
        disk.room = room
        with pytest.raises(StoreFull):
            log.begin_segment(LISTING)
        assert len(segment_files(tmp_path)) == 1
    disk.room = HEAD.size + 3
    with pytest.raises(StoreFull):
        log.begin_segment(LISTING)
    disk.room = 10**6
    log.append(event(2))
    log.close()
    assert refused(tmp_path) == [1, 2] and not list(damages(tmp_path))
    assert [one.sequence for one in entries(tmp_path)] == [1, 2, 3]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="file"):
        EventLog(tmp_path / "file" / "events")
