"""Who may seal a slot, and the two signatures of a block's author (section 6.4)."""

from __future__ import annotations

from typing import NamedTuple

from jamliquor.author.keys import Keyring
from jamliquor.author.outlook import Outlook
from jamliquor.crypto import bandersnatch
from jamliquor.params import ChainParams
from jamliquor.stf.header import ENTROPY_CONTEXT, FALLBACK_CONTEXT
from jamliquor.stf.header import encode as encode_header
from jamliquor.stf.safrole import TICKET_CONTEXT
from jamliquor.types.header import SEAL_SIZE, Header, Ticket
from jamliquor.types.state import TicketKeys, ValidatorKeys

__all__ = ["Claim", "claim", "entropy_signature", "seal", "sign_header"]


class Claim(NamedTuple):
    """The right of one of our keys to seal a slot.

    Attributes:
        author_index: the validator's index in the active set.
        context: what the seal's output is drawn from.
        ticket: the winning ticket, or None in fallback mode.
    """

    slot: int
    author_index: int
    key: bandersnatch.SecretKey
    context: bytes
    ticket: Ticket | None


def claim(ahead: Outlook, keyring: Keyring) -> Claim | None:
    """The claim to the slot that one of our keys has, or None (equations 6.15 and 6.16).

    None of our keys has one where the slot is another's, or that of an offender: then it stays empty.
    """
    rotated = ahead.rotated
    phase = ahead.slot % ahead.params.epoch_length
    entropy = rotated.entropy[3]
    if isinstance(rotated.sealing_keys, TicketKeys):
        ticket = rotated.sealing_keys.tickets[phase]
        context = TICKET_CONTEXT + entropy + bytes((ticket.attempt,))
        for index, key in _ours(rotated.active, keyring):
            if key.output(context) == ticket.id:
                return Claim(ahead.slot, index, key, context, ticket)
        return None
    chosen = rotated.sealing_keys.keys[phase]
    for index, key in _ours(rotated.active, keyring):
        if key.public == chosen:
            return Claim(ahead.slot, index, key, FALLBACK_CONTEXT + entropy, None)
    return None


def _ours(
    validators: tuple[ValidatorKeys, ...], keyring: Keyring
) -> list[tuple[int, bandersnatch.SecretKey]]:
    """Validators whose secrets we hold, by index."""
    held = [(index, keyring.bandersnatch(each.bandersnatch)) for index, each in enumerate(validators)]
    return [(index, key) for index, key in held if key is not None]


def entropy_signature(claimed: Claim) -> bytes:
    """The author's contribution to the chain's entropy, 96 octets (equation 6.17)."""
    output = claimed.key.output(claimed.context)
    return claimed.key.sign(ENTROPY_CONTEXT + output, b"")


def seal(params: ChainParams, claimed: Claim, header: Header) -> bytes:
    """The seal, 96 octets, of a header that is complete but for it (equations 6.15 and 6.16)."""
    # Another seal's octets are cut off again, but the encoder wants the right number of them.
    unsigned = encode_header(params, header._replace(seal=bytes(SEAL_SIZE))).unsigned
    return claimed.key.sign(claimed.context, unsigned)


def sign_header(params: ChainParams, claimed: Claim, header: Header) -> Header:
    """The header with its author's index and both signatures."""
    header = header._replace(
        author_index=claimed.author_index, entropy_source=entropy_signature(claimed)
    )
    return header._replace(seal=seal(params, claimed, header))
