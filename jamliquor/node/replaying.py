"""Replays a log: rebuilds the tree from its events, and the states from the blocks they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from jamliquor.chain import events
from jamliquor.chain.importer import Importer
from jamliquor.chain.replay import Replay
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError, InvalidBlock, ReplayMismatch
from jamliquor.node.sources import Sent
from jamliquor.params import ChainParams
from jamliquor.store.segments import Entry
from jamliquor.types.header import Header

BlockOf = Callable[[bytes], bytes | None]

MAX_PASSED_OCTETS: Final = 64 << 20
"""Octets of blocks that a source may bring before the log asks for them."""


class Report(NamedTuple):
    """What a replay found; every comparison that was made held.

    Attributes:
        checked: digests of the whole tree that were compared.
        executed: blocks that were imported again and gave the recorded state root.
        skipped: blocks that were not, because block or prior state is not there.
        head: the best block at the end, or None if the log lists no tree.
        digest: of tree and head at the end, likewise.
    """

    events: int
    checked: int
    executed: int
    skipped: int
    head: bytes | None
    digest: bytes | None


def replay(
    entries: Iterable[Entry], importer: Importer | None = None, block_of: BlockOf | None = None
) -> Report:
    """Follow the events, comparing every claim they make.

    Args:
        importer: knows a state to begin from; without it no block is executed.
        block_of: gives the encoding of a block by its hash, or None.

    Raises:
        ReplayMismatch: an event, or a state root, is not what follows.
    """
    follower = Replay()
    count = executed = skipped = 0
    for entry in entries:
        count += 1
        try:
            follower.apply(entry.event)
            if isinstance(entry.event, events.Imported):
                if importer and block_of and _execute(importer, block_of, entry.event):
                    executed += 1
                else:
                    skipped += 1
        except ReplayMismatch as error:
            raise ReplayMismatch(f"event {entry.sequence}: {error}") from None
    digest = None
    if follower.tree is not None and follower.head is not None:
        digest = events.digest(follower.tree, follower.head)
    return Report(count, follower.checked, executed, skipped, follower.head, digest)


def _execute(importer: Importer, block_of: BlockOf, event: events.Imported) -> bool:
    """Import a block again; False if that cannot be."""
    if importer.state_of(event.parent) is None:
        return False
    octets = block_of(event.hash)
    if octets is None:
        return False
    try:
        imported = importer.import_block(octets)
    except (InvalidBlock, DecodeError) as error:
        raise ReplayMismatch(f"block 0x{event.hash.hex()} is refused now: {error}") from None
    if imported.root != event.state_root:
        raise ReplayMismatch(
            f"block 0x{event.hash.hex()}: state root 0x{event.state_root.hex()} recorded, "
            f"0x{imported.root.hex()} computed"
        )
    return True


class BlocksOnDemand:
    """Blocks of a source by their hash; reads on until the wanted one comes.

    What comes before it is kept for later, up to a bound: the log asks in the order of import.
    """

    def __init__(self, params: ChainParams, sent: Iterator[Sent]) -> None:
        self._decode = codec(Header, params).decode_prefix
        self._sent = sent
        self._passed: dict[bytes, bytes] = {}
        self._octets = 0

    def __call__(self, block_hash: bytes) -> bytes | None:
        """The block's encoding, or None if the source does not have it."""
        found = self._passed.pop(block_hash, None)
        if found is not None:
            self._octets -= len(found)
            return found
        for octets, _, _ in self._sent:
            try:
                _, end = self._decode(octets)
            except DecodeError:
                continue
            passed = blake2b(octets[:end])
            if passed == block_hash:
                return octets
            self._keep(passed, octets)
        return None

    def _keep(self, block_hash: bytes, octets: bytes) -> None:
        self._passed[block_hash] = octets
        self._octets += len(octets)
        while self._octets > MAX_PASSED_OCTETS:
            self._octets -= len(self._passed.pop(next(iter(self._passed))))
