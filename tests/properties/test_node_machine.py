"""A node against a simple model: import, fork, reorganise, finalise, prune, crash, restart.

The model keeps every block that the node accepted and computes everything anew from the definitions of
section 19. Blocks come in any order, with parents missing or not; a crash loses what is only in memory.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from jamliquor.chain import events
from jamliquor.chain.finality import Finality
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.settings import Settings
from jamliquor.store.interface import Store
from tests.support.maker import Made, Maker
from tests.support.nodes import memory_store, node_on, replayed


@functools.cache
def maker() -> Maker:
    """One maker for all runs: a block on a given parent in a given slot is always the same."""
    return Maker()


@functools.cache
def block(parent: bytes, slot: int) -> Made:
    """The block that the machines mean by a parent and a slot."""
    return maker().make(parent, slot)


class Model:
    """Accepted blocks above the final one, and the slots seen: plain sets and plain searches."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.accepted: dict[bytes, Made] = {}
        self.waiting: dict[bytes, Made] = {}
        self.seen: set[tuple[int, bytes]] = set()

    def slot(self, block_hash: bytes) -> int:
        return maker().slot(block_hash)

    def line(self, block_hash: bytes) -> list[bytes]:
        """From a block down to the root, the root left out."""
        found = []
        while block_hash != self.root:
            found.append(block_hash)
            block_hash = self.accepted[block_hash].parent
        return found

    def deliver(self, made: Made) -> Verdict:
        if made.hash in self.accepted or made.hash == self.root:
            return Verdict.KNOWN
        if made.parent != self.root and made.parent not in self.accepted:
            self.waiting[made.hash] = made
            return Verdict.HELD
        self.accept(made)
        return Verdict.IMPORTED

    def accept(self, made: Made) -> None:
        self.accepted[made.hash] = made
        self.seen.add((made.slot, made.hash))
        self.waiting.pop(made.hash, None)
        for child in [one for one in self.waiting.values() if one.parent == made.hash]:
            self.accept(child)

    def finalise(self, block_hash: bytes) -> None:
        below = self.line(block_hash)[1:]
        gone = {one for one in self.accepted if block_hash not in [*self.line(one)] or one in below}
        self.root = block_hash
        self.accepted = {
            one: made for one, made in self.accepted.items() if one not in gone and one != block_hash
        }

    def head(self) -> bytes:
        acceptable = [self.root]
        for one in self.accepted:
            twins = [
                other
                for step in self.line(one)
                for slot, other in self.seen
                if slot == self.slot(step) and other != step
            ]
            if not twins:
                acceptable.append(one)
        # No block of these chains is sealed by a ticket, so that the slot decides.
        return max(acceptable, key=self.slot)


class NodeMachine(RuleBasedStateMachine):
    """Drives node and model together."""

    blocks = Bundle("blocks")

    @initialize(target=blocks, keep_states=st.sampled_from([1, 3, 16]))
    def begin(self, keep_states: int) -> bytes:
        self.folder = Path(tempfile.mkdtemp(prefix="node-machine-"))
        self.store: Store = memory_store(maker(), keep_states=keep_states)
        self.model = Model(maker().root)
        self.dropped: set[bytes] = set()
        self.open()
        return maker().root

    def open(self) -> None:
        settings = Settings(finality=Finality(None), keep_blocks=5, sync_blocks=3)
        self.node: Node = node_on(
            self.store, self.folder / "events", settings, segment_octets=4000, budget=1 << 20
        )

    @rule(target=blocks, parent=blocks, gap=st.integers(1, 3))
    def make(self, parent: bytes, gap: int) -> bytes:
        return block(parent, maker().slot(parent) + gap).hash

    @rule(target=blocks, parent=blocks, gaps=st.lists(st.integers(1, 2), min_size=2, max_size=5))
    def make_and_deliver_a_line(self, parent: bytes, gaps: list[int]) -> bytes:
        for gap in gaps:
            made = block(parent, maker().slot(parent) + gap)
            self.deliver(made.hash)
            parent = made.hash
        return parent

    @rule(wanted=blocks)
    def deliver(self, wanted: bytes) -> None:
        if wanted == maker().root:
            return
        made = maker().made[wanted]
        outcomes = self.node.receive(made.encoded, "machine")
        record = self.store.record(wanted)
        if self.is_stale(made):
            assert outcomes[0].verdict in (Verdict.DROPPED, Verdict.KNOWN)
            return
        expected = self.model.deliver(made)
        assert outcomes[0].verdict is expected
        assert (record is not None) is (expected is not Verdict.HELD)

    def is_stale(self, made: Made) -> bool:
        """Whether a block cannot descend from the final one: known by its slot or by its parent."""
        if made.hash in self.model.accepted or made.hash == self.model.root:
            return False
        if made.parent in self.model.accepted or made.parent == self.model.root:
            return False
        low = made.slot <= self.model.slot(self.model.root)
        return low or self.store.record(made.parent) is not None

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def finalise(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.model.accepted)))
        self.node.finalise(chosen)
        self.model.finalise(chosen)

    @precondition(lambda self: self.model.accepted)
    @rule()
    def finalise_below_the_head(self) -> None:
        line = self.model.line(self.model.head())
        if len(line) > 2:
            self.node.finalise(line[2])
            self.model.finalise(line[2])

    @rule()
    def prune(self) -> None:
        self.node.prune(everything=True)

    @rule()
    def crash(self) -> None:
        # What was committed is in the store and in the log's file; the rest is gone.
        log = self.node._recorder._log
        assert log is not None
        os.close(log._file)
        self.model.waiting.clear()
        self.open()
        assert not self.node.recovered

    @rule()
    def restart(self) -> None:
        self.node.close()
        self.model.waiting.clear()
        self.open()
        assert not self.node.recovered

    @invariant()
    def node_and_model_agree(self) -> None:
        if not hasattr(self, "node"):
            return
        assert self.node.finalised == self.model.root == self.store.finalised
        assert {one.hash for one in self.node.tree} == {*self.model.accepted, self.model.root}
        assert self.node.head == self.model.head() == self.store.head
        assert self.node.waiting == len(self.model.waiting)

    @invariant()
    def every_state_is_there(self) -> None:
        if not hasattr(self, "node"):
            return
        for made in self.model.accepted.values():
            state = self.node.state_of(made.hash)
            assert state is not None and state.root == made.root

    def teardown(self) -> None:
        if not hasattr(self, "node"):
            return
        head, digest = self.node.head, events.digest(self.node.tree, self.node.head)
        self.node.close()
        report = replayed(maker(), self.folder / "events")
        assert (report.head, report.digest) == (head, digest)
        shutil.rmtree(self.folder)


TestNodeMachine = NodeMachine.TestCase
TestNodeMachine.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
