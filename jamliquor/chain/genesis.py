"""The genesis that a chain specification holds: opened for the node, checked for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from jamliquor.author.genesis import Genesis
from jamliquor.chain_spec import ChainSpec
from jamliquor.codec import codec
from jamliquor.crypto import BadKey, bandersnatch, ed25519
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.state.state import COMPONENT_TYPES, State
from jamliquor.stf.safrole import ring_root
from jamliquor.types.header import Header
from jamliquor.types.state import FallbackKeys, SafroleState, ValidatorKeys

__all__ = ["Problem", "open_genesis", "problems", "services"]

_NULL_KEY: Final = bytes(32)
_COMPONENTS: Final = frozenset(map(keys.component, COMPONENT_TYPES))
_RECORD: Final = 255


class Problem(NamedTuple):
    """What is wrong, and where in the specification."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


def open_genesis(spec: ChainSpec) -> Genesis:
    """The header and the state of a specification; components decode when they are asked for.

    Raises:
        DecodeError: the header does not decode, or an entry's value is too long for a trie.
    """
    try:
        header = codec(Header, spec.params).decode(spec.genesis_header)
    except DecodeError as error:
        path = ".".join(filter(None, ("genesis_header", error.path)))
        raise DecodeError(error.reason, path=path, offset=error.offset) from None
    state = State.from_entries(spec.params, spec.genesis_state.items())
    return Genesis(header, blake2b(spec.genesis_header), state)


def services(state: State) -> Iterator[int]:
    """The identifiers of all services with a record, ascending.

    The record of a service is told from other entries by the shape of its key (appendix D.1).
    """
    found = []
    for key, _ in state.items():
        if key[0] == _RECORD:
            service = int.from_bytes(key[1:8:2], "little")
            if key == keys.service(service):
                found.append(service)
    yield from sorted(found)


def problems(spec: ChainSpec) -> Iterator[Problem]:
    """Everything that is wrong with a specification whose file could be read.

    The entropies in the epoch marker are not compared with the state's: the genesis of the public
    chains has zeros there.
    """
    yield from _parameter_problems(spec.params)
    try:
        header, header_hash, state = open_genesis(spec)
    except DecodeError as error:
        yield Problem(error.path, f"{error.reason} (octet {error.offset} of the header)")
        return
    undecodable = list(_component_problems(state))
    yield from undecodable
    if not undecodable:
        yield from _header_problems(header, header_hash, state)
        yield from _validator_problems(state)
        yield from _safrole_problems(state)
    yield from _service_problems(state)


def _parameter_problems(params: ChainParams) -> Iterator[Problem]:
    """Constraints on what a chain may choose, beyond what its encoding refuses."""

    def wrong(name: str, reason: str) -> Problem:
        return Problem(f"protocol_parameters.{name}", reason)

    if params.ticket_submission_end >= params.epoch_length:
        yield wrong("ticket_submission_end", "the contest must end before the epoch does")
    if params.super_majority * params.tickets_per_validator < params.epoch_length:
        reason = f"{params.super_majority} validators cannot fill {params.epoch_length} slots"
        yield wrong("tickets_per_validator", reason)
    if params.tickets_per_validator > 255:
        yield wrong("tickets_per_validator", "an attempt's number is one octet")
    if params.max_block_tickets == 0:
        yield wrong("max_block_tickets", "no ticket could ever be submitted")
    if params.erasure_piece_size % 2:
        yield wrong("erasure_piece_size", "pieces are made of words of two octets")
    elif params.erasure_piece_size // 2 > params.one_third + 1:
        reason = f"a third of {params.validator_count} validators could not recover data"
        yield wrong("erasure_piece_size", reason)


def _component_problems(state: State) -> Iterator[Problem]:
    """All components are there and decode."""
    for index in COMPONENT_TYPES:
        try:
            state.component(index)
        except DecodeError as error:
            yield Problem(
                f"genesis_state, {error.path}", f"{error.reason} (octet {error.offset} of it)"
            )


