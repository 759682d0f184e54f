"""Builds a block on a state: everything that a header must say about an extrinsic and its place."""

from __future__ import annotations

from typing import Final

from jamliquor.author.outlook import NO_DISPUTES, outlook
from jamliquor.author.sealing import Claim, sign_header
from jamliquor.params import ChainParams
from jamliquor.state.state import State
from jamliquor.stf import header, reports
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Extrinsic
from jamliquor.types.header import Header

__all__ = ["EMPTY_EXTRINSIC", "build", "commitment"]

EMPTY_EXTRINSIC: Final = Extrinsic((), (), (), (), NO_DISPUTES)


def build(prior: State, parent: bytes, extrinsic: Extrinsic, claimed: Claim) -> Block:
    """The sealed block with an extrinsic at a slot that we claimed (section 5).

    Only slot and disputes of the block are judged on the way; whoever wants to know that it is valid
    imports it.

    Args:
        prior: the state after the parent.
        parent: the parent's header hash, 32 octets.
        claimed: what :func:`~jamliquor.author.sealing.claim` gave for this state and slot.

    Raises:
        SafroleError: ``bad_slot``.
        DisputesError: the disputes are not valid on this state.
    """
    params = prior.params
    ahead = outlook(prior, claimed.slot, extrinsic.disputes)
    unsigned = Header(
        parent=parent,
        parent_state_root=prior.root,
        extrinsic_hash=commitment(params, extrinsic),
        slot=claimed.slot,
        epoch_mark=ahead.rotated.epoch_mark,
        tickets_mark=ahead.rotated.tickets_mark,
        author_index=claimed.author_index,
        entropy_source=bytes(96),
        offenders_mark=ahead.judged.offenders_mark,
        seal=bytes(96),
    )
    return Block(sign_header(params, claimed, unsigned), extrinsic)


def commitment(params: ChainParams, extrinsic: Extrinsic) -> bytes:
    """The extrinsic hash, 32 octets, that a header carries (equation 5.4)."""
    hashes = reports.report_hashes(params, extrinsic.guarantees)
    return header.extrinsic_hash(params, extrinsic, hashes)
