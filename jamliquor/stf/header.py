"""The header: what a block says about itself, and the two signatures of its author.

Sections 5 (the header), 6.4 (sealing and entropy), 6.6 and 10.3 (markers). That a block's slot is in
the past is no rule of this file: a block from the future is held back, not refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from jamliquor.codec import U32, Hash, codec
from jamliquor.crypto import BadSignature, bandersnatch
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import HeaderError
from jamliquor.params import ChainParams
from jamliquor.stf.safrole import TICKET_CONTEXT, Rotated
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import (
    Assurances,
    Credential,
    Disputes,
    Extrinsic,
    Preimages,
    Tickets,
)
from jamliquor.types.header import SEAL_SIZE, Header
from jamliquor.types.state import TicketKeys, ValidatorKeys

ENTROPY_CONTEXT: Final = b"jam_entropy"
"""X_E: context of the entropy signature (section 6.4)."""

FALLBACK_CONTEXT: Final = b"jam_fallback_seal"
"""X_F: context of seals without a ticket (section 6.4)."""

_NULL_KEY: Final = bytes(32)


class _HashedGuarantee(NamedTuple):
    """A guarantee as the extrinsic hash sees it: the report by its hash (equation 5.6)."""

    report_hash: Hash
    slot: U32
    credentials: tuple[Credential, ...]


_HashedGuarantees = tuple[_HashedGuarantee, ...]

ENCODED: Final = (Header, Tickets, Preimages, _HashedGuarantees, Assurances, Disputes)
"""What this chapter encodes."""


class EncodedHeader(NamedTuple):
    """A header's octets: the hash that names the block, and what its seal signs."""

    hash: bytes
    unsigned: bytes


def encode(params: ChainParams, header: Header) -> EncodedHeader:
    """Encode a header once for all that need its octets (section 5)."""
    octets = codec(Header, params).encode(header)
    return EncodedHeader(blake2b(octets), octets[:-SEAL_SIZE])


def extrinsic_hash(params: ChainParams, extrinsic: Extrinsic, hashes: Sequence[bytes]) -> bytes:
    """The commitment to a block's extrinsic, 32 octets (equations 5.4 to 5.6).

    Args:
        hashes: those of the guaranteed reports, in their order
            (:func:`~jamliquor.stf.reports.report_hashes`).
    """
    guarantees = tuple(
        [
            _HashedGuarantee(report_hash, guarantee.slot, guarantee.credentials)
            for report_hash, guarantee in zip(hashes, extrinsic.guarantees, strict=True)
        ]
    )
    parts = (
        codec(Tickets, params).encode(extrinsic.tickets),
        codec(Preimages, params).encode(extrinsic.preimages),
        codec(_HashedGuarantees, params).encode(guarantees),
        codec(Assurances, params).encode(extrinsic.assurances),
        codec(Disputes, params).encode(extrinsic.disputes),
    )
    return blake2b(b"".join(map(blake2b, parts)))


def check_parent_state_root(header: Header, root: bytes) -> None:
    """The header names the root of the state it is judged on (equation 5.8).

    Raises:
        HeaderError: ``bad_parent_state_root``.
    """
    if header.parent_state_root != root:
        raise HeaderError("bad_parent_state_root", root=header.parent_state_root, expected=root)


def check_extrinsic(
    params: ChainParams,
    header: Header,
    extrinsic: Extrinsic,
    hashes: Sequence[bytes],
) -> None:
    """The header commits to the extrinsic that came with it (equation 5.4).

    Raises:
        HeaderError: ``bad_extrinsic_hash``.
    """
    expected = extrinsic_hash(params, extrinsic, hashes)
    if header.extrinsic_hash != expected:
        raise HeaderError("bad_extrinsic_hash", hash=header.extrinsic_hash, expected=expected)


def check_author_index(params: ChainParams, header: Header) -> None:
    """The author is one of the validators (equation 5.9).

    Raises:
        HeaderError: ``bad_author_index``.
    """
    if header.author_index >= params.validator_count:
        raise HeaderError("bad_author_index", author_index=header.author_index)


def check_markers(header: Header, rotated: Rotated, offenders_mark: Sequence[bytes]) -> None:
    """The header carries the markers that the block calls for, and no others (sections 6.6 and 10.3).

    Args:
        offenders_mark: Ed25519 keys of new offenders, culprits first, in the extrinsic's order.

    Raises:
        HeaderError: ``bad_epoch_mark``, ``bad_tickets_mark``, ``bad_offenders_mark``.
    """
    if header.epoch_mark != rotated.epoch_mark:
        raise HeaderError("bad_epoch_mark", "expected" if rotated.epoch_mark else "not expected")
    if header.tickets_mark != rotated.tickets_mark:
        raise HeaderError("bad_tickets_mark", "expected" if rotated.tickets_mark else "not expected")
    if header.offenders_mark != tuple(offenders_mark):
        raise HeaderError("bad_offenders_mark", f"{len(offenders_mark)} keys expected")


def entropy_output(header: Header) -> bytes:
    """Output of the entropy signature, 32 octets; :func:`demand_seal` demands the signature itself.

    Raises:
        HeaderError: ``bad_entropy_source``, when the signature's octets yield no output.
    """
    try:
        return bandersnatch.output(header.entropy_source)
    except BadSignature:
        raise HeaderError("bad_entropy_source") from None


def demand_seal(
    params: ChainParams,
    header: Header,
    unsigned: bytes,
    rotated: Rotated,
    checks: SignatureChecks,
) -> None:
    """The author may seal this slot, and made both signatures (equations 6.15 to 6.17).

    Args:
        unsigned: the header's encoding without its seal (:func:`encode`).
        rotated: the *posterior* active set, sealing keys and entropy.
        checks: what both signatures are demanded from.

    Raises:
        HeaderError: ``bad_author_index``; ``null_author``, the author's key is that of an offender;
            ``unexpected_author``, the slot belongs to another key; ``unexpected_ticket_seal``, the
            seal is not from the slot's ticket; ``bad_seal``, ``bad_entropy_source``.
    """
    check_author_index(params, header)
    author: ValidatorKeys = rotated.active[header.author_index]
    if author.bandersnatch == _NULL_KEY:
        raise HeaderError("null_author", author_index=header.author_index)
    try:
        output = bandersnatch.output(header.seal)
    except BadSignature:
        raise HeaderError("bad_seal") from None
    vrf_input = _seal_input(params, header, rotated, author.bandersnatch, output)
    checks.vrf(author.bandersnatch, vrf_input, unsigned, header.seal, HeaderError("bad_seal"))
    checks.vrf(
        author.bandersnatch,
        ENTROPY_CONTEXT + output,
        b"",
        header.entropy_source,
        HeaderError("bad_entropy_source"),
    )


def _seal_input(
    params: ChainParams, header: Header, rotated: Rotated, author: bytes, output: bytes
) -> bytes:
    """What the seal's output is drawn from, once the slot is known to be the author's."""
    phase = header.slot % params.epoch_length
    entropy = rotated.entropy[3]
    if isinstance(rotated.sealing_keys, TicketKeys):
        ticket = rotated.sealing_keys.tickets[phase]
        if ticket.id != output:
            raise HeaderError("unexpected_ticket_seal", output=output, ticket=ticket.id)
        return TICKET_CONTEXT + entropy + bytes((ticket.attempt,))
    key = rotated.sealing_keys.keys[phase]
    if key != author:
        raise HeaderError("unexpected_author", author=author, expected=key)
    return FALLBACK_CONTEXT + entropy
