"""Genesis states of our own."""

from __future__ import annotations

import pytest

from jamliquor.author.genesis import GenesisService, genesis
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.state.accounts import Accounts, threshold
from jamliquor.state.state import COMPONENT_TYPES
from jamliquor.types.state import Privileges
from tests.support.maker import SERVICE, own_genesis, validator_keys


def test_the_header_of_the_tiny_chain_has_its_published_hash() -> None:
    """What the community documents for six development accounts and no entropy."""
    first = genesis(TINY, validator_keys())
    assert first.hash.hex() == "2531a16fa6717458a12d8252381223aad7cd9f9a75e07adb3a413b8320da62bf"


def test_all_components_are_there() -> None:
    state = genesis(TINY, validator_keys()).state
    assert len(list(state.items())) == len(COMPONENT_TYPES) == 16
    for index, kind in COMPONENT_TYPES.items():
        encoded = state.get(keys.component(index))
        assert encoded is not None
        assert codec(kind, TINY).encode(state.component(index)) == encoded


def test_the_header_agrees_with_the_state() -> None:
    first = own_genesis()
    entropy = first.state.component(keys.ENTROPY)
    mark = first.header.epoch_mark
    assert mark is not None
    assert (mark.entropy, mark.tickets_entropy) == entropy[1:3]
    pending = first.state.component(keys.SAFROLE).pending
    assert [each.ed25519 for each in mark.validators] == [each.ed25519 for each in pending]
    assert first.state.component(keys.RECENT_HISTORY).blocks[0].header_hash == first.hash


def test_a_service_holds_what_its_record_counts() -> None:
    service = GenesisService(
        SERVICE, b"\0code", 10**6, 5, 7, (b"one", b"second"), ((b"key", b"value"),)
    )
    state = genesis(TINY, validator_keys(), [service]).state
    record = state.account(SERVICE)
    assert record is not None
    assert record.code_hash == blake2b(b"\0code")
    assert (record.min_item_gas, record.min_memo_gas) == (5, 7)
    # Two for each preimage, one for each item of storage (equation 9.8).
    assert record.items == 2 * 3 + 1
    assert record.octets == (81 + 5) + (81 + 3) + (81 + 6) + (34 + 3 + 5)
    assert threshold(TINY, record) == 100 + 10 * record.items + record.octets
    assert state.get(keys.storage(SERVICE, b"key")) == b"value"
    accounts = Accounts(TINY, state.get)
    assert accounts.historical_lookup(SERVICE, 0, blake2b(b"second")) == b"second"
    assert accounts.code_blob(SERVICE) == b"\0code"


def test_what_can_be_chosen() -> None:
    privileges = Privileges(1, (2, 3), 4, 5, {6: 7})
    entropy = tuple(bytes([index]) * 32 for index in range(4))
    state = genesis(
        TINY,
        validator_keys(),
        slot=5,
        entropy=entropy,
        authorizer=b"a" * 32,
        privileges=privileges,
    ).state
    assert state.component(keys.TIME) == 5
    assert state.component(keys.ENTROPY) == entropy
    assert state.component(keys.PRIVILEGES) == privileges
    assert state.component(keys.AUTHORIZATION_POOLS) == ((b"a" * 32,) * 8,) * 2
    assert state.component(keys.AUTHORIZATION_QUEUES) == ((b"a" * 32,) * 80,) * 2


def test_the_number_of_validators_is_the_chains() -> None:
    with pytest.raises(ValueError, match="5 validators where 6 belong"):
        genesis(TINY, validator_keys(0, 5))


def test_a_service_cannot_be_there_twice() -> None:
    service = GenesisService(1, b"", 1)
    with pytest.raises(ValueError, match="twice"):
        genesis(TINY, validator_keys(), [service, service])
