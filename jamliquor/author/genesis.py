"""The first state of a chain and the header that stands for it.

The paper leaves both to the chain specification; shape and header follow the community's convention
(no parent, no author, the validators in the epoch marker).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.state.accounts import REQUEST_OCTETS, STORAGE_OCTETS
from jamliquor.state.state import COMPONENT_TYPES, State
from jamliquor.stf.header import encode as encode_header
from jamliquor.stf.safrole import fallback_keys, ring_root
from jamliquor.types.header import EpochMark, EpochMarkValidator, Header
from jamliquor.types.state import (
    CoreRecord,
    DisputeRecords,
    FallbackKeys,
    Privileges,
    RecentBlock,
    RecentHistory,
    RequestTimes,
    SafroleState,
    ServiceAccount,
    Statistics,
    ValidatorKeys,
    ValidatorRecord,
)

__all__ = ["Genesis", "GenesisService", "genesis"]

_NULL_HASH: Final = bytes(32)
_NO_ENTROPY: Final = (_NULL_HASH,) * 4

_NOBODY: Final = 0xFFFF
"""Author index of a header that no validator signed."""


class GenesisService(NamedTuple):
    """A service that exists from the start.

    Attributes:
        code: what its code hash names: metadata behind its length, then the program (equation 9.4).
        balance: in units; below the threshold it can do little.
        preimages: held beside the code, available since slot 0.
        storage: value by key.
    """

    id: int
    code: bytes
    balance: int
    min_item_gas: int = 0
    min_memo_gas: int = 0
    preimages: tuple[bytes, ...] = ()
    storage: tuple[tuple[bytes, bytes], ...] = ()


class Genesis(NamedTuple):
    """What a chain begins with: the header, its hash, and the state it stands for."""

    header: Header
    hash: bytes
    state: State


def genesis(
    params: ChainParams,
    validators: Sequence[ValidatorKeys],
    services: Iterable[GenesisService] = (),
    *,
    slot: int = 0,
    entropy: tuple[bytes, ...] = _NO_ENTROPY,
    authorizer: bytes = _NULL_HASH,
    privileges: Privileges | None = None,
) -> Genesis:
    """The genesis of a chain: all sixteen components of appendix D.1 and the services.

    Args:
        validators: as many as ``params`` says; all four sets consist of them.
        services: with distinct identifiers.
        slot: of the genesis header, and the state's time.
        entropy: four hashes, 32 octets each.
        authorizer: the hash that fills all authorization pools and queues.
        privileges: C(12); None leaves all of them to service 0, whether or not it exists.

    Raises:
        ValueError: a wrong number of validators, or a service that occurs twice.
    """
    if len(validators) != params.validator_count:
        raise ValueError(f"{len(validators)} validators where {params.validator_count} belong")
    chosen = tuple(validators)
    marked = tuple([EpochMarkValidator(each.bandersnatch, each.ed25519) for each in chosen])
    header = Header(
        parent=_NULL_HASH,
        parent_state_root=_NULL_HASH,
        extrinsic_hash=_NULL_HASH,
        slot=slot,
        epoch_mark=EpochMark(entropy[1], entropy[2], marked),
        tickets_mark=None,
        author_index=_NOBODY,
        entropy_source=bytes(96),
        offenders_mark=(),
        seal=bytes(96),
    )
    header_hash = encode_header(params, header).hash
    components = _components(params, chosen, header_hash, entropy, authorizer)
    components[keys.TIME] = slot
    if privileges is not None:
        components[keys.PRIVILEGES] = privileges
    entries = [
        (keys.component(index), codec(COMPONENT_TYPES[index], params).encode(value))
        for index, value in components.items()
    ]
    for service in services:
        entries += _service_entries(params, service)
    return Genesis(header, header_hash, State.from_entries(params, entries))


def _components(
    params: ChainParams,
    validators: tuple[ValidatorKeys, ...],
    header_hash: bytes,
    entropy: tuple[bytes, ...],
    authorizer: bytes,
) -> dict[int, Any]:
    """The components by index, except the time."""
    cores = params.core_count
    idle = (ValidatorRecord(0, 0, 0, 0, 0, 0),) * params.validator_count
    sealing_keys = FallbackKeys(fallback_keys(params, entropy[2], validators))
    ring = ring_root(tuple([each.bandersnatch for each in validators]))
    return {
        keys.AUTHORIZATION_POOLS: ((authorizer,) * params.authorization_pool_size,) * cores,
        keys.AUTHORIZATION_QUEUES: ((authorizer,) * params.authorization_queue_size,) * cores,
        keys.RECENT_HISTORY: RecentHistory((RecentBlock(header_hash, _NULL_HASH, _NULL_HASH, {}),), ()),
        keys.SAFROLE: SafroleState(validators, ring, sealing_keys, ()),
        keys.DISPUTES: DisputeRecords(frozenset(), frozenset(), frozenset(), frozenset()),
        keys.ENTROPY: entropy,
        keys.STAGING_VALIDATORS: validators,
        keys.ACTIVE_VALIDATORS: validators,
        keys.PREVIOUS_VALIDATORS: validators,
        keys.PENDING_REPORTS: (None,) * cores,
        keys.PRIVILEGES: Privileges(0, (0,) * cores, 0, 0, {}),
        keys.STATISTICS: Statistics(idle, idle, (CoreRecord(0, 0, 0, 0, 0, 0, 0, 0),) * cores, {}),
        keys.ACCUMULATION_QUEUE: ((),) * params.epoch_length,
        keys.ACCUMULATION_HISTORY: (frozenset(),) * params.epoch_length,
        keys.ACCUMULATION_OUTPUTS: (),
    }


def _service_entries(params: ChainParams, service: GenesisService) -> list[tuple[bytes, bytes]]:
    """The entries of a service: its record, storage, preimages and their requests."""
    preimages = (service.code, *service.preimages)
    octets = sum(REQUEST_OCTETS + len(data) for data in preimages)
    octets += sum(STORAGE_OCTETS + len(key) + len(value) for key, value in service.storage)
    record = ServiceAccount(
        version=0,
        code_hash=blake2b(service.code),
        balance=service.balance,
        min_item_gas=service.min_item_gas,
        min_memo_gas=service.min_memo_gas,
        octets=octets,
        deposit_offset=0,
        items=2 * len(preimages) + len(service.storage),
        created=0,
        last_accumulated=0,
        parent=0,
    )
    since_ever = codec(RequestTimes, params).encode((0,))
    entries = [(keys.service(service.id), codec(ServiceAccount, params).encode(record))]
    for data in preimages:
        digest = blake2b(data)
        entries.append((keys.preimage(service.id, digest), data))
        entries.append((keys.request(service.id, len(data), digest), since_ever))
    entries += [(keys.storage(service.id, key), value) for key, value in service.storage]
    return entries
