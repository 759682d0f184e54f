"""A directory with a state of many entries: filled, then blocks made and imported on it.

``python -m jamliquor.node.edge.large fill|import FOLDER NUMBER``: NUMBER entries, or NUMBER blocks.
"""

from __future__ import annotations

import heapq
import json
import sys
import time
from pathlib import Path

from jamliquor.author import block as blocks
from jamliquor.author import genesis, sealing
from jamliquor.author.assembly import Pools, assemble
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.codec import codec
from jamliquor.crypto import key_derivation
from jamliquor.crypto.hashing import blake2b
from jamliquor.node.directory import Directory
from jamliquor.node.outcome import Verdict
from jamliquor.node.sources import Genesis
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state.trie import KEY_BYTES, Trie
from jamliquor.types.block import Block
from jamliquor.types.header import Header


def fill(folder: Path, count: int) -> None:
    """A new directory: the genesis of the development validators, and ``count`` entries beside it.

    Keys and values are hashes, so that nothing can be compressed.
    """
    secrets = _secrets()
    first = genesis.genesis(TINY, [secret.keys() for secret in secrets])
    more = sorted(
        (blake2b(index.to_bytes(8, "little"))[:KEY_BYTES], blake2b(index.to_bytes(4, "little")))
        for index in range(count)
    )
    entries = list(heapq.merge(sorted(first.state.items()), more))
    root = Trie.from_entries(entries).root
    header = codec(Header, TINY).encode(first.header)
    Directory(folder, Genesis(TINY, header, root, entries)).close()


def run(folder: Path, count: int) -> dict[str, float]:
    """Make and import ``count`` empty blocks; the most processor time of one, in milliseconds."""
    keyring = Keyring(_secrets())
    most = 0
    with Directory(folder) as directory:
        node = directory.node(NativeEngine())
        for _ in range(count):
            head = node.head_record
            prior = node.state_of(head.hash)
            assert prior is not None, "the head's state is kept"
            ahead, extrinsic = assemble(Pools(), prior, head.hash, head.slot + 1)
            claimed = sealing.claim(ahead, keyring)
            assert claimed is not None, "we hold all keys"
            made = codec(Block, TINY).encode(blocks.build(prior, head.hash, extrinsic, claimed))
            begun = time.process_time_ns()
            [outcome] = node.receive(made, "edge")
            most = max(most, time.process_time_ns() - begun)
            if outcome.verdict is not Verdict.IMPORTED:
                raise RuntimeError(f"our own block was {outcome.verdict.value}: {outcome.reason}")
        node.close("done")
    return {"slowest_ms": round(most / 1e6, 3)}


def _secrets() -> list[ValidatorSecret]:
    seeds = map(key_derivation.trivial_seed, range(TINY.validator_count))
    return [ValidatorSecret.from_seed(seed) for seed in seeds]


if __name__ == "__main__":
    where, number = Path(sys.argv[2]), int(sys.argv[3])
    if sys.argv[1] == "fill":
        fill(where, number)
    else:
        print(json.dumps(run(where, number)))
