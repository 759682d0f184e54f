"""Section 6 where the public vectors are silent: edges of epochs and contests, useless tickets."""

from __future__ import annotations

import hashlib
from collections.abc import Set

import pytest

from jamliquor.crypto import bandersnatch, ring
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import SafroleError
from jamliquor.params import FULL, TINY
from jamliquor.stf import safrole
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import TicketEnvelope
from jamliquor.types.header import Ticket
from jamliquor.types.state import FallbackKeys, SafroleState, TicketKeys
from tests.support.validators import validator, validator_keys

E, Y = TINY.epoch_length, TINY.ticket_submission_end
ENTROPY = tuple(bytes((octet,)) * 32 for octet in (1, 2, 3, 4))
OUTPUT = b"\x09" * 32
STAGING, PENDING, ACTIVE, PREVIOUS = (validator_keys(first) for first in (30, 20, 10, 0))
ROOT = bytes(144)
SEALING = FallbackKeys(tuple(validator(10).keys.bandersnatch for _ in range(E)))


def tickets(count: int, first: int = 0, step: int = 1) -> tuple[Ticket, ...]:
    """Tickets with ascending identifiers from ``first << 248``."""
    return tuple(
        Ticket(bytes((first + step * number,)) + bytes(31), number % 3) for number in range(count)
    )


def prior_at(slot: int, accumulator: tuple[Ticket, ...] = ()) -> safrole.SafrolePrior:
    state = SafroleState(PENDING, ROOT, SEALING, accumulator)
    return safrole.SafrolePrior(slot, ENTROPY, state, STAGING, ACTIVE, PREVIOUS)


def rotated(
    prior_slot: int,
    slot: int,
    accumulator: tuple[Ticket, ...] = (),
    offenders: Set[bytes] = frozenset(),
) -> safrole.Rotated:
    return safrole.rotate(TINY, prior_at(prior_slot, accumulator), slot, OUTPUT, offenders)


@pytest.mark.parametrize(("prior", "slot"), [(5, 5), (5, 4), (5, 0)])
def test_a_slot_must_be_later(prior: int, slot: int) -> None:
    with pytest.raises(SafroleError) as caught:
        safrole.check_slot(prior, slot)
    assert caught.value.code == "bad_slot"
    safrole.check_slot(prior, prior + 1)


def test_within_an_epoch_only_the_entropy_accumulates() -> None:
    prior = prior_at(3, tickets(2))
    found = safrole.rotate(TINY, prior, 4, OUTPUT, frozenset())
    assert found.entropy == (blake2b(ENTROPY[0] + OUTPUT), *ENTROPY[1:])
    assert (found.pending, found.active, found.previous) == (PENDING, ACTIVE, PREVIOUS)
    assert found.ring_root is prior.safrole.ring_root
    assert found.sealing_keys is prior.safrole.sealing_keys
    assert found.tickets is prior.safrole.accumulator
    assert found.epoch_mark is None and found.tickets_mark is None


def test_an_epoch_change_rotates_validators_entropy_and_ring() -> None:
    found = rotated(E - 1, E, tickets(2))
    assert found.entropy == (blake2b(ENTROPY[0] + OUTPUT), *ENTROPY[:3])
    assert (found.pending, found.active, found.previous) == (STAGING, PENDING, ACTIVE)
    assert found.ring_root == ring.commitment([keys.bandersnatch for keys in STAGING])
    assert found.tickets == ()
    assert found.epoch_mark is not None
    assert found.epoch_mark[:2] == ENTROPY[:2]
    assert found.epoch_mark.validators == tuple((k.bandersnatch, k.ed25519) for k in STAGING)


def test_null_keys_are_zeroes_of_a_validators_size() -> None:
    assert b"".join(safrole.NULL_KEYS) == bytes(336)
    assert [len(part) for part in safrole.NULL_KEYS] == [32, 32, 144, 128]


