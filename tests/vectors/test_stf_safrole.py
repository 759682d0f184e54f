"""The public vectors of section 6, through rotation and the ticket contest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from jamliquor.codec import U8, U32, Case, Choice, Hash
from jamliquor.errors import SafroleError
from jamliquor.params import ChainParams
from jamliquor.stf import safrole
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Tickets
from jamliquor.types.header import EpochMark, Ticket, TicketsMark
from jamliquor.types.state import Entropy, RingRoot, SafroleState, SealingKeys, ValidatorSet
from tests.support.stf import load, stf_vectors

CODES = (
    "bad_slot",
    "unexpected_ticket",
    "bad_ticket_order",
    "bad_ticket_proof",
    "bad_ticket_attempt",
    "reserved",
    "duplicate_ticket",
)


class State(NamedTuple):
    slot: U32
    entropy: Entropy
    previous: ValidatorSet
    active: ValidatorSet
    pending: ValidatorSet
    staging: ValidatorSet
    accumulator: tuple[Ticket, ...]
    sealing_keys: SealingKeys
    ring_root: RingRoot
    offenders: tuple[Hash, ...]


class Input(NamedTuple):
    slot: U32
    vrf_output: Hash
    tickets: Tickets


class Marks(NamedTuple):
    epoch_mark: EpochMark | None
    tickets_mark: TicketsMark | None


class Vector(NamedTuple):
    input: Input
    prior: State
    output: Annotated[
        Marks | int, Choice(Case(0, schema=Marks, kind=Marks), Case(1, schema=U8, kind=int))
    ]
    posterior: State


def transition(params: ChainParams, given: Input, prior: State) -> tuple[Marks, State]:
    """What a block does in this chapter, signatures included."""
    values = safrole.SafrolePrior(
        prior.slot,
        prior.entropy,
        SafroleState(prior.pending, prior.ring_root, prior.sealing_keys, prior.accumulator),
        prior.staging,
        prior.active,
        prior.previous,
    )
    checks = SignatureChecks()
    safrole.check_slot(prior.slot, given.slot)
    rotated = safrole.rotate(params, values, given.slot, given.vrf_output, frozenset(prior.offenders))
    accumulator = safrole.accumulate_tickets(params, prior.accumulator, rotated, given.tickets, checks)
    checks.verify()
    posterior = State(
        rotated.slot,
        rotated.entropy,
        rotated.previous,
        rotated.active,
        rotated.pending,
        prior.staging,
        accumulator,
        rotated.sealing_keys,
        rotated.ring_root,
        prior.offenders,
    )
    return Marks(rotated.epoch_mark, rotated.tickets_mark), posterior


@pytest.mark.parametrize("path", stf_vectors("safrole"))
def test_vector(path: Path) -> None:
    params, case = load(path, Vector)
    if isinstance(case.output, Marks):
        assert transition(params, case.input, case.prior) == (case.output, case.posterior)
    else:
        with pytest.raises(SafroleError) as caught:
            transition(params, case.input, case.prior)
        assert caught.value.code == CODES[case.output]
