"""The node: importer, tree, store, log and clock wired together.

The order of writes makes every moment a good one to lose power in. A block is judged, then the store
takes it in one atomic write, then the tree and the best chain learn of it, then the log is written.
What the store has, the tree can be rebuilt from; what the log lacks by then is put right at the next
start (:mod:`jamliquor.node.recovery`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from jamliquor.chain import events
from jamliquor.chain.best_chain import BestChain
from jamliquor.chain.importer import Importer
from jamliquor.chain.queue import Held, WaitingBlocks
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError, HostError, InvalidBlock, StoreDamaged
from jamliquor.node import recovery
from jamliquor.node.cores import spare_core
from jamliquor.node.outcome import Outcome, Verdict
from jamliquor.node.pruning import Pruner
from jamliquor.node.recorder import Recorder
from jamliquor.node.settings import DEFAULTS, Settings
from jamliquor.node.snapshotting import Snapshots, Taking
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.state.state import State
from jamliquor.stf.header import EncodedHeader
from jamliquor.stf.header import encode as encode_header
from jamliquor.stf.laps import Laps
from jamliquor.store.events import EventLog
from jamliquor.store.interface import Store
from jamliquor.types.block import Block

_MAX_DETAIL = 500


class StoredStates:
    """The states of a store, as an importer sees them: what is new is put there by the node."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, header_hash: bytes) -> State | None:
        """The state after a block, if it is kept."""
        return self._store.state(header_hash)

    def keep(self, header_hash: bytes, state: State) -> None:
        """Nothing: the node stores block and state in one write, and says what is old."""


class _Arrived(NamedTuple):
    """A decoded block on its way into the chain."""

    block: Block
    encoded: EncodedHeader
    octets: bytes
    source: str
    decode_us: int


