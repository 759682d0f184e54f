"""Authors on nodes in memory, with a clock that the test moves and a network that it decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jamliquor.author.assembly import Pools
from jamliquor.author.genesis import Genesis, genesis
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.node.author import Author
from jamliquor.node.node import Node
from jamliquor.node.prover import Prover, Shelf
from jamliquor.node.signer import Signer
from jamliquor.params import TINY, ChainParams
from jamliquor.pvm.engine import NativeEngine
from jamliquor.store.events import EventLog
from jamliquor.store.memory import MemoryStore
from jamliquor.types.header import Header
from tests.support.maker import secrets, validator_keys

START = 1200
"""The slot of the genesis."""


class Clock:
    """A clock that stands until it is moved; each reading may cost time."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.cost = 0.0

    def __call__(self) -> float:
        self.now += self.cost
        return self.now


def begun(params: ChainParams = TINY) -> Genesis:
    """A genesis with six known validators and no services."""
    entropy = tuple(blake2b(bytes([index])) for index in range(4))
    return genesis(params, validator_keys(), slot=START, entropy=entropy)


def node_of(first: Genesis, folder: Path | None = None) -> Node:
    """A node on a genesis; with a folder it keeps a log."""
    params = first.state.params
    store = MemoryStore(params)
    header = codec(Header, params).encode(first.header)
    record = BlockRecord(first.hash, bytes(32), first.header.slot, 0, first.state.root, False, header)
    store.initialise(record, first.state.items())
    return Node(params, NativeEngine(), store, None if folder is None else EventLog(folder / "events"))


class Validator:
    """An author with everything that belongs to it.

    Attributes:
        sent: slot and octets of the blocks that left.
        lines: what it told people.
    """

    def __init__(
        self,
        index: int,
        clock: Clock,
        folder: Path,
        *,
        first: Genesis | None = None,
        **options: Any,
    ) -> None:
        self.secret: ValidatorSecret = secrets()[index]
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.sent: list[tuple[int, bytes]] = []
        self.lines: list[str] = []
        self.publish: Callable[[bytes, int, bytes], None] = lambda octets, slot, _hash: (
            self.sent.append((slot, octets))
        )
        self.node = node_of(first or begun(), folder)
        slot = int(clock()) // TINY.slot_seconds
        self.signer = Signer(folder / "signed", self.secret.bandersnatch.public, slot)
        self.pools = Pools()
        self.prover = Prover(
            Keyring([self.secret]),
            self.pools.tickets,
            Shelf(folder / "tickets"),
            clock,
            self.lines.append,
            cpu=clock,
            **options,
        )
        self.author = Author(
            self.node,
            self.secret,
            self.signer,
            self.pools,
            self.prover,
            clock=clock,
            publish=self._send,
            tell=self.lines.append,
        )

    def _send(self, octets: bytes, slot: int, block_hash: bytes) -> None:
        self.publish(octets, slot, block_hash)
