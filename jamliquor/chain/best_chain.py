"""The best block (section 19): which head the node builds on and votes for.

A block is acceptable if it descends from the finalised block, if no unfinalised block of its branch
shares its slot with another valid block, and if it is considered audited. Among acceptable blocks
the one with the most ticket-sealed ancestors wins. The paper leaves a tie open: here it goes to the
higher slot, then to the lower hash, so that every node that saw the same blocks agrees.
"""

from __future__ import annotations

from jamliquor.chain.record import BlockRecord
from jamliquor.chain.tree import BlockTree, Node


class BestChain:
    """Follows the best block of a tree as blocks come and go.

    A block on top of an acceptable branch costs one comparison; only a second block in one slot, or a
    new root, looks at the whole tree.
    """

    def __init__(self, tree: BlockTree) -> None:
        self._tree = tree
        self._best = tree.node(tree.root.hash)
        self.recompute()

    @property
    def head(self) -> bytes:
        """Hash of the best block; the finalised one where nothing above it is acceptable."""
        return self._best.record.hash

    def added(self, node: Node) -> bytes:
        """Take a block into account that was just added; the head after that."""
        if self._tree.is_equivocated(node.record.slot):
            return self.recompute()
        if _rank(node) > _rank(self._best) and node.audited and self._is_clean(node):
            self._best = node
        return self.head

    def prefers(self, record: BlockRecord) -> bool:
        """Whether a block would surely be the head once it is added to the tree.

        False also where only looking at the whole tree tells: a second block in a slot.
        """
        if self._tree.has_seen(record.slot) or record.parent not in self._tree:
            return False
        parent = self._tree.node(record.parent)
        rank = _order(parent.ticketed + record.ticketed, record)
        return rank > _rank(self._best) and self._is_clean(parent)

    def recompute(self) -> bytes:
        """Look at all blocks, after a new root, an equivocation or an audit; the head after that."""
        self._best = self._best_above(self._tree.node(self._tree.root.hash))
        return self.head

    def above(self, block_hash: bytes) -> bytes:
        """The head that there would be if that block of the tree were the finalised one."""
        return self._best_above(self._tree.node(block_hash)).record.hash

    def _best_above(self, root: Node) -> Node:
        best = root
        waiting = list(root.children)
        while waiting:
            node = waiting.pop()
            if self._tree.is_equivocated(node.record.slot):
                continue
            if node.audited and _rank(node) > _rank(best):
                best = node
            waiting += node.children
        return best

    def _is_clean(self, node: Node) -> bool:
        """Whether no block of the branch shares its slot with another."""
        step = node
        while step.parent is not None:
            # The best block's branch is known to be clean.
            if step is self._best:
                return True
            if self._tree.is_equivocated(step.record.slot):
                return False
            step = step.parent
        return True


def _rank(node: Node) -> tuple[int, int, int]:
    """What orders acceptable blocks, the best one highest."""
    return _order(node.ticketed, node.record)


def _order(ticketed: int, record: BlockRecord) -> tuple[int, int, int]:
    return ticketed, record.slot, -int.from_bytes(record.hash, "big")