class Node:
    """Takes blocks in, keeps the chain, finalises and prunes. One thread at a time may use it.

    Args:
        params: the chain's parameters.
        engine: the machine that runs services.
        store: an initialised store.
        log: where events go, or None.
        settings: how to behave.
        genesis: hash of the chain's first header, for the log.
        software: version of the program, for the log.
        laps: measures the parts of an import, or None.
        snapshots: the folder of the snapshots that the node takes of itself, or None.
        tell: takes lines for people, about snapshots.

    Attributes:
        recovered: what was put right at the start, in words.

    Raises:
        StoreError: store and log cannot be brought together.
    """

    def __init__(
        self,
        params: ChainParams,
        engine: Engine,
        store: Store,
        log: EventLog | None = None,
        *,
        settings: Settings = DEFAULTS,
        genesis: bytes = bytes(32),
        software: str = "",
        laps: Laps | None = None,
        snapshots: Path | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.params = params
        self.store = store
        self.settings = settings
        self._laps = laps
        self._importer = Importer(
            params, engine, states=StoredStates(store), parallel=spare_core(), laps=laps
        )
        self._recorder = Recorder(log)
        start = recovery.start(params, self._importer, store, log, settings.max_unfinalised)
        self.tree, self.recovered = start.tree, start.recovered
        self._best = BestChain(self.tree)
        self._snapshots = Snapshots(
            store, snapshots, params, genesis, settings, record=self._recorder.tell, tell=tell
        )
        self._pruner = Pruner(settings, store, self._snapshots.reserve)
        self._orphans = WaitingBlocks(settings.max_waiting, settings.max_waiting_octets)
        self._early = WaitingBlocks(settings.max_waiting, settings.max_waiting_octets)
        # Blocks since the disk was waited for, and whether the store did and the log not yet.
        self._unsynced: list[Held] = []
        self._unsynced_octets = 0
        self._log_behind = False
        self._synced_at = time.monotonic()
        if store.head != self.head:
            store.set_head(self.head)
        self._recorder.tell(
            events.Started(genesis, params.name.encode(), software.encode(), str(settings).encode())
        )
        for recovered in start.events:
            self._recorder.tell(recovered)
        self._recorder.tell(events.listed(self.tree, self.head))
        self._commit(durable=True)
        for pruned in self._pruner.begin(self.tree.root):
            self._recorder.tell(pruned)

    @property
    def head(self) -> bytes:
        """Hash of the best block."""
        return self._best.head

    @property
    def head_record(self) -> BlockRecord:
        """The best block's record."""
        return self.tree.node(self._best.head).record

    @property
    def finalised(self) -> bytes:
        """Hash of the last finalised block."""
        return self.tree.root.hash

    @property
    def waiting(self) -> int:
        """Blocks that wait for a parent or for their slot."""
        return len(self._orphans) + len(self._early)

    def missing(self) -> list[bytes]:
        """Hashes of the parents that are waited for, ascending."""
        return self._orphans.roots()

    def state_of(self, block_hash: bytes) -> State | None:
        """The state after a block, if it is kept: one look-up."""
        return self.store.state(block_hash)

    def receive(self, octets: bytes, source: str = "", *, now: int | None = None) -> list[Outcome]:
        """Take in a block, and those that waited for it.

        Args:
            octets: the block's encoding.
            source: where it came from, for the log.
            now: the present slot; a block of a later one waits. None when history is imported.

        Returns:
            What became of the block, then of the waiting blocks that this decided.

        Raises:
            HostError: this machine failed (:class:`StoreFull`: no room on the disk). No block is
                judged by it and nothing is lost: when the cause is gone, the same call works again,
                on this node or, where the store must be opened again, on a new one. After
                :class:`StoreDamaged` opening the store again repairs what can be repaired.
        """
        with self._noticing():
            return self._receive(octets, source, now)

    def _receive(self, octets: bytes, source: str, now: int | None) -> list[Outcome]:
        if self._laps is not None:
            self._laps.begin()
        self._settle()
        begun = time.perf_counter_ns()
        try:
            block = codec(Block, self.params).decode(octets)
        except DecodeError as error:
            return [self._undecodable(octets, source, error)]
        encoded = encode_header(self.params, block.header)
        spent = (time.perf_counter_ns() - begun) // 1000
        if self._laps is not None:
            self._laps.mark("decode block")
        arrived = _Arrived(block, encoded, octets, source, spent)
        if self._recorder.on:
            header = block.header
            self._recorder.tell_fields(
                events.Received,
                (encoded.hash, header.parent, header.slot, len(octets), source.encode()),
            )
        outcomes = self._place(arrived, now)
        self._commit()
        if self._laps is not None:
            self._laps.mark("tree, finality, log")
        # A block that somebody waits for brings them along; each may bring others.
        for outcome in outcomes:
            if outcome.verdict is Verdict.IMPORTED:
                outcomes += self._release(outcome.hash, now)
        return outcomes

    def announce(self, blocks: Sequence[bytes]) -> None:
        """Tell of encoded blocks that :meth:`receive` will get soon, from a source that is trusted.

        Where the state is larger than memory, what they will need is read together.
        """
        with self._noticing():
            self._importer.announce(self.head, blocks)

    def preview(self, block: Block) -> State:
        """The state that a block would lead to; nothing is kept of it.

        Raises:
            UnknownParent, InvalidBlock, HostError: as for an importer.
        """
        with self._noticing():
            return self._importer.preview(block, encode_header(self.params, block.header))

    def ancestry(self, head: bytes) -> Any:
        """Whether a header of a hash and slot is ``head`` or precedes it, as a function."""
        return self._importer.ancestry(head)

    def note(self, event: events.Event) -> None:
        """Record what somebody beside the importer did.

        Raises:
            StoreError: the log cannot be written now; the event is kept.
        """
        self._recorder.tell(event)
        self._commit()

    def tick(self, now: int) -> list[Outcome]:
        """Import the blocks whose slot has begun by ``now``.

        Raises:
            HostError: as for :meth:`receive`; blocks that were not reached wait on.
        """
        with self._noticing():
            self._settle()
            outcomes = self._take_out(self._early.due(now), self._early, now)
            for outcome in outcomes:
                if outcome.verdict is Verdict.IMPORTED:
                    outcomes += self._release(outcome.hash, now)
        return outcomes

    def take_unsettled(self) -> list[Held]:
        """Take out what a node that takes this one's place may lack, in the order to give it.

        These are the blocks that are not surely on the disk, then those that wait.
        """
        unsynced, self._unsynced = self._unsynced, []
        return [*unsynced, *self._orphans.clear(), *self._early.clear()]

    def give_up(self, reason: str) -> list[Outcome]:
        """Drop all blocks that wait for a parent: their source has ended."""
        outcomes = [self._drop(held, "orphans", reason) for held in self._orphans.clear()]
        self._commit()
        return outcomes

    def finalise(self, block_hash: bytes) -> None:
        """Make a block final: side branches are dropped, and what is old may be pruned.

        Raises:
            KeyError: the block does not descend from the last finalised one, or is unknown.
            StoreError: the disk failed; nothing changed.
        """
        with self._noticing():
            self._finalise(block_hash)
            self._commit()

    def begin_snapshot(self, path: Path | None = None) -> Taking:
        """Begin to write a snapshot of the state on disk, beside imports.

        Args:
            path: where; by default in the directory's own folder. The node never removes it.

        Returns:
            What tells how far it is. The node goes on with it in :meth:`receive` and :meth:`tick`.

        Raises:
            PlaceTaken: something lies there already.
            StoreError: one is being written, or the state cannot be read.
        """
        with self._noticing():
            return self._snapshots.begin(path)

    def asked_snapshot(self, path: Path) -> Taking | None:
        """What :meth:`begin_snapshot` began last for an absolute path; None if never, or long ago.

        Raises:
            StoreError: the log cannot be written now; the event is kept.
        """
        taking = self._snapshots.asked_for(path)
        self._commit()
        return taking

    def finish_snapshot(
        self, stopped: Callable[[], bool], pause: Callable[[float], object] | None = None
    ) -> None:
        """Wait for the snapshot that is being written, if any, until ``stopped`` says otherwise.

        Args:
            pause: waits so many seconds, and does meanwhile what else there is to do.
        """
        self._snapshots.finish(stopped, pause)

    def prune(self, *, everything: bool = False) -> None:
        """Remove what the settings say is old.

        Args:
            everything: do all of it now, rather than a bounded piece. A snapshot that is being written
                is broken off.

        Raises:
            StoreError: the disk failed; what was removed so far stays removed.
        """
        if everything:
            self._snapshots.stop()
        self._prune(everything=everything)
        self._commit()

    def prune_behind(self, keep_blocks: int) -> bool:
        """Remove a bounded piece of the blocks more than so many slots behind the final one.

        Returns:
            Whether that was the last piece. What is left goes with the next calls, and with time.

        Raises:
            StoreError: the disk failed; what was removed so far stays removed.
        """
        finished, removed = self._pruner.prune_behind(self.tree.root, keep_blocks)
        for event in removed:
            self._recorder.tell(event)
        self._commit()
        return finished

    @property
    def pruned(self) -> tuple[int, int]:
        """How many blocks lost their body since the start, and of how many nothing remains."""
        return self._pruner.bodies, self._pruner.records

    def sync(self) -> None:
        """Wait until everything is on the disk.

        Raises:
            StoreError: the disk failed.
        """
        self.store.sync()
        self._now_synced()
        self._commit(durable=True)

    def close(self, reason: str = "done") -> None:
        """Write everything and let go of the log; the store stays open.

        Raises:
            StoreError: the disk failed; the next start puts it right.
        """
        try:
            self._snapshots.stop()
            self.store.sync()
            self._recorder.checkpoint(self.tree, self._best)
            record = self.head_record
            self._recorder.tell(events.Stopped(record.hash, record.slot, reason.encode()))
        finally:
            self._recorder.close()

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Have the next start look for damage, where damage is met."""
        try:
            yield
        except StoreDamaged as error:
            self.store.suspect()
            raise StoreDamaged(f"{error}; start again: the start repairs what it can") from None

    def _settle(self) -> None:
        """Finish what a full disk left undone, and tend to snapshots."""
        self._snapshots.tend()
        self.tree.demand_room()
        self._commit()
        self._follow_head()

    def _finalise(self, block_hash: bytes) -> None:
        plan = self.tree.preview(block_hash)
        if not plan.settled:
            return
        old, new = self.head, self._best.above(block_hash)
        route = self.tree.route(old, new)
        if new != old:
            self.store.set_head(new, durable=False)
        dropped = [record.hash for record in plan.dropped]
        self.store.finalise(block_hash, dropped, durable=False)
        self.tree.finalise(block_hash)
        self._best.recompute()
        self._importer.forget(self.tree.root.slot)
        if self._recorder.on:
            self._recorder.tell_fields(
                events.Finalised,
                (block_hash, self.tree.root.slot, len(plan.settled), len(dropped)),
            )
            if dropped:
                self._recorder.tell(events.BranchesPruned(tuple(dropped)))
            if route.left:
                self._recorder.tell(
                    events.Reorganised(old, new, route.ancestor, len(route.left), len(route.entered))
                )
        for held in [held for record in plan.dropped for held in self._orphans.branch(record.hash)]:
            self._drop(held, "orphans", "its branch was dropped")
        self._prune()

    def _prune(self, *, everything: bool = False) -> None:
        for event in self._pruner.prune(self.tree.root, everything=everything):
            self._recorder.tell(event)

    def _release(self, parent: bytes, now: int | None) -> list[Outcome]:
        """Take in the blocks that waited for a parent."""
        return self._take_out(self._orphans.on(parent), self._orphans, now)

    def _take_out(self, due: list[Held], queue: WaitingBlocks, now: int | None) -> list[Outcome]:
        """Take in blocks that waited; if this machine fails, they and those behind wait on."""
        outcomes: list[Outcome] = []
        for index, held in enumerate(due):
            if self._laps is not None:
                self._laps.begin()
            begun = time.perf_counter_ns()
            block = codec(Block, self.params).decode(held.block)
            encoded = encode_header(self.params, block.header)
            spent = (time.perf_counter_ns() - begun) // 1000
            if self._laps is not None:
                self._laps.mark("decode block")
            try:
                outcomes += self._place(_Arrived(block, encoded, held.block, held.source, spent), now)
                self._commit()
            except HostError:
                for left in due[index:]:
                    if left.hash not in self.tree:
                        queue.hold(left)
                raise
            if self._laps is not None:
                self._laps.mark("tree, finality, log")
        return outcomes

    def _place(self, arrived: _Arrived, now: int | None) -> list[Outcome]:
        header, block_hash = arrived.block.header, arrived.encoded.hash
        held = Held(block_hash, header.parent, header.slot, arrived.octets, arrived.source)
        if block_hash in self.tree or self.store.record(block_hash) is not None:
            return [self._drop(held, "import", "known already", Verdict.KNOWN)]
        if now is not None and header.slot > now:
            return self._hold(held, self._early, "future", f"slot {header.slot} has not begun")
        if header.parent not in self.tree:
            if header.slot <= self.tree.root.slot or self.store.record(header.parent) is not None:
                return [self._drop(held, "import", "it does not descend from the finalised block")]
            reason = f"the parent 0x{header.parent.hex()} is missing"
            return self._hold(held, self._orphans, "orphans", reason)
        return self._import(arrived, held)

    def _import(self, arrived: _Arrived, held: Held) -> list[Outcome]:
        begun = time.perf_counter_ns()
        try:
            imported = self._importer.judge(arrived.block, arrived.encoded)
        except InvalidBlock as error:
            return self._refuse(held, error)
        judged = time.perf_counter_ns()
        record = imported.record(self.tree.node(imported.parent).record.number + 1)
        self._store(record, held, imported.state)
        if self._laps is not None:
            self._laps.mark("store")
        stored = time.perf_counter_ns()
        old = self.head
        new = self._best.added(self.tree.add(record))
        if self._recorder.on:
            self._recorder.tell_fields(
                events.Imported,
                (
                    record.hash,
                    record.parent,
                    record.state_root,
                    record.slot,
                    record.number,
                    record.ticketed,
                    arrived.decode_us,
                    (judged - begun) // 1000,
                    (stored - judged) // 1000,
                ),
            )
            if old not in (new, record.parent):
                self._reorganised(old, new)
        self._follow_head()
        self._recorder.imported(self.tree, self._best, self.store, self.waiting)
        self._importer.read_ahead()
        return [
            Outcome(
                record.hash,
                record.slot,
                Verdict.IMPORTED,
                arrived.source,
                root=record.state_root,
                milliseconds=arrived.decode_us / 1000 + (stored - begun) / 1e6,
            )
        ]

    def _store(self, record: BlockRecord, held: Held, state: State) -> None:
        since = time.monotonic() - self._synced_at
        octets = self._unsynced_octets + len(held.block)
        durable = self.settings.is_sync_due(len(self._unsynced) + 1, octets, since)
        preferred = self._best.prefers(record)
        changes = state.take_changes()
        self.store.put(record, held.block, state, changes, head=preferred, durable=durable)
        self._unsynced.append(held)
        self._unsynced_octets += len(held.block)
        if durable:
            self._now_synced()
            self._log_behind = True

    def _now_synced(self) -> None:
        self._unsynced.clear()
        self._unsynced_octets = 0
        self._synced_at = time.monotonic()

    def _commit(self, *, durable: bool = False) -> None:
        """Write the log, and sync it where the store did."""
        durable |= self._log_behind
        self._recorder.commit(self.tree, self._best, durable=durable)
        if durable:
            self._log_behind = False

    def _reorganised(self, old: bytes, new: bytes) -> None:
        route = self.tree.route(old, new)
        if route.left:
            self._recorder.tell(
                events.Reorganised(old, new, route.ancestor, len(route.left), len(route.entered))
            )

    def _follow_head(self) -> None:
        """Tell the store of the head, and finalise what that makes due."""
        if self.store.head != self.head:
            self.store.set_head(self.head, durable=False)
        due = self.settings.finality.due(self.tree, self.head)
        if due is not None:
            self._finalise(due)

    def _undecodable(self, octets: bytes, source: str, error: DecodeError) -> Outcome:
        block_hash = blake2b(octets)
        self._recorder.tell(events.Refused(block_hash, 0, b"undecodable", _detail(error)))
        return Outcome(block_hash, 0, Verdict.REFUSED, source, "undecodable", str(error))

    def _refuse(self, held: Held, error: InvalidBlock) -> list[Outcome]:
        """Refuse a block, and drop those that wait for it."""
        self._recorder.tell(events.Refused(held.hash, held.slot, error.code.encode(), _detail(error)))
        outcomes = [Outcome(held.hash, held.slot, Verdict.REFUSED, held.source, error.code, str(error))]
        for behind in self._orphans.branch(held.hash):
            outcomes.append(self._drop(behind, "orphans", "an ancestor was refused"))
        return outcomes

    def _hold(self, held: Held, queue: WaitingBlocks, name: str, reason: str) -> list[Outcome]:
        gone = queue.hold(held)
        missing = held.parent if queue is self._orphans else None
        outcomes = [
            Outcome(
                held.hash,
                held.slot,
                Verdict.HELD,
                held.source,
                name,
                reason,
                waited_for=missing,
            )
        ]
        outcomes += [self._drop(one, name, "the queue is full") for one in gone]
        return outcomes

    def _drop(self, held: Held, queue: str, reason: str, verdict: Verdict = Verdict.DROPPED) -> Outcome:
        missing = held.parent if queue == "orphans" else None
        if self._recorder.on:
            self._recorder.tell(
                events.Dropped(held.hash, missing or bytes(32), queue.encode(), reason.encode())
            )
        return Outcome(held.hash, held.slot, verdict, held.source, queue, reason, None, missing)


def _detail(error: Exception) -> bytes:
    return str(error)[:_MAX_DETAIL].encode()
