"""Who may seal which slot."""

from __future__ import annotations

import pytest

from jamliquor.author import block as blocks
from jamliquor.author import sealing
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.author.outlook import Outlook, outlook
from jamliquor.crypto import bandersnatch
from jamliquor.crypto.key_derivation import trivial_seed
from jamliquor.errors import SafroleError
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.stf.header import FALLBACK_CONTEXT, encode
from jamliquor.stf.safrole import NULL_KEYS, TICKET_CONTEXT, outside_in
from jamliquor.types.header import Ticket
from jamliquor.types.state import FallbackKeys, TicketKeys
from tests.support.maker import own_genesis, secrets


@pytest.fixture(scope="module")
def prior() -> State:
    return own_genesis().state


def _single(index: int) -> Keyring:
    return Keyring([secrets()[index]])


def _ticketed(prior: State) -> State:
    """The state with the tickets of all six validators, two attempts each, as sealing keys."""
    entropy = prior.component(keys.ENTROPY)[3]
    found = []
    for secret in secrets()[:6]:
        for attempt in (0, 2):
            context = TICKET_CONTEXT + entropy + bytes((attempt,))
            found.append(Ticket(secret.bandersnatch.output(context), attempt))
    safrole = prior.component(keys.SAFROLE)
    won = TicketKeys(outside_in(sorted(found)))
    return prior.child({keys.SAFROLE: safrole._replace(sealing_keys=won)}, {})


@pytest.mark.parametrize("ticketed", [False, True], ids=["fallback", "tickets"])
def test_each_slot_is_one_validators(prior: State, ticketed: bool) -> None:
    state = _ticketed(prior) if ticketed else prior
    for slot in range(1, TINY.epoch_length):
        ahead = outlook(state, slot)
        claims = [sealing.claim(ahead, _single(index)) for index in range(6)]
        (held,) = [claimed for claimed in claims if claimed is not None]
        assert claims[held.author_index] == held
        assert held.slot == slot
        assert (held.ticket is not None) == ticketed
        together = sealing.claim(ahead, Keyring(secrets()[:6]))
        assert together == held


def test_strangers_have_no_claim(prior: State) -> None:
    strangers = Keyring(secrets()[6:])
    for state in (prior, _ticketed(prior)):
        assert sealing.claim(outlook(state, 1), strangers) is None


def test_nobody_seals_an_offenders_slot(prior: State) -> None:
    safrole = prior.component(keys.SAFROLE)
    empty = FallbackKeys((bytes(32),) * TINY.epoch_length)
    active = (NULL_KEYS, *prior.component(keys.ACTIVE_VALIDATORS)[1:])
    state = prior.child(
        {
            keys.SAFROLE: safrole._replace(sealing_keys=empty),
            keys.ACTIVE_VALIDATORS: active,
        },
        {},
    )
    assert sealing.claim(outlook(state, 1), Keyring(secrets())) is None


@pytest.mark.parametrize("ticketed", [False, True], ids=["fallback", "tickets"])
def test_both_signatures_hold(prior: State, ticketed: bool) -> None:
    state = _ticketed(prior) if ticketed else prior
    claimed = sealing.claim(outlook(state, 3), Keyring(secrets()))
    assert claimed is not None
    header = blocks.build(state, bytes(32), blocks.EMPTY_EXTRINSIC, claimed).header
    key = state.component(keys.ACTIVE_VALIDATORS)[header.author_index].bandersnatch
    unsigned = encode(TINY, header).unsigned
    output = bandersnatch.verify(key, claimed.context, unsigned, header.seal)
    bandersnatch.verify(key, b"jam_entropy" + output, b"", header.entropy_source)
    entropy = state.component(keys.ENTROPY)[3]
    if ticketed:
        assert claimed.ticket is not None and claimed.ticket.id == output
    else:
        assert claimed.context == FALLBACK_CONTEXT + entropy


def test_a_claim_across_an_epoch_uses_what_will_be(prior: State) -> None:
    """The next epoch's keys are drawn for the pending set by the entropy that will be third."""
    claimed = sealing.claim(outlook(prior, 12), Keyring(secrets()))
    assert claimed is not None
    assert claimed.context == FALLBACK_CONTEXT + prior.component(keys.ENTROPY)[2]


def test_the_outlook_needs_a_later_slot(prior: State) -> None:
    later: State = prior.child({keys.TIME: 5}, {})
    with pytest.raises(SafroleError) as caught:
        outlook(later, 5)
    assert caught.value.code == "bad_slot"
    assert isinstance(outlook(later, 6), Outlook)


def test_secrets_are_derived_from_a_seed() -> None:
    secret = ValidatorSecret.from_seed(trivial_seed(0))
    assert secret.keys().ed25519.hex().startswith("4418fb8c85bb3985")
    assert secret.keys().bandersnatch.hex().startswith("ff71c6c03ff88adb")
    with pytest.raises(ValueError):
        ValidatorSecret.from_seed(b"short")
