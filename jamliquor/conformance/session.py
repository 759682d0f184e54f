"""One conversation of the conformance protocol, from the target's side, without I/O.

Messages come in, octets go out. What a message means for the connection is decided here alone:
an import that fails is answered and changes nothing; a message that may not come now, or makes no
sense, raises; a failing host raises and answers nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jamliquor.chain.importer import Importer
from jamliquor.codec import codec
from jamliquor.conformance import messages
from jamliquor.conformance.keeping import Chain, InMemory, Keeper, Start
from jamliquor.conformance.messages import (
    BrokenMessage,
    GetState,
    ImportBlock,
    Initialize,
    Message,
    PeerInfo,
    Version,
)
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError, HostError, InvalidBlock, UnknownParent
from jamliquor.node.cores import spare_core
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.types.block import Block
from jamliquor.types.header import Header

JAM_VERSION = Version(0, 7, 2)

FEATURES = messages.FEATURE_ANCESTRY | messages.FEATURE_FORKS
"""What this target offers."""

REQUESTS = frozenset({messages.INITIALIZE, messages.IMPORT_BLOCK, messages.GET_STATE})
"""Discriminators of what a target is asked once the handshake is done."""

_ROOT_HEAD = messages.frame(messages.STATE_ROOT, bytes(32))[:-32]


class Judged(NamedTuple):
    """A block that came, as it was answered.

    Attributes:
        octets: the block as it came.
        prior: the state of its parent, or of the last block accepted when the parent is unknown.
        posterior: the state after it; the prior one when the block was not imported.
        slot: the block's slot, or None when the octets are no block.
        refusal: the text of the answer, or None for a block that was imported.
    """

    octets: bytes
    prior: State
    posterior: State
    slot: int | None
    refusal: str | None


class Session:
    """What one connection has agreed on and holds; close it.

    Args:
        version: of this program.
        keeper: keeps the states.

    Attributes:
        peer: who speaks at the other side, once it said so.
        features: what both sides support, since the handshake.
        over: whether the connection ends after the last answer.
        initialized: how often a state was set.
        imported: how many blocks were accepted.
        refused: how many blocks were answered with an error.
        start: the last initialize message's header and state.
        judged: the last block.
    """

    def __init__(
        self,
        params: ChainParams,
        engine: Engine,
        name: str,
        version: Version,
        keeper: Keeper | None = None,
    ) -> None:
        self.peer: PeerInfo | None = None
        self.features = 0
        self.over = False
        self.initialized = self.imported = self.refused = 0
        self.start: Initialize | None = None
        self.judged: Judged | None = None
        self._params = params
        self._engine = engine
        self._us = PeerInfo(messages.FUZZ_VERSION, FEATURES, JAM_VERSION, version, name.encode())
        self._keeper: Keeper = InMemory() if keeper is None else keeper
        self._importer: Importer | None = None
        self._chain: Chain | None = None
        self._head: State | None = None
        self._decode = codec(Block, params).decode

    def answer(self, message: Message) -> Iterable[bytes]:
        """The answer to one message, in portions that are made as they are taken.

        Raises:
            BrokenMessage: the message may not come now, or its content makes no sense.
            HostError: this machine failed, or the state that was set does not let blocks be judged.
        """
        if isinstance(message, ImportBlock):
            return (self._import(message.octets),)
        if isinstance(message, PeerInfo):
            return (self._handshake(message),)
        if isinstance(message, Initialize):
            return (self._initialize(message),)
        if isinstance(message, GetState):
            return self._get_state(message.header_hash)
        raise BrokenMessage(f"a target is not sent {type(message).__name__}")

    def _handshake(self, info: PeerInfo) -> bytes:
        if self.peer is not None:
            raise BrokenMessage("a second handshake")
        self.peer = info
        self.features = info.features & FEATURES
        # The other side learns from our answer why this ends here.
        self.over = info.version != messages.FUZZ_VERSION
        return messages.encode_peer_info(self._params, self._us)

    def _initialize(self, message: Initialize) -> bytes:
        if self.peer is None:
            raise BrokenMessage("no handshake came before")
        try:
            message.state.component(keys.TIME)
        except DecodeError as error:
            raise BrokenMessage(f"no state of chain {self._params.name!r}: {error}") from None
        known = bool(self.features & messages.FEATURE_ANCESTRY)
        start = _start(self._params, message, known=known)
        self._chain = self._keeper.start(start, self._chain)
        importer = Importer(
            self._params,
            self._engine,
            states=self._chain,
            check_ancestry=known,
            parallel=spare_core(),
        )
        importer.add_ancestors(list(start.ancestors))
        state = self._chain.first
        self.initialized += 1
        # The state that came may lie in memory while the chain's own does not.
        self.start, self.judged = message._replace(state=state), None
        self._importer, self._head = importer, state
        return _ROOT_HEAD + state.root

    def close(self) -> None:
        """Let go of all states.

        Raises:
            HostError: the disk failed.
        """
        chain, self._chain, self._importer = self._chain, None, None
        if chain is not None:
            chain.close()

    def _import(self, octets: bytes) -> bytes:
        if self._importer is None or self._head is None or self._chain is None:
            raise BrokenMessage("no state was set before")
        try:
            block = self._decode(octets)
        except DecodeError as error:
            return self._refuse(octets, self._head, None, f"decode: {error}")
        header = block.header
        prior = self._importer.state_of(header.parent) or self._head
        try:
            imported = self._importer.import_block(block)
        except InvalidBlock as error:
            return self._refuse(octets, prior, header.slot, str(error))
        except UnknownParent as error:
            return self._refuse(octets, prior, header.slot, f"{error.code}: {error}")
        except DecodeError as error:
            # The block is sound, so it is the state that came with the initialize message.
            raise HostError(f"the state does not let blocks be judged: {error}") from error
        oldest = self._chain.add(imported, octets)
        if oldest is not None:
            self._importer.forget(oldest)
        self.imported += 1
        self._head = imported.state
        self.judged = Judged(octets, prior, imported.state, header.slot, None)
        return _ROOT_HEAD + imported.root

    def _refuse(self, octets: bytes, prior: State, slot: int | None, text: str) -> bytes:
        self.refused += 1
        self.judged = Judged(octets, prior, prior, slot, text)
        return messages.encode_error(text)

    def _get_state(self, header_hash: bytes) -> Iterable[bytes]:
        if self._importer is None:
            raise BrokenMessage("no state was set before")
        state = self._importer.state_of(header_hash)
        if state is None:
            return (messages.encode_error(f"unknown_header: no state of 0x{header_hash.hex()}"),)
        return messages.encode_state(state.items(), *messages.entries_size(state.items()))


def _start(params: ChainParams, message: Initialize, *, known: bool) -> Start:
    """What an initialize message begins with; its ancestry counts where it is ``known``."""
    octets = codec(Header, params).encode(message.header)
    header_hash = blake2b(octets)
    ancestors = {item.header_hash: item.slot for item in message.ancestry if known}
    # The list may leave out the header itself, without which nothing would follow on it.
    ancestors.setdefault(header_hash, message.header.slot)
    ordered = tuple(sorted(ancestors.items(), key=lambda item: item[1]))
    return Start(message.header, header_hash, octets, message.state, ordered)