def test_offenders_become_null_keys_in_the_pending_set_alone() -> None:
    offenders = {STAGING[1].ed25519, STAGING[4].ed25519, PENDING[0].ed25519}
    found = rotated(0, E, offenders=offenders)
    assert [keys == safrole.NULL_KEYS for keys in found.pending] == [False, True] + [False] * 2 + [
        True,
        False,
    ]
    assert found.active == PENDING
    assert found.epoch_mark is not None
    assert found.epoch_mark.validators[1] == (bytes(32), bytes(32))
    assert found.ring_root == ring.commitment([keys.bandersnatch for keys in found.pending])
    # Offenders matter at the change of an epoch only.
    assert rotated(0, 1, offenders=offenders).pending == PENDING


@pytest.mark.parametrize(
    ("prior_slot", "slot", "count", "sealed_with_tickets"),
    [
        (Y, E, E, True),
        (E - 1, 2 * E - 1, E, True),
        (Y - 1, E, E, False),
        (Y, E, E - 1, False),
        (E - 1, 2 * E, E, False),
        (Y, 7 * E + 3, E, False),
    ],
    ids=[
        "first slot of the tail",
        "next epoch's last slot",
        "no block in the tail",
        "a ticket short",
        "an epoch skipped",
        "epochs skipped",
    ],
)
def test_tickets_seal_the_next_epoch(
    prior_slot: int, slot: int, count: int, sealed_with_tickets: bool
) -> None:
    found = rotated(prior_slot, slot, tickets(count))
    if sealed_with_tickets:
        assert found.sealing_keys == TicketKeys(safrole.outside_in(tickets(count)))
    else:
        # Drawn by the posterior second entropy from the posterior active set.
        expected = safrole.fallback_keys(TINY, ENTROPY[1], PENDING)
        assert found.sealing_keys == FallbackKeys(expected)
    assert found.epoch_mark is not None and found.tickets_mark is None


@pytest.mark.parametrize(
    ("prior_slot", "slot", "count", "marked"),
    [
        (Y - 1, Y, E, True),
        (0, E - 1, E, True),
        (Y - 1, Y, E - 1, False),
        (Y - 2, Y - 1, E, False),
        (Y, Y + 1, E, False),
        (Y - 1, E, E, False),
        (Y - 1, E + Y, E, False),
    ],
)
def test_the_winning_tickets_are_marked_once(
    prior_slot: int, slot: int, count: int, marked: bool
) -> None:
    found = rotated(prior_slot, slot, tickets(count))
    assert found.tickets_mark == (safrole.outside_in(tickets(count)) if marked else None)


@pytest.mark.parametrize(
    ("items", "expected"),
    [("", ""), ("a", "a"), ("ab", "ab"), ("abc", "acb"), ("abcd", "adbc"), ("abcde", "aebdc")],
)
def test_outside_in(items: str, expected: str) -> None:
    assert "".join(safrole.outside_in(items)) == expected


def test_fallback_keys_follow_the_formula() -> None:
    keys = safrole.fallback_keys(FULL, b"\x05" * 32, ACTIVE)
    assert len(keys) == FULL.epoch_length
    for slot in (0, 1, 257, 599):
        seed = b"\x05" * 32 + slot.to_bytes(4, "little")
        draw = hashlib.blake2b(seed, digest_size=32).digest()[:4]
        assert keys[slot] == ACTIVE[int.from_bytes(draw, "little") % 6].bandersnatch


def envelopes(count: int, attempt: int = 0) -> tuple[TicketEnvelope, ...]:
    """Envelopes in the order of their tickets, with proofs that prove nothing."""
    proofs = [bytes((number,)) * 784 for number in range(1, count + 1)]
    return tuple(TicketEnvelope(attempt, proof) for proof in sorted(proofs, key=bandersnatch.output))


def as_tickets(extrinsic: tuple[TicketEnvelope, ...]) -> tuple[Ticket, ...]:
    return tuple(Ticket(bandersnatch.output(item.proof), item.attempt) for item in extrinsic)


