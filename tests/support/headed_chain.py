"""A chain whose blocks are nothing but headers and changes of a state of some chunks: for snapshots."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.state.state import State
from jamliquor.store.disk import DiskStore
from jamliquor.store.interface import Store
from jamliquor.store.memory import MemoryStore
from jamliquor.store.snapshot_writer import write_snapshot
from jamliquor.types.header import Header
from tests.support.stored_chain import Changes, Link, put

_RNG = random.Random(31)
ENTRIES = {blake2b(_RNG.randbytes(8))[:31]: _RNG.randbytes(_RNG.choice([30, 600])) for _ in range(2500)}
"""The first state: some 800 KB, four chunks of a snapshot."""

KEYS = sorted(ENTRIES)


def _record(parent: bytes, root: bytes, slot: int) -> BlockRecord:
    header = Header(parent, root, bytes(32), slot, None, None, 0, bytes(96), (), slot.to_bytes(4) * 24)
    encoded = codec(Header, TINY).encode(header)
    return BlockRecord(blake2b(encoded), parent, slot, slot, root, False, encoded)


def _links(count: int) -> list[Link]:
    state, parent, links = State.from_entries(TINY, ENTRIES.items()), FIRST.hash, []
    for number in range(1, count + 1):
        # The upper half of the keys stays: what is damaged there lies in the base alone.
        chosen = _RNG.sample(KEYS[: len(KEYS) // 2], 5)
        changes: Changes = {key: _RNG.randbytes(40) for key in chosen}
        state = state.child({}, changes)
        record = _record(parent, state.root, number)
        links.append(Link(record, b"body", changes))
        parent = record.hash
    return links


FIRST = _record(bytes(32), State.from_entries(TINY, ENTRIES.items()).root, 0)
LINKS = _links(60)
"""Blocks 1 to 60 on the first one."""


def disk_store(path: Path) -> DiskStore:
    """A store of this chain that moves its base by 3 blocks, 4 behind what is final; filled if new."""
    store = DiskStore(path, TINY, keep_states=4, stride=3, cache_bytes=1 << 20)
    if store.head is None:
        store.initialise(FIRST, ENTRIES.items())
    return store


def grow(store: Store, links: Iterable[Link]) -> None:
    """Put blocks, each one final at once."""
    for link in links:
        put(store, link, durable=True)
        store.finalise(link.record.hash)


def expected_file(path: Path, number: int) -> bytes:
    """What ``snapshot create`` makes of the state after a block."""
    store = MemoryStore(TINY, keep_states=100)
    store.initialise(FIRST, ENTRIES.items())
    grow(store, LINKS[:number])
    block = LINKS[number - 1].record.hash if number else FIRST.hash
    assert write_snapshot(path, store, block, TINY, FIRST.hash).finished
    return path.read_bytes()


def expected_state(number: int) -> dict[bytes, bytes | None]:
    """The entries after a block."""
    model: dict[bytes, bytes | None] = dict(ENTRIES)
    for link in LINKS[:number]:
        model |= link.changes
    return model
