"""A chain of blocks with nothing in them but changes of state, for stores."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.state.state import State
from jamliquor.store.interface import Store

Changes = dict[bytes, bytes | None]


def digest(*parts: object) -> bytes:
    """32 octets that are different for different parts."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=32).digest()


class Link(NamedTuple):
    """A block as it is put."""

    record: BlockRecord
    body: bytes
    changes: Changes


def first_record(state: State) -> BlockRecord:
    """The record of the first block."""
    return BlockRecord(digest("genesis"), bytes(32), 0, 0, state.root, False, b"header")


def random_changes(rng: random.Random, keys: list[bytes], count: int) -> Changes:
    """Some entries set or removed, with values of all sizes that matter."""
    chosen = rng.sample(keys, count)
    sizes = [None, 0, 8, 32, 33, 200, 5000]
    drawn = ((key, rng.choice(sizes)) for key in chosen)
    return {key: None if size is None else rng.randbytes(size) for key, size in drawn}


def link(
    parent: BlockRecord, state: State, changes: Changes, *, slots: int = 1, name: object = 0
) -> tuple[Link, State]:
    """A block on top of another one, and the state after it."""
    child = state.child({}, changes)
    slot = parent.slot + slots
    identity = digest(parent.hash, slot, child.root, name)
    record = BlockRecord(identity, parent.hash, slot, parent.number + 1, child.root, False, b"header")
    # Some take one page of the file, some several.
    body = identity * (1200 if record.number % 3 == 0 else 20)
    return Link(record, body, changes), child


def put(store: Store, block: Link, *, durable: bool = False) -> State:
    """Put a block on its parent's kept state and make it the head; returns its state."""
    prior = store.state(block.record.parent)
    assert prior is not None, "the parent's state is kept"
    child = prior.child({}, block.changes)
    store.put(block.record, block.body, child, child.take_changes(), head=True, durable=durable)
    return child


def key_pool(rng: random.Random, count: int) -> list[bytes]:
    """Different state keys, some of them with long shared beginnings."""
    keys: set[bytes] = set()
    while len(keys) < count:
        shared = bytes(rng.choice([0, 9, 20, 28])).ljust(rng.choice([0, 28]), b"\1")
        keys.add(shared + rng.randbytes(31 - len(shared)))
    return sorted(keys, key=lambda key: key[::-1])


def line(
    parent: BlockRecord, state: State, rng: random.Random, keys: list[bytes], count: int = 6
) -> Iterator[Link]:
    """An endless line of blocks from one on, each with so many changes."""
    while True:
        changes = random_changes(rng, keys, min(count, len(keys)))
        block, state = link(parent, state, changes, slots=rng.choice([1, 1, 3]))
        parent = block.record
        yield block
