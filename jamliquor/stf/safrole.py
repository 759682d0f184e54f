"""Safrole: validator sets, entropy, sealing keys and the ticket contest (section 6).

The seal and the entropy signature, which use what is computed here, are in
:mod:`jamliquor.stf.header`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence, Set
from typing import Any, Final, NamedTuple, TypeVar

from jamliquor.crypto import BadSignature, bandersnatch, ring
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import SafroleError
from jamliquor.params import ChainParams
from jamliquor.state import keys as indices
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import TicketEnvelope
from jamliquor.types.header import EpochMark, EpochMarkValidator, Ticket
from jamliquor.types.state import FallbackKeys, SafroleState, TicketKeys, ValidatorKeys

TICKET_CONTEXT: Final = b"jam_ticket_seal"
"""X_T: context of ticket proofs and of seals with a ticket (section 6.4)."""

NULL_KEYS: Final = ValidatorKeys(bytes(32), bytes(32), bytes(144), bytes(128))
"""What stands in a validator set for an offender (equation 6.14)."""

T = TypeVar("T")


class SafrolePrior(NamedTuple):
    """The prior values this chapter reads: slot, entropy, Safrole's own, and three validator sets."""

    slot: int
    entropy: tuple[bytes, ...]
    safrole: SafroleState
    staging: tuple[ValidatorKeys, ...]
    active: tuple[ValidatorKeys, ...]
    previous: tuple[ValidatorKeys, ...]

    @classmethod
    def of(cls, component: Callable[[int], Any]) -> SafrolePrior:
        """Those of a state, whose components ``component`` gives by their index."""
        return cls(
            component(indices.TIME),
            component(indices.ENTROPY),
            component(indices.SAFROLE),
            component(indices.STAGING_VALIDATORS),
            component(indices.ACTIVE_VALIDATORS),
            component(indices.PREVIOUS_VALIDATORS),
        )


class Rotated(NamedTuple):
    """The posterior values of this chapter, and the markers that the header must carry.

    Values that the block leaves as they were are the prior's own objects. ``tickets`` alone is not
    yet posterior: it is the accumulator that :func:`accumulate_tickets` adds to.
    """

    slot: int
    entropy: tuple[bytes, ...]
    pending: tuple[ValidatorKeys, ...]
    active: tuple[ValidatorKeys, ...]
    previous: tuple[ValidatorKeys, ...]
    ring_root: bytes
    sealing_keys: TicketKeys | FallbackKeys
    tickets: tuple[Ticket, ...]
    epoch_mark: EpochMark | None
    tickets_mark: tuple[Ticket, ...] | None


def check_slot(prior_slot: int, slot: int) -> None:
    """A block's slot is later than that of its parent (sections 5 and 6.1).

    Raises:
        SafroleError: ``bad_slot``.
    """
    if slot <= prior_slot:
        raise SafroleError("bad_slot", slot=slot, prior_slot=prior_slot)


def rotate(
    params: ChainParams, prior: SafrolePrior, slot: int, vrf_output: bytes, offenders: Set[bytes]
) -> Rotated:
    """Everything of this chapter except the tickets of the block (sections 6.3 to 6.6).

    Args:
        prior: values before the block.
        slot: the block's slot, later than the prior (:func:`check_slot`).
        vrf_output: output of the header's entropy signature, 32 octets.
        offenders: posterior Ed25519 keys of offenders, 32 octets each.
    """
    epoch, phase = params.epoch_of(prior.slot)
    next_epoch, next_phase = params.epoch_of(slot)
    safrole, entropy = prior.safrole, prior.entropy
    accumulated = blake2b(entropy[0] + vrf_output)
    if next_epoch == epoch:
        ended = phase < params.ticket_submission_end <= next_phase
        return Rotated(
            slot=slot,
            entropy=(accumulated, *entropy[1:]),
            pending=safrole.pending,
            active=prior.active,
            previous=prior.previous,
            ring_root=safrole.ring_root,
            sealing_keys=safrole.sealing_keys,
            tickets=safrole.accumulator,
            epoch_mark=None,
            tickets_mark=outside_in(safrole.accumulator)
            if ended and len(safrole.accumulator) == params.epoch_length
            else None,
        )
    pending = without_offenders(prior.staging, offenders)
    won = (
        next_epoch == epoch + 1
        and phase >= params.ticket_submission_end
        and len(safrole.accumulator) == params.epoch_length
    )
    return Rotated(
        slot=slot,
        entropy=(accumulated, *entropy[:3]),
        pending=pending,
        active=safrole.pending,
        previous=prior.active,
        ring_root=ring_root(tuple([keys.bandersnatch for keys in pending])),
        sealing_keys=TicketKeys(outside_in(safrole.accumulator))
        if won
        else FallbackKeys(fallback_keys(params, entropy[1], safrole.pending)),
        tickets=(),
        epoch_mark=epoch_mark(entropy, pending),
        tickets_mark=None,
    )


# The few sets of a chain and its forks about an epoch's start; 100 KB each on the full chain.
@functools.lru_cache(maxsize=4)
def ring_root(keys: tuple[bytes, ...]) -> bytes:
    """Function O: the commitment, 144 octets, to a ring of Bandersnatch keys (equation 6.13).

    Most epochs keep their validators, so that this is remembered. The prior root is not taken over
    instead: nothing in a state that came from elsewhere vouches for it.
    """
    return ring.commitment(keys)


