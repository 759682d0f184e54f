"""The signer never permits a slot twice, whatever fails and whenever the machine stops."""

from __future__ import annotations

import contextlib
import errno
import itertools
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jamliquor.errors import StoreError
from jamliquor.node import signer as signing
from jamliquor.node.signer import Disk, NotSigned, Signer, read_record

KEY = bytes(range(32))


def hashed(slot: int) -> bytes:
    return slot.to_bytes(32, "big")


class PowerCut(BaseException):
    """The machine stops here."""


class Faulty:
    """A disk whose ``at``-th call fails: by an error, or by a power cut that tears a write."""

    def __init__(self, at: int, fault: str, torn: int = 0) -> None:
        self.calls = 0
        self._at = at
        self._fault = fault
        self._torn = torn

    def disk(self) -> Disk:
        return Disk(
            self._wrapped(os.write), self._wrapped(os.fsync), self._wrapped(os.ftruncate),
            self._wrapped(os.replace),
        )  # fmt: skip

    def _wrapped(self, call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*arguments: object) -> object:
            self.calls += 1
            if self.calls == self._at or (self._fault == "dead" and self.calls > self._at):
                if call is os.write:
                    file, octets = arguments
                    os.write(file, octets[: self._torn])  # type: ignore[index,arg-type]
                if self._fault == "cut":
                    raise PowerCut
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*arguments)

        return wrapper


def session(path: Path, now: int, slots: range, disk: Disk, permitted: list[int]) -> None:
    """Sign a few slots; those that are permitted are noted at once."""
    with Signer(path, KEY, now, disk) as signer:
        for slot in slots:
            try:
                signer.permit(slot, hashed(slot))
            except NotSigned:
                continue
            permitted.append(slot)


@pytest.mark.parametrize("fault", ["error", "dead", "cut"])
@pytest.mark.parametrize("torn", [0, 1, 20, 47])
def test_a_fault_at_every_call(tmp_path: Path, fault: str, torn: int) -> None:
    """Whatever was permitted is never permitted again, though the clock stands still."""
    for at in itertools.count(1):
        path = tmp_path / f"{fault}-{torn}-{at}"
        permitted: list[int] = []
        faulty = Faulty(at, fault, torn)
        with contextlib.suppress(PowerCut, StoreError):
            session(path, 10, range(11, 15), faulty.disk(), permitted)
        # Back up at the same slot, as after a crash or with a clock that was set back.
        again: list[int] = []
        session(path, 9, range(10, 17), signing.DISK, again)
        assert not set(permitted) & set(again)
        assert {15, 16} <= set(again)
        recorded = [each.slot for each in read_record(path, KEY)]
        assert recorded == sorted(set(recorded))
        assert set(permitted) | set(again) <= set(recorded)
        if faulty.calls < at:
            assert permitted == [11, 12, 13, 14]
            break
    assert at > 8


def test_a_slot_is_permitted_once(tmp_path: Path) -> None:
    with Signer(tmp_path / "record", KEY, 5) as signer:
        signer.permit(7, hashed(7))
        for slot in (7, 6, 5, 0):
            with pytest.raises(NotSigned, match="up to slot 7"):
                signer.permit(slot, hashed(8))
        signer.permit(8, hashed(8))
    assert read_record(tmp_path / "record", KEY) == [(7, hashed(7)), (8, hashed(8))]


def test_nothing_for_the_slot_of_the_start(tmp_path: Path) -> None:
    """A backup does not know what was signed after it was made."""
    path = tmp_path / "record"
    with Signer(path, KEY, 100) as signer:
        backup = path.read_bytes()
        signer.permit(101, hashed(101))
    path.write_bytes(backup)
    with Signer(path, KEY, 101) as signer:
        with pytest.raises(NotSigned):
            signer.permit(101, bytes(32))
        signer.permit(102, hashed(102))


def test_a_write_error_spends_the_slot_and_spares_the_next(tmp_path: Path) -> None:
    path = tmp_path / "record"
    Signer(path, KEY, 0).close()
    with Signer(path, KEY, 0, Faulty(1, "error", 30).disk()) as signer:
        with pytest.raises(NotSigned, match="No space left"):
            signer.permit(1, hashed(1))
        with pytest.raises(NotSigned):
            signer.permit(1, hashed(1))
        signer.permit(2, hashed(2))
    assert [each.slot for each in read_record(path, KEY)] == [2]


def _elsewhere(path: Path, found: multiprocessing.Queue[str]) -> None:
    try:
        Signer(path, KEY, 0)
    except StoreError as error:
        found.put(str(error))
    else:
        found.put("opened")


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    found: multiprocessing.Queue[str] = multiprocessing.Queue()
    path = tmp_path / "record"
    with Signer(path, KEY, 0) as signer:
        signer.permit(1, hashed(1))
        other = multiprocessing.Process(target=_elsewhere, args=(path, found))
        other.start()
        other.join(30)
    assert "another process signs with it" in found.get(timeout=5)


@pytest.mark.parametrize("position", [0, 10, 47, 48, 60, 95])
def test_damage_is_told_and_nothing_signed(tmp_path: Path, position: int) -> None:
    path = tmp_path / "record"
    with Signer(path, KEY, 0) as signer:
        for slot in (1, 2, 3):
            signer.permit(slot, hashed(slot))
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"damaged|no record|another key"):
        Signer(path, KEY, 0)
    assert path.read_bytes() == data


def test_another_key_is_refused(tmp_path: Path) -> None:
    Signer(tmp_path / "record", KEY, 0).close()
    with pytest.raises(StoreError, match="another key"):
        Signer(tmp_path / "record", bytes(32), 0)


def test_a_long_record_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "_COMPACT_FRAMES", 3)
    path = tmp_path / "record"
    with Signer(path, KEY, 0) as signer:
        for slot in range(1, 6):
            signer.permit(slot, hashed(slot))
    with Signer(path, KEY, 0) as signer:
        assert read_record(path, KEY) == [(5, hashed(5))]
        with pytest.raises(NotSigned):
            signer.permit(5, hashed(5))
        signer.permit(6, hashed(6))
    assert [each.slot for each in read_record(path, KEY)] == [5, 6]
