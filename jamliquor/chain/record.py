"""What the node remembers of every block it accepted, whether or not it kept block and state."""

from __future__ import annotations

from typing import NamedTuple


class BlockRecord(NamedTuple):
    """An accepted block in short.

    Attributes:
        hash: of its header, 32 octets.
        parent: hash of the parent's header; zero for a first block.
        number: distance from the first block of the chain.
        state_root: of the state after the block, 32 octets.
        ticketed: whether a ticket sealed it, rather than a fallback key (section 6.4).
        header: the header's encoding.
    """

    hash: bytes
    parent: bytes
    slot: int
    number: int
    state_root: bytes
    ticketed: bool
    header: bytes
