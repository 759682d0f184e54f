"""What the node did, as values: the events of its log, their numbers and their encodings.

Every kind of event has a number and a version, and both are written with it. A changed layout is a
new version beside the old one, so that old logs stay readable. Texts are UTF-8 octets.
"""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.chain.tree import BlockTree
from jamliquor.codec import U8, U32, U64, Hash, codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError
from jamliquor.params import FULL


class Received(NamedTuple):
    """A block arrived.

    Attributes:
        octets: size of its encoding.
        source: where it came from, such as a file's name.
    """

    hash: Hash
    parent: Hash
    slot: U32
    octets: U32
    source: bytes


class Imported(NamedTuple):
    """A block was accepted; everything of its record but the header.

    Attributes:
        ticketed: 1 if a ticket sealed it.
        decode_us: microseconds spent decoding it.
        transition_us: microseconds from there to the state root.
        store_us: microseconds spent writing block and changes.
    """

    hash: Hash
    parent: Hash
    state_root: Hash
    slot: U32
    number: U32
    ticketed: U8
    decode_us: U32
    transition_us: U32
    store_us: U32


class Refused(NamedTuple):
    """A block was found invalid.

    Attributes:
        hash: of its header; of all its octets, if they are no block.
        code: name of the broken rule.
        detail: the error in words.
    """

    hash: Hash
    slot: U32
    code: bytes
    detail: bytes


class Reorganised(NamedTuple):
    """The best block moved to another branch.

    Attributes:
        ancestor: the last block that both branches share.
        left: how many blocks of the old branch lie above it: the depth.
        entered: how many blocks of the new branch do.
    """

    old: Hash
    new: Hash
    ancestor: Hash
    left: U32
    entered: U32


class Finalised(NamedTuple):
    """A block became final.

    Attributes:
        settled: how many blocks became final with it, itself included.
        dropped: how many blocks of side branches were dropped.
    """

    hash: Hash
    slot: U32
    settled: U32
    dropped: U32


class BranchesPruned(NamedTuple):
    """Side branches were dropped because they do not descend from the finalised block."""

    blocks: tuple[Hash, ...]


class BlocksPruned(NamedTuple):
    """Old blocks were removed from the store.

    Attributes:
        bodies: how many blocks lost their body; their records stay.
        records: of how many blocks nothing remains.
        bodies_before: every body of a slot below this one is gone.
        records_before: every record of a slot below this one is gone.
    """

    bodies: U32
    records: U32
    bodies_before: U32
    records_before: U32


class SnapshotTaken(NamedTuple):
    """The state after a block was written to a file."""

    hash: Hash
    slot: U32
    entries: U64
    octets: U64
    path: bytes


class Dropped(NamedTuple):
    """A queue gave something up.

    Attributes:
        queue: which one.
        reason: why.
        hash: of the block.
        waited_for: hash of the parent that was missing, or zero.
    """

    hash: Hash
    waited_for: Hash
    queue: bytes
    reason: bytes


class Started(NamedTuple):
    """A node opened the directory. A :class:`Listed` event follows.

    Attributes:
        genesis: hash of the chain's first header.
        chain: name of its parameters.
        software: version of the program.
        settings: the node's settings, ``name=value`` separated by spaces.
    """

    genesis: Hash
    chain: bytes
    software: bytes
    settings: bytes


class Stopped(NamedTuple):
    """The node closed the directory in good order."""

    head: Hash
    slot: U32
    reason: bytes


class Recovered(NamedTuple):
    """On start, something was put right. A :class:`Listed` event follows before anything else.

    Attributes:
        what: ``log``, ``head``, ``events`` or another name of the thing that was put right.
        hash: of the block that is concerned, or zero.
        detail: what was done, in words.
    """

    hash: Hash
    what: bytes
    detail: bytes


class ListedBlock(NamedTuple):
    """One block of a :class:`Listed` event."""

    hash: Hash
    parent: Hash
    state_root: Hash
    slot: U32
    number: U32
    ticketed: U8


class SeenSlot(NamedTuple):
    """A slot of which more was seen than the tree holds.

    Attributes:
        sole: the only valid block of the slot, which was dropped; zero if there were two.
    """

    slot: U32
    sole: Hash


class Listed(NamedTuple):
    """The whole tree of blocks, so that a log can be replayed from here.

    Attributes:
        head: the best block.
        digest: :func:`digest` of tree and head.
        blocks: the finalised block, then all others, parents before children.
        seen: what the tree remembers of slots beside its blocks.
    """

    head: Hash
    digest: Hash
    blocks: tuple[ListedBlock, ...]
    seen: tuple[SeenSlot, ...]


class Checkpoint(NamedTuple):
    """What the node's state is at this place in the log.

    Attributes:
        digest: :func:`digest` of tree and head.
        imported: how many blocks the node has imported since it started.
    """

    head: Hash
    state_root: Hash
    digest: Hash
    imported: U64


class Sampled(NamedTuple):
    """What the node used.

    Attributes:
        resident: octets of memory in use.
        peak: the most octets of memory that were ever in use.
        cpu_ms: milliseconds of processor time since the process started.
        store: octets of the store on disk.
        waiting: blocks that wait for a parent or their slot.
    """

    resident: U64
    peak: U64
    cpu_ms: U64
    store: U64
    waiting: U32


