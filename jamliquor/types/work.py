"""Work packages, work reports and what they are made of (sections 11.1 and 14)."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, NamedTuple

from jamliquor.codec.schema import U16, U32, U64, Case, Choice, Hash, Natural


class RefinementContext(NamedTuple):
    """The chain as a work package saw it (section 11.1.2)."""

    anchor: Hash
    anchor_state_root: Hash
    anchor_accumulation_root: Hash
    lookup_anchor: Hash
    lookup_anchor_slot: U32
    prerequisites: tuple[Hash, ...]


class AvailabilitySpecification(NamedTuple):
    """What identifies a work package's data in the availability system (section 11.1.3)."""

    package_hash: Hash
    bundle_length: U32
    erasure_root: Hash
    segment_root: Hash
    segment_count: U16


class WorkError(IntEnum):
    """Why a work item has no output; the value is its discriminator (appendix C.2)."""

    OUT_OF_GAS = 1
    PANIC = 2
    BAD_EXPORTS = 3
    OVERSIZE = 4
    BAD = 5
    BIG = 6


WorkResult = Annotated[
    bytes | WorkError,
    Choice(
        Case(0, schema=bytes, kind=bytes),
        *(Case(error.value, constant=error) for error in WorkError),
    ),
]
"""Output of a work item's refinement, or why there is none."""


class WorkDigest(NamedTuple):
    """Outcome of one work item and the load it was (section 11.1.4). Gas in units, sizes in octets."""

    service: U32
    code_hash: Hash
    payload_hash: Hash
    accumulate_gas: U64
    result: WorkResult
    gas_used: Natural
    import_count: Natural
    extrinsic_count: Natural
    extrinsic_size: Natural
    export_count: Natural


class WorkReport(NamedTuple):
    """What the guarantors of a core say came of a work package (section 11.1.1)."""

    specification: AvailabilitySpecification
    context: RefinementContext
    core: Natural
    authorizer_hash: Hash
    auth_gas_used: Natural
    auth_trace: bytes
    segment_root_lookup: tuple[tuple[Hash, Hash], ...]
    digests: tuple[WorkDigest, ...]


class ImportReference(NamedTuple):
    """A segment to import: its tree's root, or (segment + 2^15) the hash of its package."""

    root: Hash
    segment: U16


class ExtrinsicReference(NamedTuple):
    """A blob that comes along with a work package: hash and length in octets."""

    hash: Hash
    length: U32


class WorkItem(NamedTuple):
    """One piece of work for one service (section 14.3)."""

    service: U32
    code_hash: Hash
    refine_gas: U64
    accumulate_gas: U64
    export_count: U16
    payload: bytes
    imports: tuple[ImportReference, ...]
    extrinsics: tuple[ExtrinsicReference, ...]


class WorkPackage(NamedTuple):
    """Work items under one authorization (section 14.3)."""

    auth_code_host: U32
    auth_code_hash: Hash
    context: RefinementContext
    auth_token: bytes
    auth_configuration: bytes
    items: tuple[WorkItem, ...]
