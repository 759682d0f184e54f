"""Never twice: what was signed for which slot is on the disk before the signature leaves.

The record is a file that only grows: a head of 48 octets (eight that name format and version, the
Bandersnatch public key, eight of checksum), then a frame of 48 for each block: its slot (4), four
zeroes, the hash of its header without the seal (32), and eight octets of a Blake2b hash of what stands
before, chained to the frame above. A frame is written and synced, then the block is sealed.

A record of an earlier time, such as one from a backup, does not know what was signed since. So nothing
is signed for the slot in which the signer was opened, or for an earlier one. The lock keeps a second
process with the same file away; a second machine with the same keys nobody can see, so never copy
keys to one while the first may run.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import StoreError

__all__ = ["DISK", "Disk", "NotSigned", "Signer", "read_record"]

_MAGIC: Final = b"jamsign\1"
_FRAME: Final = 48
_CHECKSUM: Final = 8
_COMPACT_FRAMES: Final = 20_000
"""Frames above which only the last one is kept when the file is opened: a megabyte."""


class NotSigned(StoreError):
    """The signer refuses; nothing was signed.

    Attributes:
        slot: that a signature was wanted for.
    """

    def __init__(self, slot: int, reason: str) -> None:
        super().__init__(f"slot {slot} is not signed for: {reason}")
        self.slot = slot


class Disk(NamedTuple):
    """The calls that reach the disk; tests put failing ones in their place."""

    write: Callable[[int, bytes], int] = os.write
    sync: Callable[[int], None] = os.fsync
    truncate: Callable[[int, int], None] = os.ftruncate
    replace: Callable[[Path, Path], object] = os.replace


DISK: Final = Disk()


class Signed(NamedTuple):
    """One frame: a slot and the hash of the unsealed header that was signed for it."""

    slot: int
    unsigned_hash: bytes


class Signer:
    """Says whether a slot may be signed for, once each; use it as a context manager.

    Args:
        path: of the record; made if it does not exist.
        public: the Bandersnatch key that signs, 32 octets.
        now: the present slot.

    Attributes:
        floor: nothing is signed for this slot and those before.

    Raises:
        StoreError: another process has it open, it belongs to another key, is damaged, or the disk
            fails.
    """

    def __init__(self, path: Path, public: bytes, now: int, disk: Disk = DISK) -> None:
        self._path = path
        self._disk = disk
        self._public = public
        self._broken: str | None = None
        self._chain = b""
        self._end = 0
        self._file = _open(path)
        try:
            last = self._load()
        except BaseException:
            os.close(self._file)
            raise
        self.floor = max(now, last)

    def __enter__(self) -> Signer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the record; nothing is signed any more."""
        self._broken = "the signer is closed"
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def permit(self, slot: int, unsigned_hash: bytes) -> None:
        """Record that a header is about to be signed for a slot. After this, sign; before, never.

        Whether it succeeds or not, the slot is spent: what a failed write left on the disk is not
        known.

        Args:
            unsigned_hash: of the header without its seal, 32 octets.

        Raises:
            NotSigned: the slot is spent, or the record can no longer be trusted.
        """
        if self._broken is not None:
            raise NotSigned(slot, self._broken)
        if slot <= self.floor:
            raise NotSigned(slot, f"nothing is signed up to slot {self.floor}")
        self.floor = slot
        try:
            self._append(Signed(slot, unsigned_hash))
        except OSError as error:
            self._recover()
            raise NotSigned(slot, f"{self._path}: {error.strerror}") from None

    def _append(self, signed: Signed) -> None:
        frame = _frame(signed, self._chain)
        _write(self._disk, self._file, frame)
        self._disk.sync(self._file)
        self._end += _FRAME
        self._chain = frame[-_CHECKSUM:]

    def _recover(self) -> None:
        """Cut off what a failed write left; if that fails too, sign nothing until a new start."""
        try:
            self._disk.truncate(self._file, self._end)
            os.lseek(self._file, self._end, os.SEEK_SET)
            self._disk.sync(self._file)
        except OSError as error:
            self._broken = f"its record cannot be put right: {error.strerror}; start again"

    def _load(self) -> int:
        """The highest slot in the record; a frame that was not finished is cut off."""
        try:
            data = _read(self._file)
            if not data or (len(data) < _FRAME and _head(self._public).startswith(data)):
                return self._begin([])
            frames, end = _parse(self._path, data, self._public)
            if len(frames) > _COMPACT_FRAMES:
                return self._begin(frames[-1:])
            if end < len(data):
                self._disk.truncate(self._file, end)
                self._disk.sync(self._file)
            os.lseek(self._file, end, os.SEEK_SET)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}") from None
        self._end = end
        self._chain = data[end - _CHECKSUM : end]
        return max((each.slot for each in frames), default=0)

    def _begin(self, frames: list[Signed]) -> int:
        """Put a new record in the place of the old one, whole or not at all."""
        head = _head(self._public)
        self._chain = head[-_CHECKSUM:]
        octets = head
        for signed in frames:
            frame = _frame(signed, self._chain)
            octets += frame
            self._chain = frame[-_CHECKSUM:]
        part = self._path.with_name(f".{self._path.name}.part")
        fresh = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fresh, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(self._disk, fresh, octets)
            self._disk.sync(fresh)
            self._disk.replace(part, self._path)
            _sync_folder(self._disk, self._path.parent)
        except BaseException:
            os.close(fresh)
            raise
        os.close(self._file)
        self._file = fresh
        self._end = len(octets)
        return max((each.slot for each in frames), default=0)