ONE, TWO, THREE = envelopes(3)
LOW, HIGH = Ticket(bytes(32), 0), Ticket(b"\xff" * 32, 0)


@pytest.mark.parametrize(
    ("slot", "extrinsic", "accumulator", "code"),
    [
        (Y, (ONE,), (), "unexpected_ticket"),
        (E - 1, (ONE,), (), "unexpected_ticket"),
        (E + Y, (ONE,), (), "unexpected_ticket"),
        (1, envelopes(4), (), "too_many_tickets"),
        (1, (ONE, TWO._replace(attempt=3)), (), "bad_ticket_attempt"),
        (1, (ONE, TWO._replace(attempt=1 << 40)), (), "bad_ticket_attempt"),
        (1, (ONE._replace(proof=b"short"),), (), "bad_ticket_proof"),
        (1, (TWO, ONE), (), "bad_ticket_order"),
        (1, (ONE, THREE, TWO), (), "bad_ticket_order"),
        (1, (ONE, TWO, TWO), (), "duplicate_ticket"),
        (1, (ONE, TWO._replace(proof=ONE.proof, attempt=1)), (), "duplicate_ticket"),
        (1, (ONE, TWO), as_tickets((TWO,)), "duplicate_ticket"),
        (E, (ONE,), as_tickets((ONE,)), "duplicate_ticket"),
        (1, (ONE,), (LOW,) * E, "useless_ticket"),
        (1, (ONE, TWO), (LOW,) * (E - 1), "useless_ticket"),
        (1, (ONE, TWO), (*[LOW] * (E - 1), HIGH), "useless_ticket"),
    ],
)
def test_tickets_refused(
    slot: int,
    extrinsic: tuple[TicketEnvelope, ...],
    accumulator: tuple[Ticket, ...],
    code: str,
) -> None:
    found = rotated(0, slot, accumulator)
    with pytest.raises(SafroleError) as caught:
        safrole.accumulate_tickets(TINY, accumulator, found, extrinsic, SignatureChecks())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("slot", "accumulator", "kept"),
    [
        (1, (), ()),
        (Y - 1, (LOW,), (LOW,)),
        (1, (*[LOW] * (E - 2), HIGH, HIGH), (LOW,) * (E - 2)),
        (E, (LOW,) * E, ()),
    ],
    ids=["empty", "last slot of the contest", "worse ones give way", "a new contest starts empty"],
)
def test_tickets_accepted(slot: int, accumulator: tuple[Ticket, ...], kept: tuple[Ticket, ...]) -> None:
    found = rotated(0, slot, accumulator)
    posterior = safrole.accumulate_tickets(TINY, accumulator, found, (ONE, TWO), SignatureChecks())
    assert posterior == (*kept, *as_tickets((ONE, TWO)))


@pytest.mark.parametrize("slot", [1, Y, E])
def test_without_tickets_the_accumulator_is_what_rotation_left(slot: int) -> None:
    found = rotated(0, slot, tickets(4))
    posterior = safrole.accumulate_tickets(TINY, tickets(4), found, (), SignatureChecks())
    assert posterior is found.tickets


def test_proofs_are_by_a_pending_validator_under_the_second_entropy() -> None:
    found = rotated(E - 1, E)
    ring_keys = [keys.bandersnatch for keys in STAGING]
    context = b"jam_ticket_seal" + ENTROPY[1] + b"\x02"
    proof = validator(33).bandersnatch.prove(ring_keys, 3, context, b"")
    envelope = TicketEnvelope(2, proof)
    for extrinsic, holds in (((envelope,), True), ((envelope._replace(attempt=1),), False)):
        checks = SignatureChecks()
        safrole.accumulate_tickets(TINY, (), found, extrinsic, checks)
        if holds:
            checks.verify()
            continue
        with pytest.raises(SafroleError) as caught:
            checks.verify()
        assert caught.value.code == "bad_ticket_proof"
