"""Replays recorded chains against a target that speaks the conformance protocol."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from jamliquor.codec import codec
from jamliquor.conformance import messages
from jamliquor.conformance.difference import differences
from jamliquor.conformance.messages import (
    AncestryItem,
    Error,
    Message,
    MessageReader,
    PeerInfo,
    StateRoot,
    Version,
)
from jamliquor.conformance.runner import MAX_ENTRIES_SHOWN, Result, judge_outcome, load_state
from jamliquor.conformance.session import JAM_VERSION
from jamliquor.conformance.traces import Step, StoredState, Trace, read_genesis, read_step
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import InvalidBlock, JamliquorError
from jamliquor.params import ChainParams
from jamliquor.state.state import State
from jamliquor.types.header import Header

_ANSWERS = frozenset({messages.PEER_INFO, messages.STATE_ROOT, messages.STATE, messages.ERROR})
_RECEIVED = 1 << 18


class TargetFailure(JamliquorError):
    """The target is not there, left, was silent for too long, or broke the protocol."""


class RefusedByTarget(InvalidBlock):
    """The target answered a block with an error; its text is the code."""

    chapter = "target"


class Entries(Protocol):
    """A state to send."""

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values; called more than once."""


class Client:
    """One connection to a target. Use it as a context manager.

    Attributes:
        peer: what the target said of itself.

    Args:
        features: what to offer.
        timeout: seconds after which a silent target has failed.

    Raises:
        TargetFailure: from every method.
    """

    def __init__(
        self,
        params: ChainParams,
        path: Path,
        version: Version,
        *,
        features: int = messages.FEATURE_FORKS,
        timeout: float = 60.0,
    ) -> None:
        self._params = params
        self._reader = MessageReader(params, _ANSWERS)
        self._reader.trusted = True
        self._received = bytearray(_RECEIVED)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self.close()
            raise TargetFailure(f"no target answers at {path}: {error.strerror or error}") from None
        us = PeerInfo(messages.FUZZ_VERSION, features, JAM_VERSION, version, b"jamliquor")
        try:
            answer = self._ask((messages.encode_peer_info(params, us),))
            if not isinstance(answer, PeerInfo) or answer.version != messages.FUZZ_VERSION:
                raise TargetFailure(f"the target answered the handshake with {_told(answer)}")
        except TargetFailure:
            self.close()
            raise
        self.peer = answer

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation."""
        self._socket.close()

    def initialize(
        self, header: Header, stored: Entries, ancestry: tuple[AncestryItem, ...] = ()
    ) -> bytes:
        """Set a recorded state; returns the root that the target has for it."""
        count, size = messages.entries_size(stored.entries())
        portions = messages.encode_initialize(
            self._params, header, stored.entries(), count, size, ancestry
        )
        answer = self._ask(portions)
        if not isinstance(answer, StateRoot):
            raise TargetFailure(f"the target answered a state with {_told(answer)}")
        return answer.root

    def import_block(self, octets: bytes) -> bytes | str:
        """Send a block; returns the root after it, or the text of the target's refusal."""
        answer = self._ask((messages.frame(messages.IMPORT_BLOCK, octets),))
        if isinstance(answer, StateRoot):
            return answer.root
        if isinstance(answer, Error):
            return answer.text
        raise TargetFailure(f"the target answered a block with {_told(answer)}")

    def get_state(self, header_hash: bytes) -> State | None:
        """The target's state after a block; None if it answers with an error."""
        answer = self._ask((messages.frame(messages.GET_STATE, header_hash),))
        if isinstance(answer, State):
            return answer
        if isinstance(answer, Error):
            return None
        raise TargetFailure(f"the target answered a question for a state with {_told(answer)}")

    def _ask(self, portions: Iterable[bytes]) -> Message:
        try:
            for portion in portions:
                self._socket.sendall(portion)
            while (message := self._reader.next()) is None:
                size = self._socket.recv_into(self._received)
                if not size:
                    raise TargetFailure("the target closed the connection")
                self._reader.feed(memoryview(self._received)[:size])
        except TimeoutError:
            waited = self._socket.gettimeout()
            raise TargetFailure(f"the target was silent for {waited:g} s") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise TargetFailure(f"the connection to the target broke: {reason}") from None
        except messages.BrokenMessage as error:
            raise TargetFailure(f"the target broke the protocol: {error}") from None
        return message


def _told(answer: Message) -> str:
    return f"the error {answer.text!r}" if isinstance(answer, Error) else type(answer).__name__


def replay(params: ChainParams, client: Client, trace: Trace) -> Iterator[Result]:
    """Replay a trace: from its genesis, else from the state after its first accepted step.

    Ends at the first result that is not as recorded.

    Raises:
        BadInput: a file cannot be used.
        TargetFailure: the target left, or sent what it may not send.
    """
    steps = list(trace.steps)
    if trace.genesis is not None:
        stored = read_genesis(trace.genesis, params)
        _start(params, client, stored.header, stored.state)
    else:
        first = read_step(steps.pop(0), params)
        _start(params, client, first.block.header, first.posterior)
    for path in steps:
        result = _import(params, client, trace, read_step(path, params))
        yield result
        if not result.outcome.good:
            return


def blocks_to_replay(trace: Trace) -> int:
    """How many steps of a trace :func:`replay` sends as blocks."""
    return len(trace.steps) - (trace.genesis is None)


def _start(params: ChainParams, client: Client, header: Header, state: StoredState) -> None:
    ancestry = (AncestryItem(header.slot, blake2b(codec(Header, params).encode(header))),)
    offered = client.peer.features & messages.FEATURE_ANCESTRY
    root = client.initialize(header, state, ancestry if offered else ())
    if root != state.root:
        told = f"0x{state.root.hex()} is recorded, the target has 0x{root.hex()}"
        raise TargetFailure(f"the root of the state that was set differs: {told}")


def _import(params: ChainParams, client: Client, trace: Trace, step: Step) -> Result:
    begun = time.perf_counter()
    answer = client.import_block(step.encoded_block)
    milliseconds = (time.perf_counter() - begun) * 1000
    root = answer if isinstance(answer, bytes) else None
    result = Result(
        trace=trace,
        path=step.path,
        slot=step.block.header.slot,
        hash=blake2b(codec(Header, params).encode(step.block.header)),
        expected_root=step.posterior.root,
        root=root,
        milliseconds=milliseconds,
        tickets=len(step.block.extrinsic.tickets),
        outcome=judge_outcome(step, root),
        refusal=RefusedByTarget(answer) if isinstance(answer, str) else None,
    )
    if root is None or result.outcome.good:
        return result
    actual = client.get_state(result.hash)
    if actual is None:
        return result._replace(complete=False)
    found = differences(params, load_state(params, step.posterior), actual)
    shown = tuple(itertools.islice(found, MAX_ENTRIES_SHOWN))
    return result._replace(differences=shown, complete=next(found, None) is None)
