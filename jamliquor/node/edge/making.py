"""A block made from full pools, as an author does it between two slots."""

from __future__ import annotations

from collections.abc import Callable

from jamliquor.author import block as blocks
from jamliquor.author import sealing, statements
from jamliquor.author.assembly import Pools, assemble
from jamliquor.author.draws import Draws
from jamliquor.node.devnet import Devnet, Options
from jamliquor.node.devnet_work import Workload
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine


def prepared() -> Callable[[], object]:
    """What makes, seals and judges one block with a report for each core and all assurances."""
    devnet = Devnet(Options(validators=TINY.validator_count, tickets=0, work="none"))
    workload = Workload(NativeEngine(), Draws(0), "echo", rate=1.0)
    devnet.advance()
    head = devnet.node.head_record
    slot = head.slot + 1
    prior = devnet.node.state_of(head.hash)
    assert prior is not None, "the head's state is kept"
    pools = Pools()
    ahead, _ = assemble(pools, prior, head.hash, slot)
    for assurance in statements.gather_assurances(ahead, head.hash, devnet.keyring):
        pools.assurances.add(ahead, head.hash, assurance)
    for core in range(TINY.core_count):
        report = workload.report(ahead, head.hash, core)
        assert report is not None, "the rate is one"
        pools.guarantees.add(ahead, statements.gather_guarantee(ahead, report, devnet.keyring))

    def make() -> object:
        found, extrinsic = assemble(pools, prior, head.hash, slot)
        claimed = sealing.claim(found, devnet.keyring)
        assert claimed is not None, "we hold all keys"
        return devnet.node.preview(blocks.build(prior, head.hash, extrinsic, claimed))

    return make
