"""Imports blocks on top of states it knows: the pure heart of the node, without clock or files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from jamliquor.chain.ancestry import Ancestry
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.errors import DecodeError, FutureBlock, UnknownParent
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.stf.header import EncodedHeader
from jamliquor.stf.header import encode as encode_header
from jamliquor.stf.laps import Laps
from jamliquor.stf.lookahead import Lookahead
from jamliquor.stf.transition import Step, look_on, prepare, transition
from jamliquor.types.block import Block
from jamliquor.types.header import Header
from jamliquor.types.state import TicketKeys

DEFAULT_KEPT_STATES = 32


class Imported(NamedTuple):
    """A block that was accepted, and the state after it.

    Attributes:
        header: the header's encoding.
    """

    hash: bytes
    slot: int
    root: bytes
    state: State
    parent: bytes
    header: bytes

    @property
    def ticketed(self) -> bool:
        """Whether a ticket sealed it, rather than a fallback key (section 6.4)."""
        return isinstance(self.state.component(keys.SAFROLE).sealing_keys, TicketKeys)

    def record(self, number: int) -> BlockRecord:
        """What is remembered of it at that distance from the first block."""
        return BlockRecord(
            self.hash, self.parent, self.slot, number, self.root, self.ticketed, self.header
        )


class States(Protocol):
    """Where an importer finds the state after a block, and leaves new ones."""

    def get(self, header_hash: bytes) -> State | None:
        """The state after a block, if it is kept."""

    def keep(self, header_hash: bytes, state: State) -> int | None:
        """Take a new state; if another one went for it, the slot of the oldest one left."""


class RecentStates:
    """A number of states in memory; the one used longest ago goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._states: OrderedDict[bytes, State] = OrderedDict()
        self._slots: dict[bytes, int] = {}

    def get(self, header_hash: bytes) -> State | None:
        """The state after a block, if it is still kept."""
        state = self._states.get(header_hash)
        if state is not None:
            self._states.move_to_end(header_hash)
        return state

    def keep(self, header_hash: bytes, state: State) -> int | None:
        """Keep a state; the one used longest ago goes if there are too many."""
        self._states[header_hash] = state
        self._states.move_to_end(header_hash)
        self._slots[header_hash] = state.component(keys.TIME)
        if len(self._states) <= self._limit:
            return None
        gone, _ = self._states.popitem(last=False)
        del self._slots[gone]
        return min(self._slots.values())


