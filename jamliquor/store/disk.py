"""The store on disk: one directory, one database file, one process."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from jamliquor.chain.record import BlockRecord
from jamliquor.errors import HostError, StoreDamaged, StoreError
from jamliquor.params import ChainParams
from jamliquor.state.state import State
from jamliquor.store._db import Database, Table, Trial, Write
from jamliquor.store.directory import Directory
from jamliquor.store.interface import Counters, PinnedState, PruneReport
from jamliquor.store.mending import Own, mend, own_snapshots
from jamliquor.store.pinned import PinnedBase
from jamliquor.store.rows import (
    HASH_BYTES,
    LAST_SLOT,
    SLOT_BYTES,
    changes_key,
    decode_changes,
    decode_record,
    encode_changes,
    removal_of,
    rows_of,
    slot_key,
)
from jamliquor.store.window import DEFAULT_KEEP_STATES, Window

FORMAT: Final = b"3"
"""Version of the layout of tables and rows that is written."""

FORMATS: Final = (b"2", FORMAT)
"""Versions that are read; a store of another one is refused. Before 3 all values were in one part."""

REBUILD: Final = "jamliquor repair --rebuild makes the state anew from snapshot and blocks"
"""What to do about damage that cannot be repaired in place."""

DEFAULT_CACHE_BYTES: Final = 12 << 20
DEFAULT_FILE_CACHE_BYTES: Final = 7 << 20

DEFAULT_STRIDE: Final = 8

# Writes that are not durable hold back the space they free, so they are synced after this many bytes.
_GROUP_BYTES: Final = 32 << 20

# A load commits after this many bytes of entries: bounds its memory, and the times pages are rewritten.
_LOAD_BYTES: Final = 2 << 20

# The same for records.
_LOAD_RECORDS: Final = 256

_FORMAT, _READY, _GENESIS = b"format", b"ready", b"genesis"
_HEAD, _FINALISED, _BASE = b"head", b"finalised", b"base"
_BODIES_UNTIL, _RECORDS_BEFORE = b"bodies_until", b"records_before"

# Change sets that a move of the base removes at most beyond those it makes old.
_STALE_CHANGES: Final = 64

# Behind every key of every table.
_END: Final = b"\xff" * 64


class DiskStore:
    """Keeps blocks and states on disk, by the rules of :class:`~jamliquor.store.interface.Store`.

    The database holds the base state in full; the younger states that are kept lie in memory as what
    they changed, and are made again from their change sets when the store is opened.

    Args:
        path: the directory; made when it is missing.
        params: the chain's parameters.
        genesis: hash of the first block that a store of this chain has, or None to take any.
        keep_states: how many states to keep below the head, its own included, once they are final.
        stride: the base moves on by this many blocks at once, so that parts of the state that several
            blocks change are written once; so many states more are kept meanwhile.
        cache_bytes: bound of the state's pages and values in memory.
        repair: whether to repair damage that is met, or was met earlier, before anything else.
        trial: how the file is to misbehave, in tests.

    Attributes:
        repaired: what was damaged and has been put right, in words.
        damage: what is damaged and could not be repaired; empty if nothing is known to be.

    Raises:
        StoreError: the directory cannot be used, is used by another process, belongs to another chain
            or another version, or is damaged. It is left as it was.
    """

    def __init__(
        self,
        path: Path | str,
        params: ChainParams,
        *,
        genesis: bytes | None = None,
        keep_states: int = DEFAULT_KEEP_STATES,
        stride: int = DEFAULT_STRIDE,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        file_cache_bytes: int = DEFAULT_FILE_CACHE_BYTES,
        repair: bool = True,
        trial: Trial = Trial(),  # noqa: B008 (a frozen value)
    ) -> None:
        self.params = params
        self._window = Window(keep_states, stride)
        self._directory = Directory(Path(path))
        self._pending = 0
        self._waiting: list[Write] = []
        self._snapshots: list[Own] = []
        self._pinned: PinnedBase | None = None
        self.repaired: list[str] = []
        self.damage = ""
        self._opening = (cache_bytes, file_cache_bytes, trial)
        try:
            self._database = self._open()
            try:
                self._check_chain(genesis)
                self._mark_format()
                self._start(repair=repair)
            except BaseException as error:
                self._database.close()
                if isinstance(error, StoreDamaged):
                    raise StoreDamaged(f"{error}; {REBUILD}") from None
                raise
        except BaseException:
            self._directory.release()
            raise

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
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._database.counters

    @property
    def size_on_disk(self) -> int:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._directory.size

    def initialise(
        self,
        record: BlockRecord,
        entries: Iterable[tuple[bytes, bytes]],
        *,
        genesis: bytes | None = None,
        ancestors: Iterable[BlockRecord] = (),
    ) -> State:
        """See :class:`~jamliquor.store.interface.Store`."""
        if self._window.head is not None:
            raise StoreError(f"{self._directory.path}: the store is not empty")
        self._load(entries)
        state = State(self.params, self._database.base())
        if state.root != record.state_root:
            raise StoreError(
                f"the entries' root is 0x{state.root.hex()}, not 0x{record.state_root.hex()}"
            )
        older = iter(ancestors)
        while some := list(itertools.islice(older, _LOAD_RECORDS)):
            rows = [row for ancestor in some for row in rows_of(ancestor, None)]
            self._commit(rows, durable=False)
        names = {_READY: b"1", _GENESIS: record.hash if genesis is None else genesis}
        names |= dict.fromkeys((_HEAD, _FINALISED, _BASE), record.hash)
        self._commit([*rows_of(record, None), *_meta(names)], durable=True)
        self._directory.sync()
        self._window.start(record, state)
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
        self._window.check(record, state)
        after = self._window.copy()
        after.add(record, state)
        row = encode_changes(changes)
        writes = rows_of(record, block)
        writes.append(Write(Table.CHANGES, changes_key(record.number, record.hash), row))
        if head:
            after.set_head(record.hash)
            writes += _meta({_HEAD: record.hash})
        self._move(after, writes, durable=durable)

    def state(self, block_hash: bytes) -> State | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._window.state(block_hash)

    def record(self, block_hash: bytes) -> BlockRecord | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        row = self._database.get(Table.RECORDS, block_hash)
        return None if row is None else decode_record(block_hash, row)

    def block(self, block_hash: bytes) -> bytes | None:
        """See :class:`~jamliquor.store.interface.Store`."""
        return self._database.get(Table.BLOCKS, block_hash)

    def at_slot(self, slot: int) -> list[bytes]:
        """See :class:`~jamliquor.store.interface.Store`."""
        return [key[SLOT_BYTES:] for key in self._slot_rows(slot_key(slot), slot + 1)]

    def records(self, first_slot: int, last_slot: int) -> Iterator[BlockRecord]:
        """See :class:`~jamliquor.store.interface.Store`."""
        for key in self._slot_rows(slot_key(first_slot), last_slot + 1):
            record = self.record(key[SLOT_BYTES:])
            if record is not None:
                yield record

    def set_head(self, block_hash: bytes, *, durable: bool = True) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        after = self._window.copy()
        after.set_head(block_hash)
        self._move(after, _meta({_HEAD: block_hash}), durable=durable)

    def finalise(
        self, block_hash: bytes, dropped: Iterable[bytes] = (), *, durable: bool = True
    ) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        doomed = list(dropped)
        after = self._window.copy()
        after.finalise(block_hash, doomed)
        writes = _meta({_FINALISED: block_hash})
        for one in doomed:
            record = self.record(one)
            if record is not None:
                writes += removal_of(record)
                writes.append(Write(Table.CHANGES, changes_key(record.number, one), None))
        if durable or doomed or after.next_base() is not None:
            self._move(after, writes, durable=durable)
        else:
            # A crash may take it back in any case, and the next block comes soon.
            self._window, self._waiting = after, writes

    def prune_blocks(
        self, bodies_before: int, records_before: int = 0, *, limit: int = 256
    ) -> PruneReport:
        """See :class:`~jamliquor.store.interface.Store`."""
        bodies_before, records_before = self._window.prunable(
            self.params, bodies_before, records_before
        )
        cursor, records_done = self._pruned()
        bodies = list(itertools.islice(self._slot_rows(cursor, bodies_before), limit))
        left = limit - len(bodies)
        records = list(itertools.islice(self._slot_rows(b"", records_before), left))
        finished = len(bodies) + len(records) < limit
        writes = [Write(Table.BLOCKS, key[SLOT_BYTES:], None) for key in bodies]
        for key in records:
            writes.append(Write(Table.SLOTS, key, None))
            writes.append(Write(Table.RECORDS, key[SLOT_BYTES:], None))
        last_body = slot_key(bodies_before) if finished else max(bodies, default=b"") + b"\0"
        last_record = slot_key(records_before) if finished else max(records, default=b"")
        cursor = max(cursor, last_body)
        records_done = max(records_done, last_record[:SLOT_BYTES])
        if (cursor, records_done) != self._pruned():
            writes += _meta({_BODIES_UNTIL: cursor, _RECORDS_BEFORE: records_done})
            if last := self.record(bodies[-1][SLOT_BYTES:]) if bodies else None:
                writes += self._old_changes(last.number, limit)
            self._commit(writes, durable=False)
        reached = (_slot(cursor), _slot(records_done))
        return PruneReport(len(bodies), len(records), *reached, finished)

    def sync(self) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        if self._pending or self._waiting:
            self._commit([], durable=True)

    def compact(self) -> int:
        """See :class:`~jamliquor.store.interface.Store`."""
        self.sync()
        self._unpin()
        before = self.size_on_disk
        self._database.compact()
        return max(0, before - self.size_on_disk)

    def verify(self, *, limit: int = 100) -> list[str]:
        """Read everything and compare it with its checksums and hashes.

        Returns a sentence for each thing that is damaged, at most ``limit``; the time it takes grows
        with the size on disk.
        """
        self.sync()
        self._unpin()
        return self._database.verify(limit)

    def close(self) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        try:
            try:
                self.sync()
            finally:
                self._unpin()
                # Also after a write that failed: only closing lets the file be opened again.
                self._database.close()
        finally:
            self._directory.release()

    def _open(self) -> Database:
        cache_bytes, file_cache_bytes, trial = self._opening
        path = self._directory.database
        if not path.exists():
            # A file whose making was interrupted never gets the name of a database.
            draft = self._directory.draft()
            Database(draft, cache_bytes, file_cache_bytes, Trial()).close()
            draft.rename(path)
            self._directory.sync()
        return Database(path, cache_bytes, file_cache_bytes, trial)

    def _check_chain(self, genesis: bytes | None) -> None:
        """Refuse a directory that is not of this version and chain."""
        path = self._directory.path
        found = self._database.get(Table.META, _FORMAT)
        if found is None:
            return
        if found not in FORMATS:
            newer = found.isdigit() and int(found) > int(FORMAT)
            advice = "update jamliquor" if newer else f"run: jamliquor migrate {path}"
            raise StoreError(
                f"{path}: has format {found.decode('ascii', 'replace')}, this version reads format "
                f"{FORMAT.decode()}; {advice}"
            )
        first = self._database.get(Table.META, _GENESIS)
        if genesis is not None and first is not None and first != genesis:
            raise StoreError(
                f"{path}: belongs to the chain with genesis 0x{first.hex()}, not 0x{genesis.hex()}"
            )

    def _mark_format(self) -> None:
        """Name the format of what will be written, before an older version can misread it."""
        if self._database.get(Table.META, _FORMAT) not in (None, FORMAT):
            self._commit(_meta({_FORMAT: FORMAT}), durable=True)

    def mend(self) -> list[str]:
        """Look at the whole state on disk and repair it from snapshots, as far as that can be.

        Returns:
            What was repaired; what was not is in ``damage``.
        """
        self.sync()
        base = self._required(self._name(_BASE))
        mending = mend(self._database, self._snapshots, base, self.record)
        self.repaired += mending.repaired
        self.damage = mending.left
        self._directory.suspect = bool(mending.left)
        return mending.repaired

    def pin(self) -> PinnedState:
        """See :class:`~jamliquor.store.interface.Store`."""
        if self._pinned_number is not None:
            raise StoreError(f"{self._directory.path}: a state is pinned already")
        if self._window.base is None:
            raise StoreError(f"{self._directory.path}: there is no base yet")
        self._pinned = PinnedBase(self._required(self._window.base), self._database.pin())
        return self._pinned

    def look_for_snapshots(self) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        self._snapshots = own_snapshots(self._directory.snapshots, self.record)

    def suspect(self) -> None:
        """See :class:`~jamliquor.store.interface.Store`."""
        with contextlib.suppress(OSError):
            self._directory.suspect = True

    def _start(self, *, repair: bool) -> None:
        """Recover what is kept; where damage is met, or was met earlier, repair it first."""
        if self._database.get(Table.META, _READY) is None:
            return
        self.look_for_snapshots()
        if repair and self._directory.suspect:
            self.mend()
        if not self._recover() and repair and not self.damage:
            self.mend()
            self._recover()
        final = self._name(_FINALISED)
        if self._window.state(final) is None:
            why = f" ({self.damage})" if self.damage else ""
            raise StoreDamaged(
                f"{self._directory.path}: the state of the final block 0x{final.hex()} is missing or "
                f"damaged{why}"
            )
        self._window.finalised = self._window.require(final).record.hash
        self._window.head = self._newest_whole(self._name(_HEAD))

    def _recover(self) -> bool:
        """Make the kept states from the base and the change sets above it.

        A block whose state cannot be made is left without one, and so are its descendants; the head
        goes back to the newest block that has one. Whoever uses the store may import them again.

        Returns:
            Whether every part of the base that was read was whole.
        """
        base, whole = self._name(_BASE), True
        record = self._required(base)
        state = State(self.params, self._database.base())
        if state.root != record.state_root:
            raise StoreDamaged(f"{self._directory.path}: the state on disk is not that of its block")
        self._window = Window(self._window.keep_states, self._window.stride)
        self._window.start(record, state)
        first = changes_key(record.number + 1)
        for key in self._database.keys(Table.CHANGES, first, _END):
            child = self.record(key[-HASH_BYTES:])
            parent = None if child is None else self._window.state(child.parent)
            if child is None or parent is None:
                continue
            try:
                row = self._database.get(Table.CHANGES, key) or b""
            except StoreDamaged:
                # Of the base everything may be whole; the block is imported again.
                continue
            try:
                state = State(self.params, parent.trie.apply(decode_changes(row)))
            except StoreDamaged:
                whole = False
                continue
            except (HostError, ValueError):
                continue
            if state.root == child.state_root:
                self._window.add(child, state)
        return whole

    def _newest_whole(self, block_hash: bytes) -> bytes:
        """The block itself if its state is kept, else its newest ancestor with one."""
        while self._window.state(block_hash) is None:
            block_hash = self._required(block_hash).parent
        return block_hash

    def _name(self, name: bytes) -> bytes:
        value = self._database.get(Table.META, name)
        if value is None:
            raise StoreDamaged(f"{self._directory.path}: damaged: row {name.decode()} is missing")
        return value

    def _required(self, block_hash: bytes) -> BlockRecord:
        record = self.record(block_hash)
        if record is None:
            raise StoreDamaged(
                f"{self._directory.path}: damaged: no record of block 0x{block_hash.hex()}"
            )
        return record

    def _load(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Make the base from entries; until the store is ready, nothing of it counts."""
        if len(self._database.base()):
            # A load that was interrupted.
            self._database.close()
            self._directory.database.unlink()
            self._database = self._open()
        self._commit(_meta({_FORMAT: FORMAT}), durable=True)
        count = 0
        for portion in _portions(entries):
            trie = self._database.base().apply(portion)
            self._database.commit([], trie, durable=True)
            count += len(portion)
        if len(self._database.base()) != count:
            raise ValueError("entries name a key twice")

    def _move(self, after: Window, writes: list[Write], *, durable: bool) -> None:
        """Write changes together with the move of the base that they allow, then let them count."""
        base: State | None = None
        target = after.next_base()
        if target is not None:
            base = after.require(target).state
            number = after.require(target).record.number
            writes += _meta({_BASE: target})
            writes += self._stale_changes(number)
            gone = after.advance(target)
            writes += [
                Write(Table.CHANGES, changes_key(kept.record.number, kept.record.hash), None)
                for kept in gone
                if kept.record.number > number
            ]
        self._commit(writes, base, durable=durable)
        if target is not None and base is not None:
            after.rehouse(target, base.rehoused(self._database.base()))
        self._window = after

    def _stale_changes(self, number: int) -> list[Write]:
        """Removals of change sets that are of no use when the base moves to a number.

        Those behind the newest snapshot below the base stay: with it they can repair the base. So do
        those behind a pinned state, of which a snapshot may be on its way.
        """
        assert self._window.base is not None, "a base moves only when there is one"
        made_old = number - self._window.require(self._window.base).record.number
        usable = (own.record.number for own in self._snapshots if own.record.number <= number)
        until = max(usable, default=number)
        if self._pinned_number is not None:
            until = min(until, self._pinned_number)
        return self._old_changes(until, made_old + _STALE_CHANGES)

    @property
    def _pinned_number(self) -> int | None:
        pinned = self._pinned
        return None if pinned is None or pinned.released else pinned.record.number

    def _unpin(self) -> None:
        if self._pinned is not None:
            self._pinned.release()
            self._pinned = None

    def _old_changes(self, number: int, limit: int) -> list[Write]:
        """Removals of change sets of blocks up to a number, oldest first."""
        keys = self._database.keys(Table.CHANGES, b"", changes_key(number + 1), limit)
        return [Write(Table.CHANGES, key, None) for key in keys]

    def _commit(self, writes: list[Write], base: State | None = None, *, durable: bool) -> None:
        durable = durable or self._pending > _GROUP_BYTES
        before = self.counters.written
        # The latest of two writes of a row counts.
        writes = [*self._waiting, *writes]
        self._database.commit(writes, None if base is None else base.trie, durable=durable)
        self._waiting = []
        self._pending = 0 if durable else self._pending + self.counters.written - before + 1

    def _slot_rows(self, first: bytes, before: int) -> Iterator[bytes]:
        """Keys of the slot index from one on, for the slots before ``before``, in order."""
        end = slot_key(before) if before <= LAST_SLOT else _END
        for key, _ in self._database.rows(Table.SLOTS, first, end):
            yield key

    def _pruned(self) -> tuple[bytes, bytes]:
        """How far bodies are gone in the slot index, and below which slot records are gone."""
        bodies = self._database.get(Table.META, _BODIES_UNTIL)
        records = self._database.get(Table.META, _RECORDS_BEFORE)
        return bodies or b"", records or b""


def _meta(rows: Mapping[bytes, bytes]) -> list[Write]:
    return [Write(Table.META, name, value) for name, value in rows.items()]


def _slot(key: bytes) -> int:
    return int.from_bytes(key[:SLOT_BYTES], "big")


def _portions(entries: Iterable[tuple[bytes, bytes]]) -> Iterator[dict[bytes, bytes | None]]:
    portion: dict[bytes, bytes | None] = {}
    size = 0
    for key, value in entries:
        if key in portion:
            raise ValueError("entries name a key twice")
        portion[key] = value
        size += len(key) + len(value)
        if size >= _LOAD_BYTES:
            yield portion
            portion, size = {}, 0
    if portion:
        yield portion
