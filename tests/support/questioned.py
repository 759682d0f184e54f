"""Chains that are longer than one piece of an answer, and something to ask about them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from jamliquor.node.questions import Subject
from jamliquor.params import TINY
from jamliquor.store.disk import DiskStore
from tests.support.maker import Made, Maker, own_genesis
from tests.support.nodes import MANUAL, deliver, initialise, memory_store, node_on

SLOTS: Final = (*range(1, 61), *range(62, 82, 2))
SIDE_SLOTS: Final = range(63, 79, 2)
LARGE: Final = bytes(range(256)) * 1000
"""A value that no row has room for."""


def key_of(number: int) -> bytes:
    """One of the entries that the first state has beside the usual ones."""
    return b"\xfe" + number.to_bytes(30, "big")


@functools.cache
def maker() -> Maker:
    """A maker whose states have more entries than fit into one piece, one of them large."""
    first = own_genesis()
    entries: dict[bytes, bytes | None] = {key_of(number): b"value" for number in range(150)}
    return Maker(start=(first.hash, first.state.child({}, {**entries, key_of(99): LARGE})))


@functools.cache
def main_line() -> list[Made]:
    """More blocks than fit into one piece."""
    return maker().line(maker().root, SLOTS)


@functools.cache
def side_line() -> list[Made]:
    """A fork that lies between their slots and ends before they do."""
    return maker().line(main_line()[59].hash, SIDE_SLOTS)


def subject(folder: Path | None = None) -> Subject:
    """A node with all these blocks, none of them final; on disk if a folder is given."""
    if folder is None:
        store = memory_store(maker())
    else:
        store = DiskStore(folder, TINY)
        initialise(store, maker())
    node = node_on(store, None, MANUAL)
    deliver(node, [*main_line(), *side_line()])
    return Subject(TINY, maker().root, store, node)
