"""The components of the state as values, encoded as appendix D.1 has them.

Service accounts are the exception: a record of each is here, while storage, preimages and requests
live in the state under opaque keys and are never decoded as dictionaries.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from jamliquor.codec.schema import U8, U32, U64, Case, Choice, FixedBytes, Hash, Length, Natural
from jamliquor.types.header import Ticket
from jamliquor.types.work import WorkReport


class ValidatorKeys(NamedTuple):
    """A validator's keys and metadata, 336 octets (equation 6.8)."""

    bandersnatch: Hash
    ed25519: Hash
    bls: Annotated[bytes, FixedBytes(144)]
    metadata: Annotated[bytes, FixedBytes(128)]


ValidatorSet = Annotated[tuple[ValidatorKeys, ...], Length("validator_count")]

AuthorizationPools = Annotated[tuple[tuple[Hash, ...], ...], Length("core_count")]
"""C(1): the authorizers that may be used now, by core, oldest first."""

AuthorizationQueue = Annotated[tuple[Hash, ...], Length("authorization_queue_size")]

AuthorizationQueues = Annotated[tuple[AuthorizationQueue, ...], Length("core_count")]
"""C(2): the authorizers that will enter the pools, by core."""


class RecentBlock(NamedTuple):
    """What the state remembers of a recent block (equation 7.2)."""

    header_hash: Hash
    accumulation_root: Hash
    state_root: Hash
    reported: dict[Hash, Hash]


class RecentHistory(NamedTuple):
    """C(3): the last blocks, oldest first, and the accumulation-output belt (a mountain range)."""

    blocks: tuple[RecentBlock, ...]
    belt: tuple[Hash | None, ...]


class TicketKeys(NamedTuple):
    """The slots of an epoch are sealed with tickets, one a slot."""

    tickets: Annotated[tuple[Ticket, ...], Length("epoch_length")]


class FallbackKeys(NamedTuple):
    """The slots of an epoch are sealed with named Bandersnatch keys, one a slot."""

    keys: Annotated[tuple[Hash, ...], Length("epoch_length")]


SealingKeys = Annotated[
    TicketKeys | FallbackKeys,
    Choice(
        Case(0, schema=TicketKeys, kind=TicketKeys),
        Case(1, schema=FallbackKeys, kind=FallbackKeys),
    ),
]

RingRoot = Annotated[bytes, FixedBytes(144)]
"""A Bandersnatch ring commitment, 144 octets."""


class SafroleState(NamedTuple):
    """C(4): pending validators, their ring root, this epoch's sealing keys, the ticket contest."""

    pending: ValidatorSet
    ring_root: RingRoot
    sealing_keys: SealingKeys
    accumulator: tuple[Ticket, ...]


class DisputeRecords(NamedTuple):
    """C(5): report hashes by verdict, and the Ed25519 keys of offenders."""

    good: frozenset[Hash]
    bad: frozenset[Hash]
    wonky: frozenset[Hash]
    offenders: frozenset[Hash]


Entropy = Annotated[tuple[Hash, ...], Length(4)]
"""C(6): the accumulator and its values at the ends of the last three epochs."""


class PendingReport(NamedTuple):
    """A report on its way to availability, and the slot it was reported in (equation 11.1)."""

    report: WorkReport
    slot: U32


PendingReports = Annotated[tuple[PendingReport | None, ...], Length("core_count")]
"""C(10): one place a core."""

Slot = U32
"""C(11): slot of the most recent block."""


class Privileges(NamedTuple):
    """C(12): the services with privileges, and those accumulated in every block with their gas."""

    manager: U32
    assigners: Annotated[tuple[U32, ...], Length("core_count")]
    delegator: U32
    registrar: U32
    always_accumulate: dict[U32, U64]


class ValidatorRecord(NamedTuple):
    """A validator's activity in one epoch (equation 13.1); sizes in octets."""

    blocks: U32
    tickets: U32
    preimages: U32
    preimages_size: U32
    guarantees: U32
    assurances: U32


class CoreRecord(NamedTuple):
    """A core's activity in one block (equation 13.6); sizes in octets."""

    availability_load: Natural
    popularity: Natural
    imports: Natural
    extrinsic_count: Natural
    extrinsic_size: Natural
    exports: Natural
    bundle_size: Natural
    gas_used: Natural


class ServiceRecord(NamedTuple):
    """A service's activity in one block (equation 13.7); sizes in octets."""

    provided_count: Natural
    provided_size: Natural
    refinement_count: Natural
    refinement_gas: Natural
    imports: Natural
    extrinsic_count: Natural
    extrinsic_size: Natural
    exports: Natural
    accumulate_count: Natural
    accumulate_gas: Natural


ValidatorRecords = Annotated[tuple[ValidatorRecord, ...], Length("validator_count")]
CoreRecords = Annotated[tuple[CoreRecord, ...], Length("core_count")]


class Statistics(NamedTuple):
    """C(13): validators in this epoch and the last, cores and services in the last block."""

    current: ValidatorRecords
    previous: ValidatorRecords
    cores: CoreRecords
    services: dict[U32, ServiceRecord]


class ReadyReport(NamedTuple):
    """An available report and the packages it still waits for (equation 12.3)."""

    report: WorkReport
    dependencies: frozenset[Hash]


ReadyQueue = Annotated[tuple[tuple[ReadyReport, ...], ...], Length("epoch_length")]
"""C(14): reports waiting for others, by slot phase."""

AccumulationHistory = Annotated[tuple[frozenset[Hash], ...], Length("epoch_length")]
"""C(15): packages accumulated in each of the last epoch's blocks, oldest first."""


class AccumulationOutput(NamedTuple):
    """A service's yielded hash."""

    service: U32
    hash: Hash


AccumulationOutputs = tuple[AccumulationOutput, ...]
"""C(16): what the last accumulation yielded."""


class ServiceAccount(NamedTuple):
    """C(255, s): the record of a service (equation 9.3). Balances in units, sizes in octets."""

    version: U8
    code_hash: Hash
    balance: U64
    min_item_gas: U64
    min_memo_gas: U64
    octets: U64
    deposit_offset: U64
    items: U32
    created: U32
    last_accumulated: U32
    parent: U32


RequestTimes = tuple[U32, ...]
"""C(s, length and hash): when a requested preimage became available, unavailable, available again."""
