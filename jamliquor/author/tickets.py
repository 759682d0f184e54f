"""Tickets for the sealing contest (sections 6.5 and 6.7).

What a ticket is worth is known before its proof is made: identifiers cost 0.1 ms, proofs a tenth of a
second. So candidates are weighed first, and only those that would enter the accumulator are proved.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jamliquor.author.keys import Keyring
from jamliquor.author.outlook import Outlook
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.stf.safrole import TICKET_CONTEXT
from jamliquor.types.extrinsic import TicketEnvelope

__all__ = ["Candidate", "Contest", "candidates", "contest", "prove", "worthwhile"]


class Contest(NamedTuple):
    """What the tickets of one epoch are made from.

    Attributes:
        ring: the pending validators' Bandersnatch keys, 32 octets each.
        entropy: the third entropy value, 32 octets.
    """

    ring: tuple[bytes, ...]
    entropy: bytes


class Candidate(NamedTuple):
    """A ticket that one of our keys could submit.

    Attributes:
        id: the ticket's identifier, 32 octets; the lower, the better.
        attempt: its entry index.
        position: of the key in the ring.
    """

    id: bytes
    attempt: int
    position: int


def contest(ahead: Outlook) -> Contest:
    """The contest that the block may submit tickets to."""
    rotated = ahead.rotated
    return Contest(tuple([each.bandersnatch for each in rotated.pending]), rotated.entropy[2])


def candidates(params: ChainParams, running: Contest, keyring: Keyring) -> list[Candidate]:
    """All tickets that our keys have in a contest, best first."""
    found = []
    for position, public in enumerate(running.ring):
        key = keyring.bandersnatch(public)
        if key is not None:
            for attempt in range(params.tickets_per_validator):
                found.append(Candidate(key.output(_context(running, attempt)), attempt, position))
    return sorted(found)


def worthwhile(ahead: Outlook, ours: Iterable[Candidate]) -> list[Candidate]:
    """The candidates that the block may submit and that would enter the accumulator, best first.

    None after the contest's end. All of them together enter; a block takes the first few.
    """
    params = ahead.params
    if ahead.slot % params.epoch_length >= params.ticket_submission_end:
        return []
    # In an epoch's first block, tickets must also be new to the contest that just ended. They are
    # not where both drew on the same entropy, as in the first epochs after a genesis without any.
    before = {ticket.id for ticket in ahead.prior.component(keys.SAFROLE).accumulator}
    running = {ticket.id for ticket in ahead.rotated.tickets}
    fresh = sorted([each for each in ours if each.id not in before and each.id not in running])
    best = sorted([*running, *[candidate.id for candidate in fresh]])[: params.epoch_length]
    return [candidate for candidate in fresh if candidate.id <= best[-1]]


def prove(running: Contest, keyring: Keyring, candidate: Candidate) -> TicketEnvelope:
    """The envelope that submits a candidate (equation 6.29); slow, see the module.

    Proofs of one key after another are faster than the keys in turn: the last prover is kept.

    Raises:
        ValueError: the candidate's secret is not ours.
    """
    key = keyring.bandersnatch(running.ring[candidate.position])
    if key is None:
        raise ValueError(f"no secret for position {candidate.position} of the ring")
    context = _context(running, candidate.attempt)
    proof = key.prove(running.ring, candidate.position, context, b"")
    return TicketEnvelope(candidate.attempt, proof)


def _context(running: Contest, attempt: int) -> bytes:
    return TICKET_CONTEXT + running.entropy + bytes((attempt,))
