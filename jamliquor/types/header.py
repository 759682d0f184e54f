"""The block header and its markers (section 5)."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from jamliquor.codec.schema import U16, U32, FixedBytes, Hash, Length, Natural

VrfSignature = Annotated[bytes, FixedBytes(96)]
"""A Bandersnatch VRF signature, 96 octets (appendix G)."""

SEAL_SIZE = 96
"""Octets of the seal, which the unsigned encoding of a header leaves out."""


class Ticket(NamedTuple):
    """A ticket of the sealing contest: its identifier, which is its score, and its entry index."""

    id: Hash
    attempt: Natural


class EpochMarkValidator(NamedTuple):
    """The keys of one validator that the epoch marker repeats."""

    bandersnatch: Hash
    ed25519: Hash


class EpochMark(NamedTuple):
    """Randomness and validators of the next epoch (section 6.6)."""

    entropy: Hash
    tickets_entropy: Hash
    validators: Annotated[tuple[EpochMarkValidator, ...], Length("validator_count")]


TicketsMark = Annotated[tuple[Ticket, ...], Length("epoch_length")]
"""The tickets that seal the next epoch, in slot order."""


class Header(NamedTuple):
    """A block's header (equation 5.1)."""

    parent: Hash
    parent_state_root: Hash
    extrinsic_hash: Hash
    slot: U32
    epoch_mark: EpochMark | None
    tickets_mark: TicketsMark | None
    author_index: U16
    entropy_source: VrfSignature
    offenders_mark: tuple[Hash, ...]
    seal: VrfSignature
