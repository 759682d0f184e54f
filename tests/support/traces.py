"""Small trace files made up for tests of the readers, and changed copies of real ones."""

from __future__ import annotations

from collections.abc import Iterable

from jamliquor.codec import codec
from jamliquor.params import TINY, ChainParams
from jamliquor.state import keys
from jamliquor.state.trie import Trie
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Disputes, Extrinsic
from jamliquor.types.header import Header
from jamliquor.types.trace import Genesis, KeyValue, RawState, TraceStep

BLOCK = Block(
    Header(bytes(32), bytes(32), bytes(32), 7, None, None, 0, bytes(96), (), bytes(96)),
    Extrinsic((), (), (), (), Disputes((), (), ())),
)


def raw_state(entries: Iterable[tuple[bytes, bytes]], *, root: bytes | None = None) -> RawState:
    """The entries with their root, or with the one given."""
    listed = tuple(KeyValue(*entry) for entry in entries)
    return RawState(Trie.from_entries(listed).root if root is None else root, listed)


def minimal_state(params: ChainParams = TINY) -> RawState:
    """A state with little more than a number of validators and a time."""
    return raw_state(
        [
            (keys.component(keys.ACTIVE_VALIDATORS), bytes(336 * params.validator_count)),
            (keys.component(keys.TIME), bytes(4)),
        ]
    )


def step_file(params: ChainParams = TINY, prior: RawState | None = None) -> bytes:
    """A well-formed step whose block nobody would accept."""
    state = minimal_state(params) if prior is None else prior
    posterior = raw_state([(bytes([200]) + bytes(30), b"x")])
    return codec(TraceStep, params).encode(TraceStep(state, BLOCK, posterior))


def genesis_file(params: ChainParams = TINY) -> bytes:
    """A well-formed genesis."""
    return codec(Genesis, params).encode(Genesis(BLOCK.header, minimal_state(params)))
