"""Whole blocks of the full chain specification on a state with 1023 validators and 341 cores."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import memory_group, processes
from benchmarks.harness import MEGABYTE, Figure, Options, over_rounds, single
from jamliquor.chain.importer import Importer
from jamliquor.codec import codec
from jamliquor.crypto import bandersnatch, ed25519, key_derivation
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import FULL
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state import keys
from jamliquor.state.state import COMPONENT_TYPES, State
from jamliquor.stf import header as header_rules
from jamliquor.stf import safrole
from jamliquor.types import state as components
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Disputes, Extrinsic
from jamliquor.types.header import Header
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


class _Validator:
    """Secrets and keys of one validator."""

    def __init__(self, index: int) -> None:
        seed = key_derivation.trivial_seed(index)
        self.secret = bandersnatch.SecretKey.from_seed(key_derivation.bandersnatch_secret_seed(seed))
        signing = ed25519.SecretKey.from_seed(key_derivation.ed25519_secret_seed(seed))
        self.keys = components.ValidatorKeys(self.secret.public, signing.public, bytes(144), bytes(128))


def _genesis(validators: tuple[components.ValidatorKeys, ...]) -> State:
    entropy = tuple(blake2b(bytes([index])) for index in range(4))
    ring_root = safrole.ring_root(tuple(one.bandersnatch for one in validators))
    fallback = safrole.fallback_keys(FULL, entropy[2], validators)
    sealing = components.FallbackKeys(fallback)
    records = (components.ValidatorRecord(0, 0, 0, 0, 0, 0),) * FULL.validator_count
    cores = (components.CoreRecord(0, 0, 0, 0, 0, 0, 0, 0),) * FULL.core_count
    no_one = frozenset[bytes]()
    values: dict[int, Any] = {
        keys.AUTHORIZATION_POOLS: ((bytes(32),) * FULL.authorization_pool_size,) * FULL.core_count,
        keys.AUTHORIZATION_QUEUES: ((bytes(32),) * FULL.authorization_queue_size,) * FULL.core_count,
        keys.RECENT_HISTORY: components.RecentHistory((), ()),
        keys.SAFROLE: components.SafroleState(validators, ring_root, sealing, ()),
        keys.DISPUTES: components.DisputeRecords(no_one, no_one, no_one, no_one),
        keys.ENTROPY: entropy,
        keys.STAGING_VALIDATORS: validators,
        keys.ACTIVE_VALIDATORS: validators,
        keys.PREVIOUS_VALIDATORS: validators,
        keys.PENDING_REPORTS: (None,) * FULL.core_count,
        keys.TIME: _EPOCHS * FULL.epoch_length - _BEFORE_EPOCH - 1,
        keys.PRIVILEGES: components.Privileges(0, (0,) * FULL.core_count, 0, 0, {}),
        keys.STATISTICS: components.Statistics(records, records, cores, {}),
        keys.ACCUMULATION_QUEUE: ((),) * FULL.epoch_length,
        keys.ACCUMULATION_HISTORY: (no_one,) * FULL.epoch_length,
        keys.ACCUMULATION_OUTPUTS: (),
    }
    return State.from_entries(
        FULL,
        [
            (keys.component(index), codec(COMPONENT_TYPES[index], FULL).encode(value))
            for index, value in values.items()
        ],
    )


def _block(prior: State, parent: bytes, validators: dict[bytes, tuple[int, _Validator]]) -> Block:
    """The empty block of the slot after the state's, sealed by whom that slot belongs to."""
    slot = prior.component(keys.TIME) + 1
    values = safrole.SafrolePrior(
        prior.component(keys.TIME),
        prior.component(keys.ENTROPY),
        prior.component(keys.SAFROLE),
        prior.component(keys.STAGING_VALIDATORS),
        prior.component(keys.ACTIVE_VALIDATORS),
        prior.component(keys.PREVIOUS_VALIDATORS),
    )
    # Neither the slot's key nor what it seals depends on the output of this block's own signature.
    rotated = safrole.rotate(FULL, values, slot, bytes(32), frozenset())
    if not isinstance(rotated.sealing_keys, components.FallbackKeys):
        raise RuntimeError("a chain without tickets is in fallback mode")
    author, validator = validators[rotated.sealing_keys.keys[slot % FULL.epoch_length]]
    context = header_rules.FALLBACK_CONTEXT + rotated.entropy[3]
    output = validator.secret.output(context)
    header = Header(
        parent=parent,
        parent_state_root=prior.root,
        extrinsic_hash=header_rules.extrinsic_hash(FULL, _EMPTY, ()),
        slot=slot,
        epoch_mark=rotated.epoch_mark,
        tickets_mark=None,
        author_index=author,
        entropy_source=validator.secret.sign(header_rules.ENTROPY_CONTEXT + output, b""),
        offenders_mark=(),
        seal=bytes(96),
    )
    unsigned = header_rules.encode(FULL, header).unsigned
    return Block(header._replace(seal=validator.secret.sign(context, unsigned)), _EMPTY)


def _raw(state: State) -> RawState:
    return RawState(state.root, tuple(KeyValue(*entry) for entry in state.items()))


def _build(folder: Path) -> None:
    """Write the genesis and the steps of the chain."""
    folder.mkdir()
    made = [_Validator(index) for index in range(FULL.validator_count)]
    by_key = {one.secret.public: (index, one) for index, one in enumerate(made)}
    state = _genesis(tuple(one.keys for one in made))
    first = Header(
        *(bytes(32),) * 3, state.component(keys.TIME), None, None, 0, bytes(96), (), bytes(96)
    )
    importer = Importer(FULL, NativeEngine())
    parent = importer.start_genesis(first, state)
    (folder / "genesis.bin").write_bytes(codec(Genesis, FULL).encode(Genesis(first, _raw(state))))
    for number in range(1, _BLOCKS + 1):
        block = _block(state, parent, by_key)
        imported = importer.import_block(block)
        step = TraceStep(_raw(state), block, _raw(imported.state))
        (folder / f"{number:08}.bin").write_bytes(codec(TraceStep, FULL).encode(step))
        parent, state = imported.hash, imported.state


if __name__ == "__main__":
    _build(Path(sys.argv[1]))
