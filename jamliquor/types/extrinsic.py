"""The extrinsic: what a block carries beside its header (section 4.3)."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from jamliquor.codec.schema import U16, U32, Bits, FixedBytes, Hash, Length, Natural
from jamliquor.types.work import WorkReport

Signature = Annotated[bytes, FixedBytes(64)]
"""An Ed25519 signature, 64 octets."""


class TicketEnvelope(NamedTuple):
    """A ticket's entry index and the ring proof, 784 octets, that yields its identifier."""

    attempt: Natural
    proof: Annotated[bytes, FixedBytes(784)]


class Preimage(NamedTuple):
    """Data that a service has requested (section 12.4)."""

    service: U32
    data: bytes


class Credential(NamedTuple):
    """A guarantor's signature under a report: validator index and Ed25519 signature."""

    validator: U16
    signature: Signature


class Guarantee(NamedTuple):
    """A work report, the slot it was guaranteed in, and its guarantors (section 11.4)."""

    report: WorkReport
    slot: U32
    credentials: tuple[Credential, ...]


class Assurance(NamedTuple):
    """A validator's word on which cores' reports it holds its share of (section 11.2.1)."""

    anchor: Hash
    availabilities: Annotated[bytes, Bits("core_count")]
    validator: U16
    signature: Signature


class Judgment(NamedTuple):
    """One validator's vote on a report."""

    valid: bool
    validator: U16
    signature: Signature


class Verdict(NamedTuple):
    """Two thirds plus one of the validators on one report (section 10.2)."""

    report_hash: Hash
    epoch: U32
    judgments: Annotated[tuple[Judgment, ...], Length("super_majority")]


class Culprit(NamedTuple):
    """Proof that a validator guaranteed a report judged bad."""

    report_hash: Hash
    key: Hash
    signature: Signature


class Fault(NamedTuple):
    """Proof that a validator judged against a verdict."""

    report_hash: Hash
    valid: bool
    key: Hash
    signature: Signature


class Disputes(NamedTuple):
    """Verdicts, culprits and faults (section 10.2)."""

    verdicts: tuple[Verdict, ...]
    culprits: tuple[Culprit, ...]
    faults: tuple[Fault, ...]


Tickets = tuple[TicketEnvelope, ...]
Preimages = tuple[Preimage, ...]
Guarantees = tuple[Guarantee, ...]
Assurances = tuple[Assurance, ...]


class Extrinsic(NamedTuple):
    """The five parts in the order of their encoding (equation 4.3)."""

    tickets: Tickets
    preimages: Preimages
    guarantees: Guarantees
    assurances: Assurances
    disputes: Disputes
