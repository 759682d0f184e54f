"""What a node does before it takes its first block: find out what is there, and put it right.

Only what is safe is done without asking: a block whose state is missing is imported again from its
stored body, and where that cannot be, it is forgotten with its descendants, so that it can be
received once more. Final blocks are never forgotten; if their state is missing, the start fails.
"""

from __future__ import annotations

from typing import NamedTuple

from jamliquor.chain import events
from jamliquor.chain.best_chain import BestChain
from jamliquor.chain.importer import Importer
from jamliquor.chain.record import BlockRecord
from jamliquor.chain.replay import Replay
from jamliquor.chain.tree import BlockTree
from jamliquor.errors import (
    DecodeError,
    HostError,
    InvalidBlock,
    ReplayMismatch,
    StoreDamaged,
    StoreError,
    Unjudged,
)
from jamliquor.params import ChainParams
from jamliquor.store.disk import REBUILD
from jamliquor.store.events import EventLog
from jamliquor.store.interface import Store

_LAST_SLOT = (1 << 32) - 1
_SHOWN = 8


class Start(NamedTuple):
    """Where a node begins.

    Attributes:
        recovered: what was put right, for people.
        events: the same for the log.
    """

    tree: BlockTree
    recovered: list[str]
    events: list[events.Recovered]


def start(
    params: ChainParams,
    importer: Importer,
    store: Store,
    log: EventLog | None,
    max_unfinalised: int,
) -> Start:
    """Rebuild the tree from the store, with every state there or made again.

    Raises:
        StoreError: the store is empty, or the finalised block's state is missing.
        StoreDamaged: a part of the state is damaged and could not be repaired.
    """
    found: list[events.Recovered] = []
    if store.repaired:
        found.append(_event("state", store.base or bytes(32), _repaired(store.repaired)))
    if store.damage:
        raise StoreDamaged(f"{store.damage}; {REBUILD}")
    if log is not None and log.repaired:
        found.append(_event("log", bytes(32), log.repaired))
    logged, problem = _logged(log)
    root = _root(store)
    importer.add_records(store.records(max(0, root.slot - params.max_lookup_anchor_age), root.slot))
    remembered = [] if logged.tree is None else logged.tree.remembered
    tree = BlockTree(
        root,
        remembered=[one for one in remembered if one[0] > root.slot],
        max_blocks=max_unfinalised,
    )
    broken = _add_whole(tree, importer, store)
    if broken:
        # The store needs a head with a state before it takes the others.
        store.set_head(BestChain(tree).head, durable=False)
        lost = [one for one in broken if not _restore(tree, importer, store, one)]
        if len(lost) < len(broken):
            remade = len(broken) - len(lost)
            detail = f"{remade} states were missing: their blocks were imported again"
            found.append(_event("states", BestChain(tree).head, detail))
        if lost:
            found.append(_forget(store, tree, lost))
    if problem or _differs(logged, tree):
        reason = problem or "the log told of another tree than the store holds"
        found.append(_event("events", BestChain(tree).head, reason))
    return Start(tree, [event.detail.decode() for event in found], found)


def _root(store: Store) -> BlockRecord:
    if store.finalised is None:
        raise StoreError("the store is empty: it needs a genesis first")
    root = store.record(store.finalised)
    if root is None or not _is_whole(store, root):
        raise StoreError(
            f"the state of the finalised block 0x{store.finalised.hex()} is missing or damaged; "
            f"{REBUILD}"
        )
    return root


def _repaired(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (" and more" if len(names) > _SHOWN else "")
    return f"parts of the state were damaged and made anew: {shown}"


def _is_whole(store: Store, record: BlockRecord) -> bool:
    try:
        state = store.state(record.hash)
    except HostError:
        return False
    return state is not None and state.root == record.state_root


def _add_whole(tree: BlockTree, importer: Importer, store: Store) -> list[BlockRecord]:
    """Fill the tree with the blocks whose state is there; returns the others, parents first."""
    broken: list[BlockRecord] = []
    for record in list(store.records(tree.root.slot + 1, _LAST_SLOT)):
        importer.add_records([record])
        if record.parent in tree and _is_whole(store, record):
            tree.add(record)
        else:
            broken.append(record)
    return broken


def _restore(tree: BlockTree, importer: Importer, store: Store, record: BlockRecord) -> bool:
    """Make a block's state from its stored body; False if that cannot be."""
    body = store.block(record.hash)
    if body is None or record.parent not in tree:
        return False
    if not _is_whole(store, record):
        try:
            imported = importer.import_block(body)
        except (InvalidBlock, Unjudged, DecodeError):
            return False
        if imported.hash != record.hash or imported.root != record.state_root:
            return False
        changes = imported.state.take_changes()
        store.put(record, body, imported.state, changes, durable=False)
    tree.add(record)
    return True


def _forget(store: Store, tree: BlockTree, lost: list[BlockRecord]) -> events.Recovered:
    """Have the store forget blocks without a state; the best block with one becomes the head."""
    head = BestChain(tree).head
    if store.head != head:
        store.set_head(head, durable=False)
    store.finalise(tree.root.hash, [record.hash for record in lost])
    detail = (
        f"{len(lost)} blocks without a whole state were forgotten and can be received again; "
        f"the head is now 0x{head.hex()} of slot {tree.node(head).record.slot}"
    )
    return _event("head", head, detail)


def _logged(log: EventLog | None) -> tuple[Replay, str]:
    """What the log's end tells, and what contradicts itself in it."""
    replay = Replay()
    if log is None:
        return replay, ""
    for entry in log.since_last_listing():
        try:
            replay.apply(entry.event)
        except ReplayMismatch as error:
            return replay, f"event {entry.sequence}: {error}"
    return replay, ""


def _differs(logged: Replay, tree: BlockTree) -> bool:
    if logged.tree is None or logged.head is None:
        return False
    return events.digest(logged.tree, logged.head) != events.digest(tree, BestChain(tree).head)


def _event(what: str, block_hash: bytes, detail: str) -> events.Recovered:
    return events.Recovered(block_hash, what.encode(), detail.encode())
