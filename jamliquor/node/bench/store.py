"""The store on a disk of one's choice: blocks that wait for it, and blocks that do not."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from jamliquor.chain.record import BlockRecord
from jamliquor.crypto.hashing import blake2b
from jamliquor.node.bench.figures import Figure, Quantiles, over_rounds
from jamliquor.params import TINY
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.store.disk import DiskStore

_CHANGES = 100
_BLOCKS = 25
_VALUE_OCTETS = 280
_BODY = bytes(10_000)


def run(folder: Path, entries: int, rounds: int) -> Iterator[Figure]:
    """Blocks that change 100 entries each, put into a store below ``folder``.

    Raises:
        StoreError: the folder cannot be used.
    """
    keys = sorted(blake2b(index.to_bytes(8, "little"))[:KEY_BYTES] for index in range(entries))
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        store = _filled(Path(scratch), keys)
        for durable in (True, False):
            before = store.counters
            samples = [_round(store, keys, durable=durable) for _ in range(rounds)]
            after = store.counters
            blocks = rounds * _BLOCKS
            how = "that waits for the disk" if durable else "that does not wait"
            yield Figure(f"a block {how}", "ms", over_rounds(samples, 1000))
            written = (after.written - before.written) / blocks / 1000
            yield Figure(f"written for a block {how}", "KB", Quantiles({"median": written}))
        store.close()


def _filled(folder: Path, keys: list[bytes]) -> DiskStore:
    value = bytes(_VALUE_OCTETS)
    root = Trie.from_entries((key, value) for key in keys).root
    store = DiskStore(folder / "db", TINY)
    record = BlockRecord(bytes(32), bytes(32), 0, 0, root, False, b"")
    store.initialise(record, ((key, value) for key in keys))
    return store


def _round(store: DiskStore, keys: list[bytes], *, durable: bool) -> list[float]:
    """Seconds of each put."""
    dice = random.Random(len(keys))
    spans = []
    for _ in range(_BLOCKS):
        parent = store.record(store.head or b"")
        assert parent is not None, "a store has a head"
        state = store.state(parent.hash)
        assert state is not None, "the head's state is kept"
        child = state.child(
            {}, {dice.choice(keys): dice.randbytes(_VALUE_OCTETS) for _ in range(_CHANGES)}
        )
        identity = blake2b(parent.hash + child.root)
        slot = parent.slot + 1
        record = BlockRecord(identity, parent.hash, slot, slot, child.root, False, bytes(300))
        changes = child.take_changes()
        begun = time.perf_counter()
        store.put(record, _BODY, child, changes, head=True, durable=durable)
        store.finalise(parent.hash, durable=False)
        spans.append(time.perf_counter() - begun)
    return spans
