"""What goes into a block: the pools' choices, in the order in which one depends on another."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from jamliquor.author.block import EMPTY_EXTRINSIC
from jamliquor.author.outlook import Outlook, outlook
from jamliquor.author.pools import (
    AssurancePool,
    DisputePool,
    GuaranteePool,
    PreimagePool,
    TicketPool,
    pending_after,
)
from jamliquor.state.state import State
from jamliquor.stf.reports import Ancestry
from jamliquor.types.extrinsic import Extrinsic

__all__ = ["Pools", "Size", "assemble"]


@dataclass(slots=True)
class Pools:
    """Everything that waits for a block."""

    tickets: TicketPool = field(default_factory=TicketPool)
    preimages: PreimagePool = field(default_factory=PreimagePool)
    guarantees: GuaranteePool = field(default_factory=GuaranteePool)
    assurances: AssurancePool = field(default_factory=AssurancePool)
    disputes: DisputePool = field(default_factory=DisputePool)


class Size(enum.IntEnum):
    """How much goes into a block; the less, the sooner it is done.

    FULL: everything. SMALL: no new reports and preimages, which cost the most to make and to judge.
    EMPTY: nothing, so that nothing can be wrong with it.
    """

    EMPTY = 0
    SMALL = 1
    FULL = 2


def assemble(
    pools: Pools,
    prior: State,
    parent: bytes,
    slot: int,
    *,
    size: Size = Size.FULL,
    is_ancestor: Ancestry | None = None,
) -> tuple[Outlook, Extrinsic]:
    """The extrinsic of a block at ``slot`` on ``parent``, and the outlook that it was chosen for.

    Args:
        prior: the state after the parent.
        is_ancestor: whether a header of that hash and slot precedes the block; None if not known.

    Raises:
        SafroleError: ``bad_slot``.
    """
    ahead = outlook(prior, slot)
    if size is Size.EMPTY:
        return ahead, EMPTY_EXTRINSIC
    disputes = pools.disputes.choose(ahead)
    if disputes.verdicts:
        ahead = outlook(prior, slot, disputes)
    assurances = pools.assurances.choose(ahead, parent)
    extrinsic = Extrinsic(pools.tickets.choose(ahead), (), (), assurances, disputes)
    if size is Size.FULL:
        pending = pending_after(ahead, parent, assurances)
        extrinsic = extrinsic._replace(
            preimages=pools.preimages.choose(ahead),
            guarantees=pools.guarantees.choose(ahead, pending, is_ancestor),
        )
    return ahead, extrinsic
