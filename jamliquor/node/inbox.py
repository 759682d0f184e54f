"""What others want in a block, while there is no network: items from a folder or a Unix socket.

An item is one octet for its kind, then its encoding (appendix C). Frames as of blocks carry items: a
length of 4 octets, little-endian, then the item. Over a socket each item gets one line of text for an
answer. A file ``*.items`` of a folder holds frames one behind the other; it is removed when all are
judged, and one that breaks off or is too large is renamed to ``*.broken``.

Work is bounded: what is judged at once is, and what has to wait does so where it lies.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from jamliquor.author.pools import NotPooled
from jamliquor.codec import Codec, codec
from jamliquor.errors import DecodeError
from jamliquor.node.follow import MAX_FRAME, SocketFeed
from jamliquor.node.sources import Sent
from jamliquor.params import ChainParams
from jamliquor.types.extrinsic import Assurance, Disputes, Guarantee, Preimage, TicketEnvelope

__all__ = ["Inbox", "Item", "Judged", "encode_item", "frame", "open_inbox"]

KINDS: Final[tuple[type, ...]] = (TicketEnvelope, Preimage, Guarantee, Assurance, Disputes)
"""What an item may be; its kind is the position here, as in an extrinsic (equation 4.3)."""

NAMES: Final = ("ticket", "preimage", "guarantee", "assurance", "disputes")

SUFFIX: Final = ".items"

_BROKEN: Final = ".broken"
_LENGTH: Final = 4
# A folder's names are looked at in lots, and so much is judged before blocks have their turn again.
_NAMES_AT_ONCE: Final = 1024
_ITEMS_AT_ONCE: Final = 64
_SECONDS_AT_ONCE: Final = 0.2
# Refusals that are told of in one slot; all are counted.
_TOLD_A_SLOT: Final = 8

Item = TicketEnvelope | Preimage | Guarantee | Assurance | Disputes


class Judged(NamedTuple):
    """What became of an item.

    Attributes:
        refusal: why it was not taken, or None.
    """

    kind: str
    refusal: str | None

    @property
    def line(self) -> str:
        """For who sent it."""
        return f"{self.kind} taken" if self.refusal is None else f"{self.kind} refused: {self.refusal}"


class _Door(Protocol):
    def poll(self, take: Callable[[Sent], list[Judged]]) -> None: ...

    def close(self) -> None: ...


class Inbox:
    """Hands items to whoever pools them, and says what became of each.

    Args:
        pool: takes an item; raises :class:`NotPooled` when it does not want it.
        tell: gets lines for people.

    Attributes:
        taken, refused: how many items were, so far.
    """

    def __init__(
        self,
        door: _Door,
        params: ChainParams,
        pool: Callable[[Item], None],
        tell: Callable[[str], None],
    ) -> None:
        self._door = door
        self._codecs: list[Codec[Any]] = [codec(kind, params) for kind in KINDS]
        self._pool = pool
        self._tell = tell
        self._slot = -1
        self._told = 0
        self.taken = self.refused = 0

    def poll(self, slot: int) -> None:
        """Judge a bounded number of the items that have come; does not wait for any.

        Args:
            slot: the present one.
        """
        if slot != self._slot:
            if self._told > _TOLD_A_SLOT:
                self._tell(f"extrinsics: {self._told - _TOLD_A_SLOT} more refused in slot {self._slot}")
            self._slot, self._told = slot, 0
        self._door.poll(self._take)

    def close(self) -> None:
        """Let go of files and sockets."""
        self._door.close()

    def _take(self, sent: Sent) -> list[Judged]:
        judged = self._judge(sent.octets)
        if judged.refusal is None:
            self.taken += 1
        else:
            self.refused += 1
            self._told += 1
            if self._told <= _TOLD_A_SLOT:
                self._tell(f"{sent.source}: {judged.line}")
        return [judged]

    def _judge(self, octets: bytes) -> Judged:
        if not octets or octets[0] >= len(KINDS):
            return Judged("item", "undecodable: no such kind")
        kind = NAMES[octets[0]]
        try:
            self._pool(self._codecs[octets[0]].decode(octets[1:]))
        except DecodeError as error:
            return Judged(kind, f"undecodable: {error}")
        except NotPooled as error:
            return Judged(kind, str(error))
        return Judged(kind, None)


class _Folder:
    """Items from the files of a folder, by name. What cannot be removed is left alone from then on."""

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._items: Iterator[Sent] = iter(())
        self._left: set[str] = set()
        self._trouble = ""

    def poll(self, take: Callable[[Sent], list[Judged]]) -> None:
        end = time.monotonic() + _SECONDS_AT_ONCE
        for count in range(_ITEMS_AT_ONCE):
            sent = next(self._items, None)
            if sent is None and count == 0:
                self._items = self._found()
                sent = next(self._items, None)
            if sent is None:
                return
            take(sent)
            if time.monotonic() >= end:
                return

    def close(self) -> None: ...

    def _found(self) -> Iterator[Sent]:
        try:
            with os.scandir(self._folder) as entries:
                new = (entry.name for entry in entries if self._is_new(entry.name))
                names = sorted(itertools.islice(new, _NAMES_AT_ONCE))
        except OSError as error:
            self._complain(f"{self._folder}: cannot be listed: {error.strerror}")
            return
        for name in names:
            try:
                yield from self._items_of(self._folder / name)
            except OSError as error:
                self._left.add(name)
                self._complain(f"{self._folder / name}: is left alone: {error.strerror}")

    def _is_new(self, name: str) -> bool:
        return name.endswith(SUFFIX) and not name.startswith(".") and name not in self._left

    def _items_of(self, path: Path) -> Iterator[Sent]:
        """The items of a file, which goes then."""
        if not path.is_file():
            self._left.add(path.name)
            return
        size = path.stat().st_size
        for octets in frames(path.read_bytes()) if size <= MAX_FRAME else (None,):
            if octets is None:
                path.replace(path.with_suffix(_BROKEN))
                self._complain(f"{path}: breaks off or is too large; renamed to {_BROKEN}")
                return
            yield Sent(octets, path.name)
        path.unlink(missing_ok=True)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell(trouble)


def open_inbox(
    path: Path,
    params: ChainParams,
    pool: Callable[[Item], None],
    tell: Callable[[str], None],
) -> Inbox:
    """An inbox for a folder that exists, or else a socket at that path.

    Raises:
        StoreError: neither.
    """
    door: _Door = _Folder(path, tell) if path.is_dir() else SocketFeed(path, wait=0)
    return Inbox(door, params, pool, tell)


def encode_item(params: ChainParams, item: Item) -> bytes:
    """The octets of an item."""
    return bytes([KINDS.index(type(item))]) + codec(type(item), params).encode(item)


def frame(octets: bytes) -> bytes:
    """An item behind its length."""
    return len(octets).to_bytes(_LENGTH, "little") + octets


def frames(data: bytes) -> Iterator[bytes | None]:
    """The items of a file; None where it breaks off."""
    at = 0
    while at < len(data):
        begin = at + _LENGTH
        at = begin + int.from_bytes(data[at:begin], "little")
        if begin > len(data) or at > len(data):
            yield None
            return
        yield data[begin:at]
