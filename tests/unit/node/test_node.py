"""The node: forks, finality, waiting blocks, restarts, failures; and the log of it all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jamliquor.chain import events
from jamliquor.chain.finality import Finality
from jamliquor.codec import codec
from jamliquor.errors import StoreError, StoreFull, TreeFull
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.pruning import Pruner
from jamliquor.node.settings import Settings
from jamliquor.stf.header import encode
from jamliquor.store.interface import Store
from jamliquor.store.memory import MemoryStore
from jamliquor.store.segments import entries
from jamliquor.types.block import Block
from tests.support.maker import Made, Maker
from tests.support.nodes import (
    MANUAL,
    deliver,
    initialise,
    memory_store,
    node_on,
    replayed,
    told,
    verdicts,
)

IMPORTED, HELD, DROPPED = Verdict.IMPORTED, Verdict.HELD, Verdict.DROPPED


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    """Slots 1, 3, 5, ... 15 on the genesis."""
    return maker.line(maker.root, range(1, 17, 2))


@pytest.fixture(scope="module")
def side(maker: Maker, main: list[Made]) -> list[Made]:
    """Slots 6, 8, ... 20 on the block of slot 3."""
    return maker.line(main[1].hash, range(6, 21, 2))


@pytest.fixture
def store(maker: Maker) -> Store:
    return memory_store(maker)


def test_a_line_of_blocks(store: Store, tmp_path: Path, maker: Maker, main: list[Made]) -> None:
    node = node_on(store, tmp_path)
    for made in main:
        [outcome] = node.receive(made.encoded, "line")
        assert (outcome.verdict, outcome.hash, outcome.root) == (IMPORTED, made.hash, made.root)
        assert node.head == made.hash == store.head and outcome.milliseconds > 0
        state = node.state_of(made.hash)
        assert state is not None and state.root == made.root
    assert node.finalised == maker.root and len(node.tree) == 9
    assert verdicts(deliver(node, main)) == [Verdict.KNOWN] * 8
    node.close()
    report = replayed(maker, tmp_path)
    assert (report.executed, report.skipped, report.head) == (8, 0, main[-1].hash)


def test_reorganisation_both_ways(
    store: Store, tmp_path: Path, maker: Maker, main: list[Made], side: list[Made]
) -> None:
    node = node_on(store, tmp_path)
    deliver(node, main[:5])
    assert node.head == main[4].hash
    deliver(node, side[:3])
    assert node.head == side[2].hash
    deliver(node, main[5:7])
    assert node.head == main[6].hash
    deliver(node, side[3:])
    assert node.head == side[-1].hash == store.head
    node.close()
    found = told(tmp_path, events.Reorganised)
    assert found == [
        events.Reorganised(main[4].hash, side[2].hash, main[1].hash, 3, 3),
        events.Reorganised(side[2].hash, main[5].hash, main[1].hash, 3, 4),
        events.Reorganised(main[6].hash, side[4].hash, main[1].hash, 5, 5),
    ]
    report = replayed(maker, tmp_path)
    assert report.executed == 15 and report.head == side[-1].hash


def test_finality_drops_side_branches(
    store: Store, tmp_path: Path, maker: Maker, main: list[Made], side: list[Made]
) -> None:
    node = node_on(store, tmp_path)
    deliver(node, [*main, *side])
    assert node.head == side[-1].hash
    node.finalise(main[3].hash)
    assert node.head == main[-1].hash == store.head and node.finalised == main[3].hash
    assert store.record(side[0].hash) is None and node.state_of(side[-1].hash) is None
    assert [one.hash for one in node.tree] == [made.hash for made in main[3:]]
    late = deliver(node, side[:2])
    assert verdicts(late) == [DROPPED, HELD], "the second may yet descend from a block to come"
    with pytest.raises(KeyError):
        node.finalise(main[0].hash)
    node.close()
    [final] = told(tmp_path, events.Finalised)
    assert final == events.Finalised(main[3].hash, 7, 4, 8)
    [pruned] = told(tmp_path, events.BranchesPruned)
    assert isinstance(pruned, events.BranchesPruned)
    assert set(pruned.blocks) == {made.hash for made in side}
    moved = told(tmp_path, events.Reorganised)[-1]
    assert moved == events.Reorganised(side[-1].hash, main[-1].hash, main[1].hash, 8, 6)
    assert replayed(maker, tmp_path).head == main[-1].hash


def test_finality_by_depth(store: Store, main: list[Made]) -> None:
    node = node_on(store, None, Settings(finality=Finality(3)))
    for index, made in enumerate(main):
        deliver(node, [made])
        assert node.finalised == (main[index - 3].hash if index >= 3 else store.base)
    assert len(node.tree) == 4


def test_import_does_not_depend_on_which_chain_is_best(
    maker: Maker, main: list[Made], side: list[Made]
) -> None:
    digests = set()
    for order in ([*main, *side], [*main[:2], *side, *main[2:]]):
        node = node_on(memory_store(maker), None)
        assert verdicts(deliver(node, order)) == [IMPORTED] * 16
        digests.add((node.tree.digest(), node.head))
    assert len(digests) == 1


def test_two_blocks_of_one_slot(store: Store, tmp_path: Path, maker: Maker, main: list[Made]) -> None:
    twin = maker.make(main[0].hash, 5)
    node = node_on(store, tmp_path)
    deliver(node, main)
    assert verdicts(deliver(node, [twin])) == [IMPORTED]
    assert node.head == main[1].hash == store.head
    node.close()
    again = node_on(store, tmp_path)
    assert again.head == main[1].hash
    again.finalise(main[2].hash)
    assert again.head == main[-1].hash
    again.close()
    assert replayed(maker, tmp_path).head == main[-1].hash


def test_a_dropped_twin_is_remembered_over_a_restart(
    store: Store, tmp_path: Path, maker: Maker, main: list[Made]
) -> None:
    twin = maker.make(maker.root, 5)
    node = node_on(store, tmp_path)
    deliver(node, [*main, twin])
    node.finalise(main[0].hash)
    assert store.record(twin.hash) is None and node.head == main[1].hash
    node.close()
    assert node_on(store, tmp_path).head == main[1].hash


def test_a_dropped_block_that_is_back_after_a_crash_is_no_twin_of_itself(
    maker: Maker, tmp_path: Path, main: list[Made]
) -> None:
    other = maker.make(maker.root, 20)
    node = node_on(memory_store(maker), tmp_path)
    deliver(node, [*main, other])
    node.finalise(main[0].hash)
    node.close()
    store = memory_store(maker)
    deliver(node_on(store, None), [*main, other])
    again = node_on(store, tmp_path)
    assert again.recovered and again.tree.equivocated == [] and again.head == other.hash


def test_blocks_in_any_order(store: Store, tmp_path: Path, maker: Maker, main: list[Made]) -> None:
    node = node_on(store, tmp_path)
    backwards = list(reversed(main))
    assert verdicts(deliver(node, backwards[:-1])) == [HELD] * 7
    assert node.waiting == 7 and node.missing() == [main[0].hash]
    outcomes = deliver(node, backwards[-1:])
    assert verdicts(outcomes) == [IMPORTED] * 8
    assert [one.hash for one in outcomes] == [made.hash for made in main]
    assert node.waiting == 0 and node.head == main[-1].hash
    node.close()
    assert replayed(maker, tmp_path).executed == 8


def test_the_queue_is_bounded_and_tells_what_it_drops(
    store: Store, tmp_path: Path, main: list[Made]
) -> None:
    node = node_on(store, tmp_path, MANUAL._replace(max_waiting=2))
    outcomes = deliver(node, main[1:5])
    assert verdicts(outcomes) == [HELD, HELD, HELD, DROPPED, HELD, DROPPED]
    assert outcomes[3].hash == main[1].hash and outcomes[3].waited_for == main[0].hash
    left = node.give_up("its source ended")
    assert [one.hash for one in left] == [made.hash for made in main[3:5]]
    assert left[0].waited_for == main[2].hash and node.waiting == 0
    node.close()
    dropped = told(tmp_path, events.Dropped)
    assert [one.reason for one in dropped if isinstance(one, events.Dropped)] == [
        b"the queue is full",
        b"the queue is full",
        b"its source ended",
        b"its source ended",
    ]


def test_refused_blocks_take_those_behind_them_along(
    store: Store, tmp_path: Path, maker: Maker, main: list[Made]
) -> None:
    block = main[0].block
    bad = block._replace(header=block.header._replace(seal=bytes(96)))
    header = main[1].block.header
    bad_hash = encode(maker.params, bad.header).hash
    behind = main[1].block._replace(header=header._replace(parent=bad_hash))
    node = node_on(store, tmp_path)
    before = node.tree.digest()
    encode_block = codec(Block, maker.params).encode
    assert verdicts(node.receive(encode_block(behind))) == [HELD]
    refused, dropped = node.receive(encode_block(bad), "peer")
    assert (refused.verdict, refused.code) == (Verdict.REFUSED, "bad_seal")
    assert dropped.verdict is DROPPED and node.waiting == 0 and node.tree.digest() == before
    [garbage] = node.receive(b"no block", "peer")
    assert (garbage.verdict, garbage.code) == (Verdict.REFUSED, "undecodable")
    assert verdicts(deliver(node, main)) == [IMPORTED] * 8
    node.close()
    codes = [one.code for one in told(tmp_path, events.Refused) if isinstance(one, events.Refused)]
    assert codes == [b"bad_seal", b"undecodable"]


def test_blocks_from_the_future_wait_for_their_slot(store: Store, main: list[Made]) -> None:
    node = node_on(store, None)
    assert verdicts(deliver(node, main[:4], now=3)) == [IMPORTED, IMPORTED, HELD, HELD]
    assert node.tick(4) == [] and node.waiting == 2
    assert verdicts(node.tick(9)) == [IMPORTED, IMPORTED] and node.head == main[3].hash


def test_restart_continues(store: Store, tmp_path: Path, maker: Maker, main: list[Made]) -> None:
    node = node_on(store, tmp_path, segment_octets=2000)
    deliver(node, main[:4])
    digest = node.tree.digest()
    node.close()
    again = node_on(store, tmp_path, segment_octets=2000)
    assert again.tree.digest() == digest and again.head == main[3].hash and not again.recovered
    assert verdicts(deliver(again, main[4:])) == [IMPORTED] * 4
    again.close()
    report = replayed(maker, tmp_path)
    assert report.executed == 8 and report.checked >= 4
    assert not told(tmp_path, events.Recovered)


def test_a_missing_state_is_made_again(
    maker: Maker, tmp_path: Path, main: list[Made], side: list[Made]
) -> None:
    store = MemoryStore(maker.params)
    initialise(store, maker)
    node = node_on(store, tmp_path)
    deliver(node, [*main, *side])
    head = node.head
    node.close()
    for made in (*main[4:], *side[6:]):
        del store._window._kept[made.hash]
    again = node_on(store, tmp_path)
    assert again.head == head and all(store.state(made.hash) for made in (*main, *side))
    assert again.recovered == ["6 states were missing: their blocks were imported again"]
    again.close()
    assert replayed(maker, tmp_path).head == head


def test_a_state_that_cannot_be_made_again_puts_the_head_back(
    maker: Maker, tmp_path: Path, main: list[Made]
) -> None:
    store = MemoryStore(maker.params)
    initialise(store, maker)
    node = node_on(store, tmp_path)
    deliver(node, main)
    node.close()
    for made in main[5:]:
        del store._window._kept[made.hash]
    del store._blocks[main[5].hash]
    again = node_on(store, tmp_path)
    assert again.head == main[4].hash == store.head and store.record(main[6].hash) is None
    assert "3 blocks" in again.recovered[0] and "the head is now" in again.recovered[0]
    assert verdicts(deliver(again, main[5:])) == [IMPORTED] * 3
    again.close()
    assert replayed(maker, tmp_path).head == main[-1].hash


def test_a_final_state_that_is_missing_is_refused(maker: Maker, main: list[Made]) -> None:
    store = MemoryStore(maker.params)
    initialise(store, maker)
    node = node_on(store, None)
    deliver(node, main)
    node.finalise(main[2].hash)
    del store._window._kept[main[2].hash]
    with pytest.raises(StoreError, match=f"{main[2].hash.hex()} is missing or damaged"):
        node_on(store, None)


@pytest.mark.parametrize("kept", [0, 3])
def test_a_log_that_is_older_than_the_store(
    store: Store, tmp_path: Path, maker: Maker, main: list[Made], kept: int
) -> None:
    node = node_on(store, tmp_path / "lost")
    deliver(node, main[:kept])
    older = {path.name: path.read_bytes() for path in (tmp_path / "lost").iterdir()}
    deliver(node, main[kept:6])
    (tmp_path / "log").mkdir()
    for file, octets in older.items():
        (tmp_path / "log" / file).write_bytes(octets)
    again = node_on(store, tmp_path / "log")
    assert again.head == main[5].hash and len(again.recovered) == 1
    deliver(again, main[6:])
    again.close()
    assert replayed(maker, tmp_path / "log").head == main[-1].hash


def test_a_log_that_is_newer_than_the_store(maker: Maker, tmp_path: Path, main: list[Made]) -> None:
    node = node_on(memory_store(maker), tmp_path)
    deliver(node, main)
    node.close()
    store = memory_store(maker)
    again = node_on(store, tmp_path)
    assert again.head == maker.root and "another tree" in again.recovered[0]
    deliver(again, main[:3])
    again.close()
    assert replayed(maker, tmp_path).head == main[2].hash


class FullStore:
    """A store whose next calls of some methods fail for want of room."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails: dict[str, int] = {}
        self.durable: list[bool] = []

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._store, attribute)
        if attribute not in ("put", "set_head", "finalise"):
            return found

        def call(*args: Any, **options: Any) -> Any:
            if self.fails.get(attribute, 0):
                self.fails[attribute] -= 1
                raise StoreFull("no room")
            if attribute == "put":
                self.durable.append(options["durable"])
            return found(*args, **options)

        return call


