"""Making blocks: signatures, whole blocks with full extrinsics, memory of the authoring process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.harness import MEGABYTE, Figure, Options, measure, scaled, single
from jamliquor.author import block as blocks
from jamliquor.author import sealing, statements, tickets
from jamliquor.author.assembly import Pools, assemble
from jamliquor.author.draws import Draws
from jamliquor.author.genesis import genesis
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.author.outlook import outlook
from jamliquor.codec import codec
from jamliquor.crypto import bandersnatch
from jamliquor.crypto.key_derivation import trivial_seed
from jamliquor.node.devnet import Devnet
from jamliquor.node.devnet import Options as Network
from jamliquor.node.devnet_work import Workload
from jamliquor.params import FULL, TINY, ChainParams
from jamliquor.pvm.engine import NativeEngine
from jamliquor.types.block import Block

TITLE = "Making blocks"
METHOD = """\
*Block, made* takes everything from full pools: tickets (3 and 16), a guarantee for every core (2 and
341), an assurance of every validator (6 and 1023); it chooses, builds and seals. *Block, judged* is the
same block through the importer, which a node does before the block leaves. *Memory* is the peak of
`jamliquor author` over two slots in which it proves its tickets, in a process of its own.\
"""

_MEMORY = 64


def run(options: Options) -> Iterator[Figure]:
    """Signatures, then both chains."""
    key = bandersnatch.SecretKey.from_seed(b"benchmark")
    signed = measure(lambda: key.sign(b"context", b"message" * 40), options, 50)
    yield Figure("VRF signature", "ms", scaled(signed, 1e3), 5.0)
    first = genesis(TINY, [_secret(index).keys() for index in range(TINY.validator_count)])
    keyring = Keyring([_secret(index) for index in range(TINY.validator_count)])
    claimed = sealing.claim(outlook(first.state, 1), keyring)
    assert claimed is not None, "we hold all keys"
    sealed = measure(lambda: sealing.seal(TINY, claimed, first.header), options, 50)
    yield Figure("seal", "ms", scaled(sealed, 1e3), 5.0)
    for params in (TINY,) if options.quick else (TINY, FULL):
        yield from _chain(params, options)


def _secret(index: int) -> ValidatorSecret:
    """The secret of a development account (JIP-5)."""
    return ValidatorSecret.from_seed(trivial_seed(index))


def _chain(params: ChainParams, options: Options) -> Iterator[Figure]:
    name = params.name
    make, judge, prove = _prepared(params)
    count = 1 if params is FULL else 10
    yield Figure(f"{name}: block, made", "ms", scaled(measure(make, options, count), 1e3), 1000.0)
    yield Figure(f"{name}: block, judged", "ms", scaled(measure(judge, options, count), 1e3))
    yield Figure(f"{name}: ring proof", "ms", scaled(measure(prove, options, 1), 1e3))
    yield Figure(f"{name}: memory", "MB", single(_memory(params) / MEGABYTE), _MEMORY)


def _prepared(params: ChainParams) -> tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]:
    """What makes a block, judges it, and makes a ticket, on a chain whose cores are all at work."""
    devnet = Devnet(Network(validators=params.validator_count, tickets=0, work="none"))
    workload = Workload(NativeEngine(), Draws(0), "echo", rate=1.0)
    first = _filled(devnet, workload, 0)
    devnet.node.receive(_octets(devnet, first), "benchmark")
    pools = _filled(devnet, workload, params.max_block_tickets)
    head, slot = devnet.node.head_record, devnet.node.head_record.slot + 1
    prior = devnet.node.state_of(head.hash)
    assert prior is not None, "the head's state is kept"

    def make() -> Any:
        ahead, extrinsic = assemble(pools, prior, head.hash, slot)
        claimed = sealing.claim(ahead, devnet.keyring)
        assert claimed is not None, "we hold all keys"
        return blocks.build(prior, head.hash, extrinsic, claimed)

    made = make()
    sizes = [len(part) for part in made.extrinsic[:4]]
    expected = [params.max_block_tickets, 0, params.core_count, params.validator_count]
    assert sizes == expected, f"the block carries {sizes}"
    ahead = assemble(pools, prior, head.hash, slot)[0]
    running = tickets.contest(ahead)
    candidate = tickets.candidates(params, running, devnet.keyring)[0]
    return (
        make,
        lambda: devnet.node.preview(made),
        lambda: tickets.prove(running, devnet.keyring, candidate),
    )


def _filled(devnet: Devnet, workload: Workload, proofs: int) -> Pools:
    """Pools with all that the validators have for the next block."""
    pools, params = Pools(), devnet.params
    head = devnet.node.head_record
    prior = devnet.node.state_of(head.hash)
    assert prior is not None, "the head's state is kept"
    ahead, _ = assemble(pools, prior, head.hash, head.slot + 1)
    for assurance in statements.gather_assurances(ahead, head.hash, devnet.keyring):
        pools.assurances.add(ahead, head.hash, assurance)
    for core in range(params.core_count):
        report = workload.report(ahead, head.hash, core)
        assert report is not None, "the rate is one"
        pools.guarantees.add(ahead, statements.gather_guarantee(ahead, report, devnet.keyring))
    running = tickets.contest(ahead)
    for candidate in tickets.candidates(params, running, devnet.keyring)[:proofs]:
        envelope = tickets.prove(running, devnet.keyring, candidate)
        pools.tickets.add(ahead, envelope, own=True)
    return pools


def _octets(devnet: Devnet, pools: Pools) -> bytes:
    """The encoded block of these pools on the head."""
    head = devnet.node.head_record
    prior = devnet.node.state_of(head.hash)
    assert prior is not None, "the head's state is kept"
    ahead, extrinsic = assemble(pools, prior, head.hash, head.slot + 1)
    claimed = sealing.claim(ahead, devnet.keyring)
    assert claimed is not None, "we hold all keys"
    return codec(Block, devnet.params).encode(blocks.build(prior, head.hash, extrinsic, claimed))


def _memory(params: ChainParams) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        spec = folder / "chain.json"
        new = ("chain-spec", "new", spec, "--id", "bench", "--dev", "--params", params.name)
        processes.run(processes.jamliquor(*new), watch=False)
        run = ("author", "--dev", "alice", "--chain", spec, "--db", folder / "db", "--slots", "2")
        return processes.run(processes.jamliquor(*run, "--out", folder / "out", "--quiet")).peak
