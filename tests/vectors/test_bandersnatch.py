"""VRF signatures, ring roots and tickets of the public chains and Safrole vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest

from jamliquor.codec import codec
from jamliquor.codec.schema import U8, U32, Case, Choice, FixedBytes, Hash
from jamliquor.crypto import BadRingProof, BadSignature, bandersnatch, ring
from jamliquor.params import TINY
from jamliquor.types.header import SEAL_SIZE, EpochMark, Header, Ticket, TicketsMark
from jamliquor.types.state import RingRoot, SafroleState, SealingKeys, TicketKeys, ValidatorSet
from jamliquor.types.trace import TraceStep
from tests.support.stf import load, stf_vectors
from tests.support.vectors import vectors

TICKET_SEAL, FALLBACK_SEAL, ENTROPY = b"jam_ticket_seal", b"jam_fallback_seal", b"jam_entropy"


class Envelope(NamedTuple):
    attempt: U8
    proof: Annotated[bytes, FixedBytes(784)]


class Input(NamedTuple):
    slot: U32
    entropy: Hash
    tickets: tuple[Envelope, ...]


class State(NamedTuple):
    slot: U32
    entropy: Annotated[bytes, FixedBytes(128)]
    previous: ValidatorSet
    current: ValidatorSet
    pending: ValidatorSet
    scheduled: ValidatorSet
    accumulator: tuple[Ticket, ...]
    sealing_keys: SealingKeys
    ring_root: RingRoot
    offenders: tuple[Hash, ...]


class Marks(NamedTuple):
    epoch: EpochMark | None
    tickets: TicketsMark | None


class Error(NamedTuple):
    code: U8


BAD_TICKET_PROOF = Error(3)

Output = Annotated[
    Marks | Error, Choice(Case(0, schema=Marks, kind=Marks), Case(1, schema=Error, kind=Error))
]


class SafroleCase(NamedTuple):
    given: Input
    prior: State
    output: Output
    posterior: State


def claims(entropy: bytes, tickets: Any) -> list[tuple[bytes, bytes, bytes]]:
    """What the proofs of an extrinsic are about, by the posterior second entropy."""
    context = TICKET_SEAL + entropy[64:96]
    return [(context + bytes([t.attempt]), b"", t.proof) for t in tickets]


@pytest.mark.parametrize("path", stf_vectors("safrole"))
def test_ring_roots_and_tickets_of_the_safrole_vectors(path: Path) -> None:
    params, case = load(path, SafroleCase)
    for state in (case.prior, case.posterior):
        root = ring.commitment([keys.bandersnatch for keys in state.pending])
        assert root == state.ring_root
    about = claims(case.posterior.entropy, case.given.tickets)
    if case.output == BAD_TICKET_PROOF:
        with pytest.raises(BadRingProof):
            ring.verify_batch(root, params.validator_count, about)
        return
    outputs = ring.verify_batch(root, params.validator_count, about)
    assert outputs == [bandersnatch.output(proof) for _, _, proof in about]
    accumulated = {ticket.id for ticket in case.posterior.accumulator}
    full = len(case.posterior.accumulator) == params.epoch_length
    assert isinstance(case.output, Error) or full or set(outputs) <= accumulated


@pytest.mark.parametrize("path", vectors("traces/fallback/0*.bin") + vectors("traces/safrole/0*.bin"))
def test_seals_entropy_and_tickets_of_the_chains(path: Path) -> None:
    step = codec(TraceStep, TINY).decode(path.read_bytes())
    state = {entry.key[0]: entry.value for entry in step.posterior.entries if not any(entry.key[1:])}
    safrole = codec(SafroleState, TINY).decode(state[4])
    entropy, validators = state[6], codec(ValidatorSet, TINY).decode(state[8])
    header = step.block.header
    unsigned = codec(Header, TINY).encode(header)[:-SEAL_SIZE]
    author = validators[header.author_index].bandersnatch
    if isinstance(safrole.sealing_keys, TicketKeys):
        ticket = safrole.sealing_keys.tickets[header.slot % TINY.epoch_length]
        context = TICKET_SEAL + entropy[96:] + bytes([ticket.attempt])
        assert bandersnatch.output(header.seal) == ticket.id
    else:
        context = FALLBACK_SEAL + entropy[96:]
        assert safrole.sealing_keys.keys[header.slot % TINY.epoch_length] == author
    randomness = ENTROPY + bandersnatch.output(header.seal)
    signatures = [
        (author, context, unsigned, header.seal),
        (author, randomness, b"", header.entropy_source),
    ]
    assert bandersnatch.verify_many(signatures) == [
        bandersnatch.output(header.seal),
        bandersnatch.output(header.entropy_source),
    ]
    with pytest.raises(BadSignature) as caught:
        bandersnatch.verify_many([signatures[0], (author, randomness, b"\0", header.entropy_source)])
    assert caught.value.index == 1
    root = ring.commitment([keys.bandersnatch for keys in safrole.pending])
    assert root == safrole.ring_root
    about = claims(entropy, step.block.extrinsic.tickets)
    ring.verify_batch(root, TINY.validator_count, about)
