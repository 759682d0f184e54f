"""Records of blocks that were never made, for tests of what only looks at records."""

from __future__ import annotations

from jamliquor.chain.record import BlockRecord
from jamliquor.chain.tree import BlockTree
from jamliquor.crypto.hashing import blake2b


def name(text: str) -> bytes:
    """A hash by a readable name."""
    return blake2b(text.encode())


ROOT = BlockRecord(name("root"), bytes(32), 10, 0, name("root state"), False, b"")


def on(
    parent: BlockRecord, text: str, slot: int | None = None, *, ticketed: bool = False
) -> BlockRecord:
    """A block on another, at the next slot unless it is given."""
    return BlockRecord(
        name(text),
        parent.hash,
        parent.slot + 1 if slot is None else slot,
        parent.number + 1,
        name(text + " state"),
        ticketed,
        b"",
    )


def tree_of(*records: BlockRecord, root: BlockRecord = ROOT) -> BlockTree:
    """A tree with these blocks on its root."""
    tree = BlockTree(root)
    for record in records:
        tree.add(record)
    return tree
