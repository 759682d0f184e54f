"""Tickets: which are worth a proof, and the proofs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jamliquor.author import tickets
from jamliquor.author.keys import Keyring
from jamliquor.author.outlook import Outlook, outlook
from jamliquor.crypto import bandersnatch, ring
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.types.header import Ticket
from tests.support.maker import own_genesis, secrets

EVERYBODY = Keyring(secrets())


@pytest.fixture(scope="module")
def prior() -> State:
    return own_genesis().state


def _with(prior: State, *held: tickets.Candidate) -> State:
    accumulator = tuple(sorted(Ticket(each.id, each.attempt) for each in held))
    safrole = prior.component(keys.SAFROLE)._replace(accumulator=accumulator)
    return prior.child({keys.SAFROLE: safrole}, {})


def _ours(ahead: Outlook) -> list[tickets.Candidate]:
    return tickets.candidates(TINY, tickets.contest(ahead), EVERYBODY)


def test_each_key_has_as_many_candidates_as_attempts(prior: State) -> None:
    running = tickets.contest(outlook(prior, 1))
    found = tickets.candidates(TINY, running, EVERYBODY)
    assert len(found) == 6 * 3
    assert found == sorted(found)
    one = tickets.candidates(TINY, running, Keyring([secrets()[4]]))
    assert one == [each for each in found if each.position == 4]
    two = tickets.candidates(replace(TINY, tickets_per_validator=2), running, EVERYBODY)
    assert {each.attempt for each in two} == {0, 1}


def test_a_proof_has_the_candidates_identifier(prior: State) -> None:
    ahead = outlook(prior, 1)
    running = tickets.contest(ahead)
    candidate = _ours(ahead)[0]
    attempt, proof = tickets.prove(running, EVERYBODY, candidate)
    assert attempt == candidate.attempt
    assert bandersnatch.output(proof) == candidate.id
    context = b"jam_ticket_seal" + prior.component(keys.ENTROPY)[2] + bytes([attempt])
    assert ring.verify_batch(ahead.rotated.ring_root, 6, [(context, b"", proof)]) == [candidate.id]


def test_no_proof_without_the_secret(prior: State) -> None:
    ahead = outlook(prior, 1)
    with pytest.raises(ValueError, match="no secret"):
        tickets.prove(tickets.contest(ahead), Keyring([]), _ours(ahead)[0])


def test_only_the_best_are_worth_a_proof(prior: State) -> None:
    ours = _ours(outlook(prior, 1))
    assert tickets.worthwhile(outlook(prior, 1), ours) == ours[:12]


def test_what_was_submitted_is_not_worth_a_proof_again(prior: State) -> None:
    ours = _ours(outlook(prior, 1))
    ahead = outlook(_with(prior, *ours[1:5]), 1)
    assert tickets.worthwhile(ahead, ours) == [ours[0], *ours[5:12]]


def test_a_full_accumulator_is_entered_by_better_ones(prior: State) -> None:
    ours = _ours(outlook(prior, 1))
    ahead = outlook(_with(prior, *ours[3:15]), 1)
    assert tickets.worthwhile(ahead, ours) == ours[:3]
    assert tickets.worthwhile(outlook(_with(prior, *ours[:12]), 1), ours) == []


@pytest.mark.parametrize(("slot", "count"), [(9, 12), (10, 0), (11, 0), (12, 12)])
def test_nothing_is_worth_a_proof_once_the_contest_is_over(prior: State, slot: int, count: int) -> None:
    ahead = outlook(prior, slot)
    assert len(tickets.worthwhile(ahead, _ours(ahead))) == count


def test_tickets_of_the_contest_before_are_not_submitted_twice(prior: State) -> None:
    """Without entropy, the first contests draw the same identifiers."""
    same: State = prior.child({keys.ENTROPY: (bytes(32),) * 4}, {})
    ours = _ours(outlook(same, 1))
    ahead = outlook(_with(same, *ours[:2]), 12)
    assert _ours(ahead) == ours
    assert tickets.worthwhile(ahead, ours)[0] == ours[2]
