"""Snapshots of a large state: written, verified and restored, each in a process of its own."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import processes
from benchmarks.harness import MEGABYTE, Figure, Options, single
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.node.restoring import open_snapshot, restore
from jamliquor.params import TINY
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.store.disk import DiskStore
from jamliquor.store.snapshot_writer import write_snapshot
from jamliquor.types.header import Header

TITLE = "Snapshots"
METHOD = """\
A state of a million entries with hashed keys and hashed values of 32 octets, which no compression makes
smaller, in a store on disk. Rates are by the clock, with what the disk takes; *processor* is the time
of the process alone. Memory is the peak of the process.\
"""

_SIZE = 1_000_000
_QUICK_SIZE = 20_000
_TARGET_MEGABYTES = 96.0


def run(options: Options) -> Iterator[Figure]:
    """Measure each step on the same state."""
    size = _QUICK_SIZE if options.quick else _SIZE
    with tempfile.TemporaryDirectory() as folder:
        for step in _STEPS:
            command = processes.own("snapshots", step, folder, size)
            record, _ = processes.run_json(command, watch=False)
            if step == "fill":
                continue
            yield Figure(f"{step}: rate", "entries/s", single(size / record["seconds"]))
            yield Figure(f"{step}: processor", "s", single(record["processor"]))
            peak = single(record["peak"] / MEGABYTE)
            yield Figure(f"{step}: memory", "MB", peak, _TARGET_MEGABYTES)
        octets = (Path(folder) / "snapshot").stat().st_size
        yield Figure("size of the file", "octets an entry", single(octets / size))


def _fill(folder: Path, size: int) -> None:
    header = Header(bytes(32), bytes(32), bytes(32), 1, None, None, 0, bytes(96), (), bytes(96))
    encoded = codec(Header, TINY).encode(header)
    entries = sorted(
        (blake2b(index.to_bytes(8, "little"))[:KEY_BYTES], blake2b(index.to_bytes(4, "little")))
        for index in range(size)
    )
    root = Trie.from_entries(entries).root
    store = DiskStore(folder / "db", TINY)
    block_hash = blake2b(encoded)
    store.initialise(BlockRecord(block_hash, bytes(32), 1, 0, root, False, encoded), entries)
    store.close()


def _create(folder: Path, size: int) -> None:
    store = DiskStore(folder / "db", TINY)
    assert store.head is not None, "filled before"
    written = write_snapshot(folder / "snapshot", store, store.head, TINY, store.head)
    assert written.entries == size, "all of them"
    store.close()


def _verify(folder: Path, size: int) -> None:
    file, reader = open_snapshot(folder / "snapshot")
    with file:
        reader.verify()
    assert reader.contents.entries == size, "all of them"


def _restore(folder: Path, size: int) -> None:
    assert restore(folder / "snapshot", folder / "restored").entries == size, "all of them"


_STEPS: dict[str, Callable[[Path, int], None]] = {
    "fill": _fill,
    "create": _create,
    "verify": _verify,
    "restore": _restore,
}


def _child(step: str, folder: Path, size: int) -> dict[str, object]:
    begun, spent = time.perf_counter(), time.process_time()
    _STEPS[step](folder, size)
    return {
        "seconds": time.perf_counter() - begun,
        "processor": time.process_time() - spent,
        "peak": processes.high_water(),
    }


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
