"""A node against a simple model: import, fork, reorganise, finalise, prune, snapshot, restore, crash.

The model keeps every block that the node accepted and computes everything anew from the definitions of
section 19. Blocks come in any order, with parents missing or not. A crash loses what is only in memory;
on disk also what was not synced, which has to come again. A restored snapshot is a node that knows
nothing but one final block and the headers before it.
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
from jamliquor.node.restoring import restore
from jamliquor.node.settings import Settings
from jamliquor.params import TINY
from jamliquor.state.stream import entries_of
from jamliquor.store.disk import DiskStore
from jamliquor.store.interface import Store
from jamliquor.store.memory import MemoryStore
from jamliquor.store.snapshot import SnapshotReader
from jamliquor.store.snapshot_writer import write_snapshot
from tests.support.maker import Made, Maker
from tests.support.nodes import initialise, memory_store, node_on, replayed


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
        self.away = Path(tempfile.mkdtemp(prefix="node-machine-"))
        self.snapshots: dict[bytes, bytes] = {}
        self.keep_states = keep_states
        self.model = Model(maker().root)
        self.open_store(new=True)
        self.open()
        return maker().root

    def open_store(self, *, new: bool) -> None:
        """Have a store; in memory it outlives the node."""
        if new:
            self.store: Store = memory_store(maker(), keep_states=self.keep_states)

    def restore_store(self, path: Path) -> None:
        """Have another store, filled from a snapshot."""
        store = MemoryStore(TINY, keep_states=self.keep_states)
        with path.open("rb") as file:
            reader = SnapshotReader(file, path)
            entries = (entry for _, octets in reader.portions() for entry in entries_of(octets))
            store.initialise(reader.contents.record, entries, ancestors=reader.ancestors())
        self.store = store

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
    def snapshot(self) -> None:
        taken = self.away / "taken.jamsnap"
        final = self.node.finalised
        write_snapshot(taken, self.store, final, TINY, maker().root)
        # Whatever the node went through, the same block gives the same octets.
        octets = taken.read_bytes()
        assert self.snapshots.setdefault(final, octets) == octets

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.snapshots)))
        path = self.away / "restored.jamsnap"
        path.write_bytes(self.snapshots[chosen])
        self.node.close()
        self.store.close()
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.restore_store(path)
        self.model = Model(chosen)
        self.open()
        assert self.node.recovered == [] and self.store.record(chosen) is not None
        assert dict(self.node.state_of(chosen).items()) == dict(maker().state(chosen).items())

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
        self.store.close()
        self.open_store(new=False)
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
        self.store.close()
        report = replayed(maker(), self.folder / "events")
        assert (report.head, report.digest) == (head, digest)
        shutil.rmtree(self.folder)
        shutil.rmtree(self.away)


class DiskNodeMachine(NodeMachine):
    """The same on the disk store; a crash leaves the files as they are at that moment."""

    def open_store(self, *, new: bool) -> None:
        self.store = DiskStore(self.folder, TINY, keep_states=self.keep_states)
        if new:
            initialise(self.store, maker())

    def restore_store(self, path: Path) -> None:
        restore(path, self.folder, genesis=maker().root)
        # Repairs are made from it, so that the changes of later blocks are kept.
        (self.folder / "snapshots").mkdir()
        shutil.copy(path, self.folder / "snapshots")
        self.open_store(new=False)

    @rule()
    def look_for_damage(self) -> None:
        assert isinstance(self.store, DiskStore)
        assert self.store.mend() == [] and self.store.damage == ""

    def crash(self) -> None:
        image = Path(tempfile.mkdtemp(prefix="node-machine-"))
        shutil.copytree(self.folder, image, dirs_exist_ok=True)
        self.node.close()
        self.store.close()
        shutil.rmtree(self.folder)
        self.folder = image
        self.open_store(new=False)
        self.model.waiting.clear()
        self.open()
        known = {*self.model.accepted, *maker().made, maker().root}
        assert {one.hash for one in self.node.tree} <= known
        self.give_again()

    crash = rule()(crash)

    def give_again(self) -> None:
        """What was not synced comes again; then nothing is missing."""
        for made in maker().path(self.model.root):
            if self.store.record(made.hash) is None and made.slot > self.node.tree.root.slot:
                self.node.receive(made.encoded, "again")
        if self.node.finalised != self.model.root:
            self.node.finalise(self.model.root)
        for made in sorted(self.model.accepted.values(), key=lambda made: made.slot):
            self.node.receive(made.encoded, "again")


TestNodeMachine = NodeMachine.TestCase
TestNodeMachine.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
TestDiskNodeMachine = DiskNodeMachine.TestCase
TestDiskNodeMachine.settings = hypothesis_settings(
    max_examples=25, stateful_step_count=25, deadline=None
)
