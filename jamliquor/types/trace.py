"""The records of the public traces: a state as its entries, a step, a genesis.

Not part of the protocol; the files of the public vectors and of the conformance tools hold them.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from jamliquor.codec.schema import FixedBytes, Hash
from jamliquor.types.block import Block
from jamliquor.types.header import Header


class KeyValue(NamedTuple):
    """One entry of a state: a 31-octet key (appendix D.1) and its value."""

    key: Annotated[bytes, FixedBytes(31)]
    value: bytes


class RawState(NamedTuple):
    """A whole state with the root it must have."""

    state_root: Hash
    entries: tuple[KeyValue, ...]


class TraceStep(NamedTuple):
    """One import: the state before, the block, the state after."""

    prior: RawState
    block: Block
    posterior: RawState


class Genesis(NamedTuple):
    """The first header of a chain and the state it stands for."""

    header: Header
    state: RawState