def read_record(path: Path, public: bytes) -> list[Signed]:
    """What a record holds, oldest first; for people and tests.

    Raises:
        StoreError: it cannot be read, is damaged or belongs to another key.
    """
    try:
        return _parse(path, path.read_bytes(), public)[0]
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None


def _open(path: Path) -> int:
    """The record, locked: the one that has the name, also if another process just replaced it."""
    try:
        while True:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file), os.stat(path)):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            reason = "another process signs with it; stop that one first"
            raise StoreError(f"{path}: {reason}") from None
        raise StoreError(f"{path}: {error.strerror}") from None


def _read(file: int) -> bytes:
    os.lseek(file, 0, os.SEEK_SET)
    parts = []
    while part := os.read(file, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def _write(disk: Disk, file: int, octets: bytes) -> None:
    while octets:
        octets = octets[disk.write(file, octets) :]


def _sync_folder(disk: Disk, folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def _head(public: bytes) -> bytes:
    head = _MAGIC + public
    return head + blake2b(head)[:_CHECKSUM]


def _frame(signed: Signed, chain: bytes) -> bytes:
    frame = signed.slot.to_bytes(8, "little") + signed.unsigned_hash
    return frame + blake2b(chain + frame)[:_CHECKSUM]


def _parse(path: Path, data: bytes, public: bytes) -> tuple[list[Signed], int]:
    """The whole frames, and where they end. Only the last one may be torn."""
    if data[:8] != _MAGIC:
        raise StoreError(f"{path}: no record of what was signed")
    if data[:_FRAME] != _head(public):
        raise StoreError(f"{path}: belongs to another key, or its head is damaged")
    frames = []
    end = _FRAME
    chain = data[end - _CHECKSUM : end]
    while end + _FRAME <= len(data):
        frame = data[end : end + _FRAME]
        signed = Signed(int.from_bytes(frame[:8], "little"), frame[8:40])
        if frame != _frame(signed, chain):
            if end + _FRAME == len(data):
                break
            reason = f"damaged at octet {end}; what was signed is not known"
            advice = "move it away only when nothing else signs with this key"
            raise StoreError(f"{path}: {reason}: {advice}")
        frames.append(signed)
        chain = frame[-_CHECKSUM:]
        end += _FRAME
    return frames, end
