"""What is wrong with a chain specification: each thing alone, named with its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jamliquor.author.genesis import GenesisService, genesis
from jamliquor.chain.genesis import open_genesis, problems, services
from jamliquor.chain_spec import ChainSpec
from jamliquor.codec import codec
from jamliquor.conformance.traces import read_genesis
from jamliquor.crypto import BadKey, bandersnatch, ed25519
from jamliquor.params import TINY, ChainParams
from jamliquor.state import keys
from jamliquor.state.state import COMPONENT_TYPES, State
from jamliquor.types.header import Header
from jamliquor.types.state import FallbackKeys
from tests.support.maker import validator_keys
from tests.support.vectors import vectors

_SERVICE = GenesisService(7, b"\0code", 10**6, storage=((b"key", b"value"),))
_NO_POINT = b"\xff" * 32


def _spec(params: ChainParams = TINY) -> ChainSpec:
    made = genesis(params, validator_keys(), [_SERVICE])
    return ChainSpec(params, codec(Header, params).encode(made.header), dict(made.state.items()))


def _with(spec: ChainSpec, index: int, change: Callable[[Any], Any]) -> ChainSpec:
    """The specification with another value of a component."""
    value = change(open_genesis(spec).state.component(index))
    encoded = codec(COMPONENT_TYPES[index], spec.params).encode(value)
    return spec._replace(genesis_state=spec.genesis_state | {keys.component(index): encoded})


def _header(spec: ChainSpec, **changes: Any) -> ChainSpec:
    """The specification with another header, which the recent history names."""
    header = codec(Header, spec.params).encode(open_genesis(spec).header._replace(**changes))
    spec = spec._replace(genesis_header=header)
    name = open_genesis(spec).hash
    return _with(
        spec,
        keys.RECENT_HISTORY,
        lambda old: old._replace(blocks=(old.blocks[-1]._replace(header_hash=name),)),
    )


def _found(spec: ChainSpec) -> list[str]:
    return [str(problem) for problem in problems(spec)]


def test_a_sound_one() -> None:
    assert _found(_spec()) == []
    assert list(services(open_genesis(_spec()).state)) == [7]


@pytest.mark.parametrize("path", vectors("traces/*/genesis.bin"))
def test_the_public_chains_are_sound(path: Path) -> None:
    stored = read_genesis(path, TINY)
    header = codec(Header, TINY).encode(stored.header)
    spec = ChainSpec(TINY, header, dict(stored.state.entries()))
    assert _found(spec) == []
    assert open_genesis(spec).state.root == stored.state.root


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("ticket_submission_end", 12, "before the epoch does"),
        ("tickets_per_validator", 2, "5 validators cannot fill 12 slots"),
        ("tickets_per_validator", 256, "one octet"),
        ("max_block_tickets", 0, "no ticket"),
        ("erasure_piece_size", 27, "words of two octets"),
        ("erasure_piece_size", 8, "could not recover"),
    ],
)
def test_parameters(field: str, value: int, reason: str) -> None:
    params = replace(TINY, **{field: value})  # type: ignore[arg-type]
    (problem,) = _found(_spec(params))
    assert problem.startswith(f"protocol_parameters.{field}: ")
    assert reason in problem


def test_a_header_that_does_not_decode() -> None:
    (problem,) = _found(_spec()._replace(genesis_header=bytes(100)))
    assert problem.startswith("genesis_header.")
    whole = _spec()
    (problem,) = _found(whole._replace(genesis_header=whole.genesis_header + b"\0"))
    assert problem.startswith("genesis_header: ")


@pytest.mark.parametrize("index", COMPONENT_TYPES)
def test_components_that_are_missing_or_do_not_decode(index: int) -> None:
    spec = _spec()
    name = keys.describe(keys.component(index))
    state = dict(spec.genesis_state)
    encoded = state.pop(keys.component(index))
    (problem,) = _found(spec._replace(genesis_state=state))
    assert problem == f"genesis_state, {name}: the state has no such entry (octet 0 of it)"
    state[keys.component(index)] = encoded + b"\0"
    (problem,) = _found(spec._replace(genesis_state=state))
    assert problem.startswith(f"genesis_state, {name}")


def test_a_header_of_another_slot() -> None:
    assert _found(_header(_spec(), slot=5)) == ["genesis_header.slot: 5, but the state's time is 0"]


def test_a_header_that_the_history_does_not_know() -> None:
    header = codec(Header, TINY).encode(open_genesis(_spec()).header._replace(author_index=1))
    (problem,) = _found(_spec()._replace(genesis_header=header))
    assert problem.startswith("genesis_state, recent history (C3): its last block is 0x")


def test_an_epoch_marker_of_others() -> None:
    mark = open_genesis(_spec()).header.epoch_mark
    assert mark is not None
    marked = (*mark.validators[:3], mark.validators[4], mark.validators[3], mark.validators[5])
    (problem,) = _found(_header(_spec(), epoch_mark=mark._replace(validators=marked)))
    assert problem.startswith("genesis_header.epoch_mark.validators[3]: ")
    assert _found(_header(_spec(), epoch_mark=None)) == []


@pytest.mark.parametrize("index", [keys.STAGING_VALIDATORS, keys.PREVIOUS_VALIDATORS])
@pytest.mark.parametrize(
    ("kind", "key"),
    [("bandersnatch", _NO_POINT), ("bandersnatch", bytes(32)), ("ed25519", bytes(32))],
)
def test_validators_without_a_usable_key(index: int, kind: str, key: bytes) -> None:
    spec = _with(_spec(), index, lambda old: (*old[:2], old[2]._replace(**{kind: key}), *old[3:]))
    name = keys.describe(keys.component(index))
    assert _found(spec) == [f"genesis_state, {name}[2].{kind}: not a public key"]


def test_a_ring_of_others() -> None:
    spec = _with(_spec(), keys.SAFROLE, lambda old: old._replace(ring_root=bytes(144)))
    reason = "not the commitment to the pending validators"
    assert _found(spec) == [f"genesis_state, safrole (C4).ring_root: {reason}"]


def test_sealing_keys_of_others() -> None:
    def change(old: Any) -> Any:
        chosen = old.sealing_keys.keys
        return old._replace(sealing_keys=FallbackKeys((*chosen[:4], bytes(32), *chosen[5:])))

    (problem,) = _found(_with(_spec(), keys.SAFROLE, change))
    assert problem.startswith("genesis_state, safrole (C4).sealing_keys.keys[4]: ")


def test_services() -> None:
    spec = _spec()
    state = spec.genesis_state
    record = keys.service(7)
    (problem,) = _found(spec._replace(genesis_state=state | {record: state[record][:-1]}))
    assert problem.startswith("genesis_state, service 7.")
    without = {key: value for key, value in state.items() if key != record}
    (problem,) = _found(spec._replace(genesis_state=without))
    assert problem.endswith("belongs to service 7, which is not there")
    account = State.from_entries(TINY, state.items()).account(7)
    assert account is not None
    code = keys.preimage(7, account.code_hash)
    (problem,) = _found(spec._replace(genesis_state=state | {code: b"other"}))
    assert problem == "genesis_state, service 7, code: its hash is not the one in the record"


def test_keys_are_told_from_other_octets() -> None:
    validator = validator_keys()[0]
    ed25519.check_key(validator.ed25519)
    bandersnatch.check_key(validator.bandersnatch)
    # No point of the curve has y = 2.
    for key in ((2).to_bytes(32, "little"), validator.ed25519[:-1]):
        with pytest.raises(BadKey):
            ed25519.check_key(key)
    for key in (_NO_POINT, bytes(32), validator.bandersnatch + b"\0"):
        with pytest.raises(BadKey):
            bandersnatch.check_key(key)
