"""The interface between a chain and the place where its blocks and states are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from jamliquor.chain.record import BlockRecord
from jamliquor.state.state import State
from jamliquor.state.trie import Trie


class PruneReport(NamedTuple):
    """What one step of pruning removed.

    Attributes:
        bodies: blocks whose body was removed; their records stay.
        records: blocks of which nothing remains.
        bodies_before: every body of a slot below this one is gone.
        records_before: every record of a slot below this one is gone.
        finished: whether nothing is left to prune at the wanted bound.
    """

    bodies: int
    records: int
    bodies_before: int
    records_before: int
    finished: bool


class Counters(NamedTuple):
    """What a store did since it was opened; a memory store counts zero everywhere.

    Attributes:
        value_hits, value_misses: reads of entries that needed no disk, and that did.
        page_hits, page_misses: reads of trie pages from the cache, and from disk.
        cache_bytes: size of the cache now.
        commits, synced: atomic writes, and those of them that waited for the disk.
        written: bytes handed to the file.
        fetched: reads of entries that were foreseen, and so needed the disk before their time.
    """

    value_hits: int = 0
    value_misses: int = 0
    page_hits: int = 0
    page_misses: int = 0
    cache_bytes: int = 0
    commits: int = 0
    synced: int = 0
    written: int = 0
    fetched: int = 0


class StateView(Protocol):
    """The state after one block, with the records of the blocks before it."""

    @property
    def record(self) -> BlockRecord:
        """The record of the block."""

    @property
    def trie(self) -> Trie:
        """The entries of the state."""

    def record_of(self, block_hash: bytes, /) -> BlockRecord | None:
        """The record of a block, if it was kept."""


class PinnedState(StateView, Protocol):
    """The base of a store at one moment. Any thread may read it while the store goes on.

    After :meth:`release`, or when the store is compacted or closed, reading raises
    :class:`~jamliquor.errors.HostError`.
    """

    def release(self) -> None:
        """Have nothing kept for this any more."""


class Store(Protocol):
    """Blocks, their records, and the states that are kept.

    The *base* is the oldest state kept; :meth:`state` knows it and those of blocks that descend from
    it. Every method may raise :class:`~jamliquor.errors.StoreError` when the disk fails; nothing is
    half done then. One thread at a time may call a store; the states it hands out may be used by any.
    """

    @property
    def head(self) -> bytes | None:
        """Hash of the head as last set, or None before :meth:`initialise`."""

    @property
    def finalised(self) -> bytes | None:
        """Hash of the last finalised block, or None before :meth:`initialise`."""

    @property
    def base(self) -> bytes | None:
        """Hash of the block whose state is the oldest one kept, or None before :meth:`initialise`."""

    @property
    def counters(self) -> Counters:
        """What was read and written since the store was opened."""

    @property
    def size_on_disk(self) -> int:
        """Bytes of disk space in use."""

    def initialise(
        self,
        record: BlockRecord,
        entries: Iterable[tuple[bytes, bytes]],
        *,
        genesis: bytes | None = None,
        ancestors: Iterable[BlockRecord] = (),
    ) -> State:
        """Fill an empty store with its first block and the state after it.

        The block becomes head and finalised. Its number is 0, or that of its ancestors' records.

        Args:
            entries: 31-octet keys and values, read in bounded portions, in any order.
            genesis: hash of the chain's first header, where that is not the block's own.
            ancestors: records of blocks before it, read after the entries.

        Raises:
            StoreError: the store is not empty, or the entries' root is not the record's.
            ValueError: a key occurs twice.
        """

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
        """Keep a block and the state after it, in one atomic write.

        Args:
            record: the block's record; its parent's state must be kept.
            block: the encoded block, or None to keep no body.
            state: the child that :meth:`State.child` made from the parent's kept state.
            changes: what :meth:`State.take_changes` gives for it.
            head: whether the block becomes the head in the same write.
            durable: whether to return only when the write would survive a loss of power. Otherwise it
                is in order behind the writes before it, and durable with the next durable one or
                :meth:`sync`; until then a crash loses it whole.
        """

    def state(self, block_hash: bytes) -> State | None:
        """The state after a block, if it is kept."""

    def record(self, block_hash: bytes) -> BlockRecord | None:
        """The record of a block, if it is kept."""

    def block(self, block_hash: bytes) -> bytes | None:
        """The encoded block, if its body is kept."""

    def at_slot(self, slot: int) -> list[bytes]:
        """Hashes of the blocks known at a slot, sorted."""

    def records(self, first_slot: int, last_slot: int) -> Iterator[BlockRecord]:
        """Records of the slots from ``first_slot`` to ``last_slot`` inclusive, by slot and hash."""

    def set_head(self, block_hash: bytes, *, durable: bool = True) -> None:
        """Make a block with a kept state the head."""

    def finalise(
        self, block_hash: bytes, dropped: Iterable[bytes] = (), *, durable: bool = True
    ) -> None:
        """Make a block with a kept state the last finalised one.

        Everything about the ``dropped`` blocks is forgotten: name those that do not descend from the
        finalised block and are no ancestors of it. The base may follow up to this block, at once or
        with later calls; a state that the base left behind, or that is no descendant of it, is no
        longer kept. Using one raises :class:`~jamliquor.errors.HostError`, never gives wrong data.
        """

    def prune_blocks(
        self, bodies_before: int, records_before: int = 0, *, limit: int = 256
    ) -> PruneReport:
        """Forget bodies, and records, of finalised blocks below two slots, oldest first.

        A call looks at ``limit`` blocks at most, so that it runs in bounded time; call again until the
        report says finished. Blocks from the base on stay whole, and so do records that lookup
        anchors may still name (equation 5.3), whatever the bounds say.
        """

    @property
    def repaired(self) -> list[str]:
        """What was damaged and has been put right when the store was opened, in words."""

    @property
    def damage(self) -> str:
        """What is damaged and could not be repaired; empty if nothing is known to be."""

    def pin(self) -> PinnedState:
        """The base as it is now; it stays readable while the base moves on, until it is released.

        Meanwhile the space of what changes is not used again, and changes of blocks above it are
        kept. One at a time can be pinned.

        Raises:
            StoreError: there is no base yet, or another state is pinned.
        """

    def look_for_snapshots(self) -> None:
        """Look at the folder of snapshots anew: changes are kept for the newest one."""

    def suspect(self) -> None:
        """Have the next opening look at the whole state on disk, because damage was met."""

    def sync(self) -> None:
        """Make every write so far durable."""

    def compact(self) -> int:
        """Give free space back to the disk; returns the number of bytes given back.

        Takes time that grows with the size on disk: for quiet moments.
        """

    def close(self) -> None:
        """Write what is pending and release the files; the store cannot be used afterwards."""
