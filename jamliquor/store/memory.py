"""A store without files, for tests and one-shot runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from jamliquor.chain.record import BlockRecord
from jamliquor.errors import StoreError
from jamliquor.params import ChainParams
from jamliquor.state.state import State
from jamliquor.store.interface import Counters, PinnedState, PruneReport
from jamliquor.store.pinned import KeptState
from jamliquor.store.window import DEFAULT_KEEP_STATES, Window


class MemoryStore:
    """Keeps blocks and states in memory, by the rules of :class:`~jamliquor.store.interface.Store`.

    Args:
        params: the chain's parameters.
        keep_states: how many states to keep below the head, its own included, once they are final.
    """

    def __init__(self, params: ChainParams, *, keep_states: int = DEFAULT_KEEP_STATES) -> None:
        self.params = params
        self._window = Window(keep_states)
        self._records: dict[bytes, BlockRecord] = {}
        self._blocks: dict[bytes, bytes] = {}
        self._slots: dict[int, list[bytes]] = {}
        self._bodies_until = (0, b"")
        self._records_before = 0

    @property
    def head(self) -> bytes | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._window.head

    @property
    def finalised(self) -> bytes | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._window.finalised

    @property
    def base(self) -> bytes | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._window.base

    @property
    def counters(self) -> Counters:
        """All zero: nothing is read from a disk."""
        return Counters()

    @property
    def size_on_disk(self) -> int:
        """Zero."""
        return 0

    def initialise(
        self,
        record: BlockRecord,
        entries: Iterable[tuple[bytes, bytes]],
        *,
        genesis: bytes | None = None,
        ancestors: Iterable[BlockRecord] = (),
    ) -> State:
        """See :class:`~jamliquor.store.interface.Store`."""
        del genesis
        if self._window.head is not None:
            raise StoreError("the store is not empty")
        state = State.from_entries(self.params, entries)
        if state.root != record.state_root:
            raise StoreError(
                f"the entries' root is 0x{state.root.hex()}, not 0x{record.state_root.hex()}"
            )
        for ancestor in list(ancestors):
            self._remember(ancestor)
        self._window.start(record, state)
        self._remember(record)
        return state

    def put(
        self,
        record: BlockRecord,
        block: bytes | None,
        state: State,
        changes: Mapping[bytes, bytes | None],
        *,
        head: bool = False,
        durable: bool = True,
    ) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        del changes, durable
        self._window.check(record, state)
        self._window.add(record, state)
        self._remember(record)
        if block is not None:
            self._blocks[record.hash] = block
        if head:
            self._window.set_head(record.hash)
        self._advance()

    def state(self, block_hash: bytes) -> State | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._window.state(block_hash)

    def record(self, block_hash: bytes) -> BlockRecord | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._records.get(block_hash)

    def block(self, block_hash: bytes) -> bytes | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._blocks.get(block_hash)

    def at_slot(self, slot: int) -> list[bytes]:
        """See :class:`~jamliquor.store.interface.Store`."""
        return sorted(self._slots.get(slot, ()))

    def records(self, first_slot: int, last_slot: int) -> Iterator[BlockRecord]:
        """See :class:`~jamliquor.store.interface.Store`."""
        for slot in sorted(slot for slot in self._slots if first_slot <= slot <= last_slot):
            for block_hash in self.at_slot(slot):
                yield self._records[block_hash]

    def set_head(self, block_hash: bytes, *, durable: bool = True) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        del durable
        self._window.set_head(block_hash)
        self._advance()

    def finalise(
        self, block_hash: bytes, dropped: Iterable[bytes] = (), *, durable: bool = True
    ) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        del durable
        doomed = list(dropped)
        self._window.finalise(block_hash, doomed)
        for one in doomed:
            self._forget(one)
        self._advance()

    def prune_blocks(
        self, bodies_before: int, records_before: int = 0, *, limit: int = 256
    ) -> PruneReport:
        """See :class:`~jamliquor.store.interface.Store`."""
        bodies_before, records_before = self._window.prunable(
            self.params, bodies_before, records_before
        )
        order = [(record.slot, record.hash) for record in self.records(0, bodies_before - 1)]
        bodies = [place for place in order if place > self._bodies_until][:limit]
        records = [place for place in order if place[0] < records_before][: limit - len(bodies)]
        for _, one in bodies:
            self._blocks.pop(one, None)
        for _, one in records:
            self._forget(one)
        finished = len(bodies) + len(records) < limit
        nowhere = (0, b"")
        last_body = (bodies_before, b"") if finished else max(bodies, default=nowhere)
        last_record = (records_before, b"") if finished else max(records, default=nowhere)
        self._bodies_until = max(self._bodies_until, last_body)
        self._records_before = max(self._records_before, last_record[0])
        return PruneReport(
            len(bodies), len(records), self._bodies_until[0], self._records_before, finished
        )

    @property
    def repaired(self) -> list[str]:
        """Nothing."""
        return []

    @property
    def damage(self) -> str:
        """Nothing."""
        return ""

    def pin(self) -> PinnedState:
        """See :class:`~jamliquor.store.interface.Store`; any number of states can be pinned."""
        if self._window.base is None:
            raise StoreError("there is no base yet")
        record, state = self._window.require(self._window.base)
        return KeptState(record, state.trie, dict(self._records).get)

    def look_for_snapshots(self) -> None:
        """Nothing: there is no folder."""

    def suspect(self) -> None:
        """Nothing: there is no disk."""

    def sync(self) -> None:
        """Nothing is pending in memory."""

    def compact(self) -> int:
        """Nothing to give back."""
        return 0

    def close(self) -> None:
        """Nothing to release."""

    def _remember(self, record: BlockRecord) -> None:
        self._records[record.hash] = record
        self._slots.setdefault(record.slot, []).append(record.hash)

    def _forget(self, block_hash: bytes) -> None:
        record = self._records.pop(block_hash, None)
        self._blocks.pop(block_hash, None)
        if record is not None:
            self._slots[record.slot].remove(block_hash)
            if not self._slots[record.slot]:
                del self._slots[record.slot]

    def _advance(self) -> None:
        target = self._window.next_base()
        if target is not None:
            self._window.advance(target)