class Importer:
    """Knows recent states by the hash of their block's header; adds to them block by block.

    Blocks may arrive on any known state, so forks need nothing special. At most ``kept_states``
    states are kept; the one used longest ago goes first, and a block on top of it is then one with
    an unknown parent. A refused block changes nothing.

    Args:
        params: the chain's parameters.
        engine: the machine that runs services.
        kept_states: how many states to keep.
        states: where states are kept instead, such as in a store.
        check_ancestry: whether lookup anchors must be known ancestors (section 11.4); off where the
            headers before the first state are not known.
        observe: called with what each host call of a service did, or None.
        parallel: whether a second core is there to verify signatures meanwhile.
        laps: measures the parts of an import, or None.
    """

    def __init__(
        self,
        params: ChainParams,
        engine: Engine,
        *,
        kept_states: int = DEFAULT_KEPT_STATES,
        states: States | None = None,
        check_ancestry: bool = True,
        observe: Any = None,
        parallel: bool = False,
        laps: Laps | None = None,
    ) -> None:
        self.params = params
        self._engine = engine
        self._check_ancestry = check_ancestry
        self._observe = observe
        self._parallel = parallel
        self._laps = laps
        self._lookahead = Lookahead()
        # What the first block would otherwise wait for.
        prepare(params)
        self._states: States = RecentStates(kept_states) if states is None else states
        self._ancestry = Ancestry()

    def start(self, header_hash: bytes, state: State) -> None:
        """Make a state known as the one after the block with that header hash."""
        slot: int = state.component(keys.TIME)
        self._ancestry.add(header_hash, slot, bytes(32))
        self._keep(header_hash, state)

    def start_genesis(self, header: Header, state: State) -> bytes:
        """Make a genesis known; returns the hash of its header."""
        header_hash = encode_header(self.params, header).hash
        self.start(header_hash, state)
        return header_hash

    def add_ancestors(self, ancestors: list[tuple[bytes, int]]) -> None:
        """Make headers known that precede the first state: (hash, slot), oldest first."""
        parent = bytes(32)
        for header_hash, slot in ancestors:
            self._ancestry.add(header_hash, slot, parent)
            parent = header_hash

    def add_records(self, records: Iterable[BlockRecord]) -> None:
        """Make accepted blocks known as ancestors, parents before children."""
        for record in records:
            self._ancestry.add(record.hash, record.slot, record.parent)

    def state_of(self, header_hash: bytes) -> State | None:
        """The state after a block, if it is still kept."""
        return self._states.get(header_hash)

    def import_block(self, block: Block | bytes, *, now: int | None = None) -> Imported:
        """Validate a block on its parent's state and keep the state after it.

        Args:
            block: the block, or its encoding.
            now: the present slot by the clock, or None when history is imported.

        Raises:
            DecodeError: the octets are no block.
            FutureBlock: its slot has not begun by ``now``.
            UnknownParent: the parent's state is not kept.
            InvalidBlock: a rule of the protocol is broken.
            HostError: this machine failed; the block is not judged.
        """
        if self._laps is not None:
            self._laps.begin()
        if isinstance(block, bytes):
            block = codec(Block, self.params).decode(block)
        if self._laps is not None:
            self._laps.mark("decode block")
        return self.judge(block, encode_header(self.params, block.header), now=now)

    def judge(self, block: Block, encoded: EncodedHeader, *, now: int | None = None) -> Imported:
        """:meth:`import_block` for who has encoded the header already.

        Raises:
            FutureBlock, UnknownParent, InvalidBlock, HostError: as there.
        """
        header = block.header
        if now is not None and header.slot > now:
            raise FutureBlock(header.slot, now)
        posterior = self._transition(block, encoded, self._lookahead)
        self._ancestry.add(encoded.hash, header.slot, header.parent)
        self._keep(encoded.hash, posterior)
        if self._laps is not None:
            self._laps.mark("store")
        return Imported(
            encoded.hash,
            header.slot,
            posterior.root,
            posterior,
            header.parent,
            encoded.unsigned + header.seal,
        )

    def announce(self, head: bytes, blocks: Iterable[bytes]) -> None:
        """Begin to read what blocks will need that come soon, as far as the state after a block tells.

        They are read together, which disturbs the blocks less than reading for each. Services run here,
        on bounded gas, before anything of the blocks is checked. Nothing else comes of it.

        Args:
            blocks: their encodings; what cannot be decoded is left to :meth:`import_block`.
        """
        state = self._states.get(head)
        if state is None or not state.trie.is_cold:
            return
        found = []
        for octets in blocks:
            with suppress(DecodeError):
                block = codec(Block, self.params).decode(octets)
                found.append([guarantee.report for guarantee in block.extrinsic.guarantees])
        self._lookahead.begin(state.foresight, found, look_on(self.params, self._engine, state))
        self._lookahead.start()

    def read_ahead(self) -> None:
        """Begin to read what the next block will need, as far as the last one tells. To be called when
        the last one is stored; else the next one reads when it comes."""
        self._lookahead.start()

    def preview(self, block: Block, encoded: EncodedHeader) -> State:
        """The state after a block, which stays unknown: for who makes blocks.

        Raises:
            UnknownParent, InvalidBlock, HostError: as for :meth:`import_block`.
        """
        return self._transition(block, encoded, None)

    def _transition(self, block: Block, encoded: EncodedHeader, lookahead: Lookahead | None) -> State:
        parent = block.header.parent
        prior = self._states.get(parent)
        if prior is None:
            raise UnknownParent(parent)
        return transition(
            Step(
                self.params,
                prior,
                block,
                encoded,
                self._engine,
                self.ancestry(parent),
                self._observe,
                self._parallel,
                self._laps,
                lookahead,
            )
        )

    def ancestry(self, head: bytes) -> Any:
        """Whether a header of a hash and slot is ``head`` or precedes it, as a function; None where
        that is not checked."""
        if not self._check_ancestry:
            return None
        return lambda header_hash, slot: self._ancestry.contains(head, header_hash, slot)

    def forget(self, oldest: int) -> None:
        """Forget headers that no block on a state of slot ``oldest`` or later can name as anchor.

        Were the newest slot what counts, a block of an older fork would be refused or accepted
        depending on what else has arrived.
        """
        self._ancestry.forget(oldest - self.params.max_lookup_anchor_age)

    def _keep(self, header_hash: bytes, state: State) -> None:
        oldest = self._states.keep(header_hash, state)
        if oldest is not None:
            self.forget(oldest)