class Authored(NamedTuple):
    """We made a block, and it left.

    Attributes:
        octets: size of its encoding.
        size: how much went into it: 2 everything, 1 no reports and preimages, 0 nothing.
        took_us: microseconds from the beginning of the work to the block's leaving.
        late_us: microseconds from the beginning of the slot to the beginning of the work.
    """

    hash: Hash
    parent: Hash
    slot: U32
    octets: U32
    size: U8
    took_us: U32
    late_us: U32


class Skipped(NamedTuple):
    """A slot of ours passed without a block.

    Attributes:
        reason: why, in words.
    """

    slot: U32
    reason: bytes


Event = (
    Received
    | Imported
    | Refused
    | Reorganised
    | Finalised
    | BranchesPruned
    | BlocksPruned
    | SnapshotTaken
    | Dropped
    | Started
    | Stopped
    | Recovered
    | Listed
    | Checkpoint
    | Sampled
    | Authored
    | Skipped
)


class Kind(enum.IntEnum):
    """Numbers of the kinds of events, as written."""

    RECEIVED = 1
    IMPORTED = 2
    REFUSED = 3
    REORGANISED = 4
    FINALISED = 5
    BRANCHES_PRUNED = 6
    BLOCKS_PRUNED = 7
    SNAPSHOT_TAKEN = 8
    DROPPED = 9
    STARTED = 10
    STOPPED = 11
    RECOVERED = 12
    LISTED = 13
    CHECKPOINT = 14
    SAMPLED = 15
    AUTHORED = 16
    SKIPPED = 17


_LAYOUTS: Final[dict[tuple[int, int], type[Any]]] = {
    (Kind.RECEIVED, 1): Received,
    (Kind.IMPORTED, 1): Imported,
    (Kind.REFUSED, 1): Refused,
    (Kind.REORGANISED, 1): Reorganised,
    (Kind.FINALISED, 1): Finalised,
    (Kind.BRANCHES_PRUNED, 1): BranchesPruned,
    (Kind.BLOCKS_PRUNED, 1): BlocksPruned,
    (Kind.SNAPSHOT_TAKEN, 1): SnapshotTaken,
    (Kind.DROPPED, 1): Dropped,
    (Kind.STARTED, 1): Started,
    (Kind.STOPPED, 1): Stopped,
    (Kind.RECOVERED, 1): Recovered,
    (Kind.LISTED, 1): Listed,
    (Kind.CHECKPOINT, 1): Checkpoint,
    (Kind.SAMPLED, 1): Sampled,
    (Kind.AUTHORED, 1): Authored,
    (Kind.SKIPPED, 1): Skipped,
}
"""The layout of each kind and version. No layout depends on chain parameters."""

Encoder = Callable[[tuple[Any, ...]], bytes]


def _stamped_encoder(layout: type[Any]) -> Encoder:
    """Encodes number, time, kind, version and the fields, those of known size in one piece."""
    hints = typing.get_type_hints(layout, include_extras=True)
    head = [("sequence", U64), ("micros", U64), ("kind", U8), ("version", U8)]
    make_record: Any = NamedTuple
    encode: Encoder = codec(make_record("Stamped", [*head, *hints.items()]), FULL).encode
    return encode


ENCODERS: Final[dict[type[Any], tuple[int, int, Encoder]]] = {
    layout: (int(kind), version, _stamped_encoder(layout))
    for (kind, version), layout in _LAYOUTS.items()
}
"""Kind, version and encoder of each class.

An encoder makes the event as the log has it from a tuple of its number, microseconds since 1970
(8 octets each), kind, version, and its fields.
"""

NAMES: Final[dict[type[Any], str]] = {
    layout: Kind(kind).name.lower() for (kind, _), layout in _LAYOUTS.items()
}
"""What people call an event of each class."""


def encode_event(event: Event) -> bytes:
    """Kind, version, then the fields: what :func:`decode_event` reads."""
    kind, version, encode = ENCODERS[type(event)]
    return encode((0, 0, kind, version, *event))[16:]


def decode_event(data: bytes, offset: int = 0) -> Event | None:
    """The event whose encoding fills ``data`` from ``offset`` on; None if a newer node wrote it.

    Raises:
        DecodeError: a known kind and version, but not its encoding.
    """
    if len(data) < offset + 2:
        raise DecodeError("an event has two octets at least", offset=len(data))
    layout = _LAYOUTS.get((data[offset], data[offset + 1]))
    if layout is None:
        return None
    event: Event
    event, end = codec(layout, FULL).decode_prefix(data, offset + 2)
    if end != len(data):
        raise DecodeError(f"{len(data) - end} octets left over", offset=end)
    return event


def digest(tree: BlockTree, head: bytes) -> bytes:
    """A commitment to everything that a node knows of the chain: 32 octets.

    It covers the finalised block, all blocks above it with their state roots, what is remembered
    of slots, and the best block.
    """
    return blake2b(tree.digest() + head)


def listed(tree: BlockTree, head: bytes) -> Listed:
    """The event that holds a whole tree."""
    blocks = tuple(
        ListedBlock(
            record.hash,
            record.parent,
            record.state_root,
            record.slot,
            record.number,
            int(record.ticketed),
        )
        for record in tree
    )
    seen = tuple(SeenSlot(*one) for one in tree.remembered)
    return Listed(head, digest(tree, head), blocks, seen)


def record_of(event: Imported | ListedBlock) -> BlockRecord:
    """The block's record as far as an event holds it: without the header."""
    return BlockRecord(
        event.hash,
        event.parent,
        event.slot,
        event.number,
        event.state_root,
        bool(event.ticketed),
        b"",
    )
