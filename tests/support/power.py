"""The file of a database as a loss of power may leave it, from a record of its changes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SECTOR = 512

STYLES = ("dropped", "torn", "reordered")
"""What may become of changes that were not synced."""


class Change(NamedTuple):
    """A recorded change of the file: W a write, L a new length, S a sync."""

    kind: str
    place: int
    data: bytes
    end: int


def recorded(path: Path) -> list[Change]:
    """What a journal holds (``Trial.journal``)."""
    data, at, changes = path.read_bytes(), 0, []
    while at < len(data):
        place, size = (int.from_bytes(data[at + o : at + o + 8], "little") for o in (1, 9))
        end = at + 17 + size
        changes.append(Change(chr(data[at]), place, data[at + 17 : end], end))
        at = end
    return changes


def apply(image: bytearray, changes: Iterable[Change]) -> None:
    """Make changes of an image."""
    for change in changes:
        if change.kind == "L":
            del image[change.place :]
            image.extend(bytes(change.place - len(image)))
        elif change.kind == "W":
            image.extend(bytes(max(0, change.place + len(change.data) - len(image))))
            image[change.place : change.place + len(change.data)] = change.data


def weathered(changes: list[Change], style: str, rng: random.Random) -> list[Change]:
    """Unsynced changes as a loss of power may leave them.

    ``dropped``: some are missing. ``torn``: of some only the first sectors were written.
    ``reordered``: some, in any order.
    """
    kept = [one for one in changes if rng.random() < 0.5]
    if style == "reordered":
        rng.shuffle(kept)
    if style == "torn":
        return [
            one._replace(data=one.data[: rng.randrange(len(one.data) // SECTOR + 1) * SECTOR])
            for one in kept
            if one.kind == "W"
        ]
    return kept
