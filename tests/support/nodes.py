"""Nodes on the chains of a maker, in memory or on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jamliquor.chain import events
from jamliquor.chain.finality import Finality
from jamliquor.chain.importer import Importer
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.node.node import Node
from jamliquor.node.outcome import Outcome, Verdict
from jamliquor.node.replaying import Report, replay
from jamliquor.node.settings import Settings
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.store.events import EventLog
from jamliquor.store.interface import Store
from jamliquor.store.memory import MemoryStore
from jamliquor.store.segments import entries
from jamliquor.types.header import Header
from tests.support.maker import Made, Maker, own_genesis

MANUAL = Settings(finality=Finality(None))


def memory_store(maker: Maker, *, keep_states: int = 16) -> Store:
    """A store with the maker's genesis in it."""
    store = MemoryStore(maker.params, keep_states=keep_states)
    initialise(store, maker)
    return store


def initialise(store: Store, maker: Maker) -> None:
    """Put the maker's genesis into an empty store."""
    state, first = maker.first_state, own_genesis(maker.params)
    # Where a maker began elsewhere, nobody here has the header.
    header = codec(Header, maker.params).encode(first.header) if first.hash == maker.root else b""
    record = BlockRecord(maker.root, bytes(32), maker.slot(maker.root), 0, state.root, False, header)
    store.initialise(record, state.items())


def node_on(store: Store, folder: Path | None, settings: Settings = MANUAL, **log: int) -> Node:
    """A node on an initialised store, with a log in the folder if one is given."""
    kept = None if folder is None else EventLog(folder, **log)
    return Node(TINY, NativeEngine(), store, kept, settings=settings, software="test")


def deliver(node: Node, blocks: Iterable[Made], *, now: int | None = None) -> list[Outcome]:
    """Give blocks to a node; what became of them all."""
    outcomes: list[Outcome] = []
    for made in blocks:
        outcomes += node.receive(made.encoded, "test", now=now)
    return outcomes


def verdicts(outcomes: Iterable[Outcome]) -> list[Verdict]:
    """The verdicts alone."""
    return [outcome.verdict for outcome in outcomes]


def told(folder: Path, *kinds: type) -> list[events.Event]:
    """Events of some kinds, in order."""
    return [one.event for one in entries(folder) if isinstance(one.event, kinds)]


def replayed(maker: Maker, folder: Path) -> Report:
    """The log replayed from the genesis, with every block that the maker made executed again."""
    importer: Importer = maker.new_importer(kept_states=1024)

    def block_of(block_hash: bytes) -> bytes | None:
        made = maker.made.get(block_hash)
        return None if made is None else made.encoded

    return replay(entries(folder), importer, block_of)
