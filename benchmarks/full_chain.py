"""Whole blocks of the full chain specification on a state with 1023 validators and 341 cores."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import memory_group, processes
from benchmarks.harness import MEGABYTE, Figure, Options, over_rounds, single
from jamliquor.author.block import build
from jamliquor.author.genesis import genesis
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.author.outlook import outlook
from jamliquor.author.sealing import claim
from jamliquor.chain.importer import Importer
from jamliquor.codec import codec
from jamliquor.crypto import key_derivation
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import FULL
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state.state import State
from jamliquor.types.extrinsic import Disputes, Extrinsic
from jamliquor.types.trace import Genesis, KeyValue, RawState, TraceStep

TITLE = "Full chain specification: whole blocks"
METHOD = """\
Empty blocks on a genesis of 1023 validators and 341 cores, sealed with the keys of `trivial_seed` in
fallback mode; the fifth one begins an epoch, with an epoch marker and a new ring commitment. Another
process builds the chain; it is imported by `jamliquor import --chain full`, as a process of its own,
also in a memory cgroup of 96 MB with a cold page cache. *Cold process* is the first block after a
start, which decodes every component of the state.\
"""

_TARGET = 96
_EPOCHS = 3
_BEFORE_EPOCH = 4
_BLOCKS = 12
_EMPTY = Extrinsic((), (), (), (), Disputes((), (), ()))


def run(options: Options) -> Iterator[Figure]:
    """Build the chain, import it some times."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "chain"
        report = Path(scratch) / "report.json"
        processes.run(processes.own("full_chain", folder), watch=False)
        command = processes.jamliquor("import", folder, "--chain", "full", "--quiet", "--json")
        times, peaks = [], []
        for _ in range(options.rounds):
            record, ran = processes.run_json([*command, "--report", str(report)])
            times.append([block["ms"] for block in json.loads(report.read_text())["blocks"]])
            peaks.append(max(ran.peak, record["peak_rss_bytes"]))
        processes.cool([folder])
        group = memory_group.completes(command, _TARGET * MEGABYTE)
    ordinary = [one[1:_BEFORE_EPOCH] + one[_BEFORE_EPOCH + 1 :] for one in times]
    yield Figure("block", "ms", over_rounds(ordinary), 100.0)
    yield Figure("block, cold process", "ms", over_rounds([[one[0] for one in times]]))
    boundary = over_rounds([[one[_BEFORE_EPOCH] for one in times]])
    yield Figure("block that begins an epoch", "ms", boundary)
    yield Figure("memory", "MB", single(max(peaks) / MEGABYTE), _TARGET, {"memory_group": group})


def _raw(state: State) -> RawState:
    return RawState(state.root, tuple(KeyValue(*entry) for entry in state.items()))


def _build(folder: Path) -> None:
    """Write the genesis and the steps of the chain."""
    folder.mkdir()
    seeds = map(key_derivation.trivial_seed, range(FULL.validator_count))
    secrets = [ValidatorSecret.from_seed(seed) for seed in seeds]
    keyring = Keyring(secrets)
    slot = _EPOCHS * FULL.epoch_length - _BEFORE_EPOCH - 1
    entropy = tuple(blake2b(bytes([index])) for index in range(4))
    first = genesis(FULL, [secret.keys() for secret in secrets], slot=slot, entropy=entropy)
    parent, state = first.hash, first.state
    importer = Importer(FULL, NativeEngine())
    importer.start(parent, state)
    recorded = Genesis(first.header, _raw(state))
    (folder / "genesis.bin").write_bytes(codec(Genesis, FULL).encode(recorded))
    for number in range(1, _BLOCKS + 1):
        claimed = claim(outlook(state, slot + number), keyring)
        if claimed is None:
            raise RuntimeError("every slot belongs to a key that we hold")
        block = build(state, parent, _EMPTY, claimed)
        imported = importer.import_block(block)
        step = TraceStep(_raw(state), block, _raw(imported.state))
        (folder / f"{number:08}.bin").write_bytes(codec(TraceStep, FULL).encode(step))
        parent, state = imported.hash, imported.state


if __name__ == "__main__":
    _build(Path(sys.argv[1]))