def without_offenders(
    validators: tuple[ValidatorKeys, ...], offenders: Set[bytes]
) -> tuple[ValidatorKeys, ...]:
    """Function Phi: the validators, with null keys in place of offenders (equation 6.14)."""
    if offenders.isdisjoint([keys.ed25519 for keys in validators]):
        return validators
    return tuple([NULL_KEYS if keys.ed25519 in offenders else keys for keys in validators])


def outside_in(items: Sequence[T]) -> tuple[T, ...]:
    """Function Z: the first, the last, the second, the last but one, and so on (section 6.5)."""
    middle = (len(items) + 1) // 2
    ordered = list(items)
    ordered[0::2] = items[:middle]
    ordered[1::2] = items[: middle - 1 : -1]
    return tuple(ordered)


def fallback_keys(
    params: ChainParams, entropy: bytes, validators: Sequence[ValidatorKeys]
) -> tuple[bytes, ...]:
    """Function F: a Bandersnatch key for each slot of an epoch, drawn by ``entropy`` (section 6.5)."""
    count = len(validators)
    return tuple(
        [
            validators[
                int.from_bytes(blake2b(entropy + slot.to_bytes(4, "little"))[:4], "little") % count
            ].bandersnatch
            for slot in range(params.epoch_length)
        ]
    )


def epoch_mark(entropy: Sequence[bytes], pending: Sequence[ValidatorKeys]) -> EpochMark:
    """The epoch marker of an epoch's first block (section 6.6).

    Args:
        entropy: the *prior* entropy values.
        pending: the posterior pending set.
    """
    validators = tuple([EpochMarkValidator(keys.bandersnatch, keys.ed25519) for keys in pending])
    return EpochMark(entropy[0], entropy[1], validators)


def accumulate_tickets(
    params: ChainParams,
    prior_tickets: Sequence[Ticket],
    rotated: Rotated,
    extrinsic: Sequence[TicketEnvelope],
    checks: SignatureChecks,
) -> tuple[Ticket, ...]:
    """The posterior ticket accumulator (section 6.7); proofs are demanded from ``checks``.

    Args:
        prior_tickets: the prior accumulator, against which tickets are new also when an epoch starts.

    Raises:
        SafroleError: ``unexpected_ticket`` (the contest is over), ``too_many_tickets``,
            ``bad_ticket_attempt``, ``bad_ticket_order``, ``duplicate_ticket``, ``useless_ticket``
            (one that is not among the best of the posterior accumulator), ``bad_ticket_proof``.
    """
    if not extrinsic:
        return rotated.tickets
    if rotated.slot % params.epoch_length >= params.ticket_submission_end:
        raise SafroleError("unexpected_ticket", slot=rotated.slot, count=len(extrinsic))
    if len(extrinsic) > params.max_block_tickets:
        raise SafroleError("too_many_tickets", count=len(extrinsic), limit=params.max_block_tickets)
    for index, envelope in enumerate(extrinsic):
        if envelope.attempt >= params.tickets_per_validator:
            raise SafroleError("bad_ticket_attempt", index=index, attempt=envelope.attempt)
    submitted = [_ticket(index, envelope) for index, envelope in enumerate(extrinsic)]
    _check_order(submitted)
    known = {ticket.id for ticket in prior_tickets}
    for index, ticket in enumerate(submitted):
        if ticket.id in known:
            raise SafroleError("duplicate_ticket", index=index, id=ticket.id)
    merged = tuple(sorted((*rotated.tickets, *submitted))[: params.epoch_length])
    # Submitted tickets ascend, so the last one tells whether all of them are in.
    if submitted[-1].id > merged[-1].id:
        raise SafroleError("useless_ticket", id=submitted[-1].id, worst=merged[-1].id)
    demand_proofs(params, rotated, extrinsic, checks)
    return merged


def demand_proofs(
    params: ChainParams,
    rotated: Rotated,
    extrinsic: Sequence[TicketEnvelope],
    checks: SignatureChecks,
) -> None:
    """Demand that some member of the pending set made each ticket (equation 6.29)."""
    context = TICKET_CONTEXT + rotated.entropy[2]
    for index, (attempt, proof) in enumerate(extrinsic):
        checks.ring(
            rotated.ring_root,
            params.validator_count,
            context + bytes((attempt,)),
            proof,
            SafroleError("bad_ticket_proof", index=index),
        )


def _ticket(index: int, envelope: TicketEnvelope) -> Ticket:
    try:
        return Ticket(bandersnatch.output(envelope.proof), envelope.attempt)
    except BadSignature:
        raise SafroleError("bad_ticket_proof", index=index) from None


def _check_order(submitted: Sequence[Ticket]) -> None:
    """Tickets come in strictly ascending order of their identifiers (section 6.7)."""
    for index in range(1, len(submitted)):
        before, ticket = submitted[index - 1], submitted[index]
        if ticket.id < before.id:
            raise SafroleError("bad_ticket_order", index=index, id=ticket.id)
        if ticket.id == before.id:
            raise SafroleError("duplicate_ticket", index=index, id=ticket.id)
