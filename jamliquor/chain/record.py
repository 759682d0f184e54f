"""What is remembered of a block beside its body: enough to place it in the tree of blocks."""

from __future__ import annotations

from typing import NamedTuple


class BlockRecord(NamedTuple):
    """A block's place in the chain.

    Attributes:
        hash: Blake2b-256 hash of the header, 32 octets.
        parent: hash of the parent's header, 32 octets.
        slot: the header's slot (section 4.8).
        number: distance from the first block of the store, whose number is 0.
        state_root: Merkle root of the state *after* the block, 32 octets (appendix D.2).
        ticketed: whether a ticket sealed the block, as the best chain counts (section 19).
        header: the encoded header (appendix C).
    """

    hash: bytes
    parent: bytes
    slot: int
    number: int
    state_root: bytes
    ticketed: bool
    header: bytes
