"""Follows a log of events and rebuilds the tree of blocks from it, checking every claim on the way."""

from __future__ import annotations

from jamliquor.chain import events
from jamliquor.chain.best_chain import BestChain
from jamliquor.chain.events import Event
from jamliquor.chain.tree import BlockTree
from jamliquor.errors import ReplayMismatch, Unjudged

# The node that wrote the log kept its own bound.
_UNBOUNDED = 1 << 32


class Replay:
    """The tree and the best block as of the last event that was applied.

    Events before the first list of the tree are passed over: what they build on is not known. After a
    recovery the list that follows replaces the tree; anywhere else, also after a start, it must equal
    it.

    Attributes:
        tree: None before the first list.
        checked: how many digests were compared and found equal.
    """

    def __init__(self) -> None:
        self.tree: BlockTree | None = None
        self.checked = 0
        self._best: BestChain | None = None
        self._replace = True

    @property
    def head(self) -> bytes | None:
        """The best block, or None before the first list."""
        return None if self._best is None else self._best.head

    def apply(self, event: Event | None) -> None:
        """Go on by one event; one that this program does not know changes nothing.

        Raises:
            ReplayMismatch: it contradicts what came before.
        """
        match event:
            case events.Recovered():
                self._replace = True
            case events.Listed():
                self._listed(event)
            case _ if self.tree is None or self._best is None:
                pass
            case events.Imported():
                self._imported(event, self.tree, self._best)
            case events.Reorganised():
                self._reorganised(event, self.tree, self._best)
            case events.Finalised():
                self._finalised(event, self.tree, self._best)
            case events.Checkpoint():
                self._demand(event.head == self._best.head, "the best block is another one")
                self._compare(event.digest)

    def _listed(self, event: events.Listed) -> None:
        if not self._replace:
            self._compare(event.digest)
            return
        first, *others = map(events.record_of, event.blocks)
        tree = BlockTree(first, equivocated=event.equivocated, max_blocks=_UNBOUNDED)
        try:
            for record in others:
                tree.add(record)
        except Unjudged as error:
            raise ReplayMismatch(f"the list of blocks is no tree: {error}") from None
        self._use(tree)
        self._compare(event.digest)
        self._replace = False

    def _use(self, tree: BlockTree) -> None:
        self.tree = tree
        self._best = BestChain(tree)

    def _imported(self, event: events.Imported, tree: BlockTree, best: BestChain) -> None:
        try:
            best.added(tree.add(events.record_of(event)))
        except Unjudged as error:
            raise ReplayMismatch(f"block 0x{event.hash.hex()}: {error}") from None

    def _reorganised(self, event: events.Reorganised, tree: BlockTree, best: BestChain) -> None:
        self._demand(best.head == event.new, "the best block is another one")
        # Finality may have dropped the branch that was left.
        if event.old in tree:
            route = tree.route(event.old, event.new)
            claimed = (event.ancestor, event.left, event.entered)
            found = (route.ancestor, len(route.left), len(route.entered))
            self._demand(claimed == found, "the way between the branches is another one")

    def _finalised(self, event: events.Finalised, tree: BlockTree, best: BestChain) -> None:
        self._demand(event.hash in tree, "the finalised block is not in the tree")
        found = tree.finalise(event.hash)
        best.recompute()
        claimed = (event.settled, event.dropped)
        self._demand(claimed == (len(found.settled), len(found.dropped)), "other blocks went with it")

    def _compare(self, digest: bytes) -> None:
        assert self.tree is not None and self._best is not None, "only compared after a list"
        found = events.digest(self.tree, self._best.head)
        self._demand(found == digest, f"digest 0x{digest.hex()} recorded, 0x{found.hex()} rebuilt")
        self.checked += 1

    def _demand(self, holds: bool, reason: str) -> None:
        if not holds:
            raise ReplayMismatch(reason)