@pytest.mark.parametrize("method", ["put", "set_head", "finalise"])
def test_a_full_disk_loses_nothing(
    maker: Maker, tmp_path: Path, main: list[Made], side: list[Made], method: str
) -> None:
    store = FullStore(memory_store(maker))
    node = node_on(store, tmp_path, Settings(finality=Finality(6)))  # type: ignore[arg-type]
    twin = maker.make(main[0].hash, 8)
    wanted = [*main[:4], *side[:3], twin, *main[4:], *side[3:]]
    failed = 0
    for index, made in enumerate(wanted):
        if index % 2:
            store.fails[method] = 2
        while True:
            try:
                deliver(node, [made])
            except StoreFull:
                failed += 1
                continue
            break
    node._settle()
    assert failed and node.head == store.head
    node.close()
    plain = node_on(memory_store(maker), None, Settings(finality=Finality(6)))
    deliver(plain, wanted)
    assert plain.tree.digest() == node.tree.digest() and plain.head == node.head
    assert replayed(maker, tmp_path).head == node.head


def test_waiting_blocks_survive_a_full_disk(maker: Maker, main: list[Made]) -> None:
    store = FullStore(memory_store(maker))
    node = node_on(store, None)  # type: ignore[arg-type]
    deliver(node, main[1:])
    deliver_first = [main[0]]
    store.fails["put"] = 1
    with pytest.raises(StoreFull):
        deliver(node, deliver_first)
    assert node.waiting == 7
    original = store._store.put
    calls = 0

    def put(*args: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise StoreFull("no room")
        original(*args, **options)

    store._store.put = put  # type: ignore[method-assign]
    with pytest.raises(StoreFull):
        deliver(node, deliver_first)
    assert node.head == main[2].hash and node.waiting == 5
    outcomes = deliver(node, [main[3]])
    assert verdicts(outcomes) == [IMPORTED] * 5 and node.head == main[-1].hash


def test_too_many_blocks_without_finality(store: Store, main: list[Made]) -> None:
    node = node_on(store, None, MANUAL._replace(max_unfinalised=3))
    deliver(node, main[:3])
    with pytest.raises(TreeFull, match="finalise one first"):
        deliver(node, [main[3]])
    node.finalise(main[0].hash)
    assert verdicts(deliver(node, [main[3]])) == [IMPORTED]


def test_the_disk_is_waited_for_now_and_then(maker: Maker, main: list[Made]) -> None:
    store = FullStore(memory_store(maker))
    node = node_on(store, None, MANUAL._replace(sync_blocks=3))  # type: ignore[arg-type]
    deliver(node, main)
    assert store.durable == [False, False, True, False, False, True, False, False]


def test_old_blocks_are_pruned(maker: Maker, tmp_path: Path) -> None:
    made = maker.line(maker.root, range(30, 130))
    store = memory_store(maker, keep_states=4)
    node = node_on(store, tmp_path, Settings(finality=Finality(2), keep_blocks=40))
    deliver(node, made)
    bodies = [store.block(one.hash) is not None for one in made]
    assert not any(bodies[:41]) and all(bodies[58:])
    node.prune(everything=True)
    assert [store.block(one.hash) is not None for one in made].index(True) == 127 - 40 - 30
    assert store.record(made[60].hash) is not None, "its header may be an anchor"
    gone = sum(store.record(one.hash) is None for one in made)
    assert node.pruned == (58, gone + 1), "the genesis goes too"
    node.close()
    again = node_on(store, tmp_path, Settings(finality=Finality(2)))
    assert again.head == made[-1].hash
    following = maker.make(made[-1].hash)
    assert verdicts(deliver(again, [following])) == [IMPORTED]


class Sized(FullStore):
    """A store with 1000 octets for every block it ever had at once since it was compacted."""

    made: list[Made]
    highest = compacted = 0

    @property
    def used(self) -> int:
        return 1000 * sum(self._store.block(one.hash) is not None for one in self.made)

    @property
    def size_on_disk(self) -> int:
        self.highest = max(self.highest, self.used)
        return self.highest

    def compact(self) -> int:
        self.compacted += 1
        self.highest = 0
        return 0


def test_storage_budget(maker: Maker, tmp_path: Path) -> None:
    store = Sized(memory_store(maker, keep_states=4))
    store.made = maker.line(maker.root, range(200, 300))
    settings = Settings(finality=Finality(2), storage_budget=40_000)
    node = node_on(store, tmp_path, settings)  # type: ignore[arg-type]
    deliver(node, store.made)
    # What pruning freed is used again, so that nothing has to be compacted beside imports.
    assert store.compacted == 0 and 15_000 < store.used <= store.size_on_disk < 75_000
    node.close()
    node = node_on(store, tmp_path, settings)  # type: ignore[arg-type]
    assert store.compacted >= 1 and store.size_on_disk <= 40_000
    compacted = store.compacted
    node.prune(everything=True)
    assert store.compacted == compacted
    assert told(tmp_path, events.BlocksPruned)
    # Room that is wanted for something else is made.
    pruner = Pruner(settings, store, lambda: 30_000)  # type: ignore[arg-type]
    assert list(pruner.begin(node.tree.root)) and store.size_on_disk <= 10_000


def test_log_of_a_long_run_is_bounded_and_replays(
    maker: Maker, tmp_path: Path, main: list[Made], side: list[Made]
) -> None:
    store = memory_store(maker)
    node = node_on(store, tmp_path, Settings(finality=Finality(4)), segment_octets=1500, budget=6000)
    deliver(node, [*main[:4], *side, *main[4:]])
    head, digest = node.head, events.digest(node.tree, node.head)
    node.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 9000
    first = next(iter(entries(tmp_path)))
    assert isinstance(first.event, events.Listed) and first.sequence > 1
    report = replayed(maker, tmp_path)
    assert (report.head, report.digest) == (head, digest)


def test_samples_and_checkpoints(store: Store, tmp_path: Path, maker: Maker) -> None:
    made = maker.line(maker.root, range(300, 370))
    node = node_on(store, tmp_path, Settings(finality=Finality(8)))
    deliver(node, made)
    assert isinstance(node, Node)
    node.close()
    [sample] = told(tmp_path, events.Sampled)
    assert isinstance(sample, events.Sampled)
    assert 5e6 < sample.resident <= sample.peak < 1e9 and sample.cpu_ms > 0
    assert len(told(tmp_path, events.Checkpoint)) == 3