def _header_problems(header: Header, header_hash: bytes, state: State) -> Iterator[Problem]:
    """The header speaks of this state."""
    slot = state.component(keys.TIME)
    if header.slot != slot:
        yield Problem("genesis_header.slot", f"{header.slot}, but the state's time is {slot}")
    if header.epoch_mark is not None:
        pending = state.component(keys.SAFROLE).pending
        for index, (marked, kept) in enumerate(zip(header.epoch_mark.validators, pending, strict=True)):
            if marked != (kept.bandersnatch, kept.ed25519):
                where = f"genesis_header.epoch_mark.validators[{index}]"
                yield Problem(where, "not the keys that the state has as pending")
                break
    blocks = state.component(keys.RECENT_HISTORY).blocks
    if blocks and blocks[-1].header_hash != header_hash:
        where = f"genesis_state, {_name(keys.RECENT_HISTORY)}"
        reason = f"its last block is 0x{blocks[-1].header_hash.hex()}, not the genesis header"
        yield Problem(where, reason)


def _validator_problems(state: State) -> Iterator[Problem]:
    """All validators have usable keys."""
    safrole: SafroleState = state.component(keys.SAFROLE)
    sets = {f"{_name(keys.SAFROLE)}.pending": safrole.pending}
    for index in (keys.STAGING_VALIDATORS, keys.ACTIVE_VALIDATORS, keys.PREVIOUS_VALIDATORS):
        sets[_name(index)] = state.component(index)
    known: dict[ValidatorKeys, str | None] = {}
    for name, validators in sets.items():
        for index, validator in enumerate(validators):
            if validator not in known:
                known[validator] = _unusable(validator)
            kind = known[validator]
            if kind is not None:
                yield Problem(f"genesis_state, {name}[{index}].{kind}", "not a public key")


def _unusable(validator: ValidatorKeys) -> str | None:
    """Which of a validator's keys nobody can sign with, if there is one."""
    try:
        bandersnatch.check_key(validator.bandersnatch)
    except BadKey:
        return "bandersnatch"
    try:
        ed25519.check_key(validator.ed25519)
    except BadKey:
        return "ed25519"
    # Zeros decode to a point, but stand for no key (equation 6.14).
    return "ed25519" if validator.ed25519 == _NULL_KEY else None


def _safrole_problems(state: State) -> Iterator[Problem]:
    """The ring root and the sealing keys belong to the validators."""
    safrole: SafroleState = state.component(keys.SAFROLE)
    where = f"genesis_state, {_name(keys.SAFROLE)}"
    if safrole.ring_root != ring_root(tuple([each.bandersnatch for each in safrole.pending])):
        yield Problem(f"{where}.ring_root", "not the commitment to the pending validators")
    if isinstance(safrole.sealing_keys, FallbackKeys):
        active = {each.bandersnatch for each in state.component(keys.ACTIVE_VALIDATORS)}
        for index, key in enumerate(safrole.sealing_keys.keys):
            if key not in active:
                reason = "not the key of an active validator"
                yield Problem(f"{where}.sealing_keys.keys[{index}]", reason)
                break


def _service_problems(state: State) -> Iterator[Problem]:
    """Records decode, code is what its hash says, and nothing belongs to nobody."""
    records = set(services(state))
    for service in sorted(records):
        where = f"genesis_state, service {service}"
        try:
            record = state.account(service)
        except DecodeError as error:
            yield Problem(f"{where}.{error.path}", f"{error.reason} (octet {error.offset} of it)")
            continue
        if record is None:
            continue
        code = state.get(keys.preimage(service, record.code_hash))
        if code is not None and blake2b(code) != record.code_hash:
            yield Problem(f"{where}, code", "its hash is not the one in the record")
    known = _COMPONENTS | set(map(keys.service, records))
    orphans = set[int]()
    for key, _ in state.items():
        owner = int.from_bytes(key[0:8:2], "little")
        if key not in known and owner not in records | orphans:
            orphans.add(owner)
            reason = f"belongs to service {owner}, which is not there"
            yield Problem(f"genesis_state.{key.hex()}", reason)


def _name(index: int) -> str:
    return keys.describe(keys.component(index))
