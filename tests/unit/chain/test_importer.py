"""The importer: which states it knows, and what becomes of blocks that it cannot or must not take."""

from __future__ import annotations

import itertools

import pytest

from jamliquor.chain.importer import Importer
from jamliquor.errors import (
    DecodeError,
    FutureBlock,
    HeaderError,
    InvalidBlock,
    ReportsError,
    UnknownParent,
)
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.stf.header import encode
from jamliquor.types.block import Block
from tests.support.maker import Made, Maker, own_genesis
from tests.support.scripted_service import call, script


@pytest.fixture
def maker() -> Maker:
    return Maker()


def test_a_line_of_blocks_has_the_roots_its_headers_name(maker: Maker) -> None:
    line = maker.line(maker.root, [1, 2, 5, 6])
    importer = maker.new_importer()
    for made, after in itertools.pairwise(line):
        imported = importer.import_block(made.encoded)
        assert imported.hash == made.hash == after.block.header.parent
        assert imported.root == after.block.header.parent_state_root
        assert imported.slot == made.slot


def test_a_decoded_block_is_taken_like_its_octets(maker: Maker) -> None:
    made = maker.make(maker.root)
    importer = maker.new_importer()
    assert importer.import_block(made.block).root == made.root


def test_a_genesis_is_known_by_the_hash_of_its_header() -> None:
    first = own_genesis()
    importer = Importer(TINY, NativeEngine())
    assert importer.start_genesis(first.header, first.state) == first.hash
    assert importer.state_of(first.hash) is first.state


def test_octets_that_are_no_block(maker: Maker) -> None:
    with pytest.raises(DecodeError):
        maker.new_importer().import_block(maker.make(maker.root).encoded[:-1])


def test_an_unknown_parent_is_no_verdict(maker: Maker) -> None:
    first, second = maker.line(maker.root, [1, 2])
    importer = maker.new_importer()
    with pytest.raises(UnknownParent) as caught:
        importer.import_block(second.encoded)
    assert caught.value.parent == first.hash
    importer.import_block(first.encoded)
    assert importer.import_block(second.encoded).root == second.root


def test_a_block_of_the_future_waits_for_its_slot(maker: Maker) -> None:
    made = maker.make(maker.root, 3)
    importer = maker.new_importer()
    with pytest.raises(FutureBlock) as caught:
        importer.import_block(made.encoded, now=2)
    assert (caught.value.slot, caught.value.now) == (3, 2)
    assert importer.state_of(made.hash) is None
    assert importer.import_block(made.encoded, now=3).root == made.root


def test_a_refused_block_changes_nothing(maker: Maker) -> None:
    made = maker.make(maker.root)
    importer = maker.new_importer()
    bad = maker.altered(made.block, parent_state_root=bytes(32))
    before = importer.state_of(maker.root)
    with pytest.raises(HeaderError) as caught:
        importer.import_block(bad)
    assert caught.value.code == "bad_parent_state_root"
    assert importer.state_of(maker.root) is before
    assert importer.state_of(encode(TINY, bad.header).hash) is None
    assert importer.import_block(made.encoded).root == made.root


def test_a_block_that_fails_after_its_header_changes_nothing(maker: Maker) -> None:
    made = maker.make(maker.root)
    report = maker.report(maker.root, 0)
    wrong = maker.guarantee(maker.root, report, made.slot)._replace(credentials=())
    importer = maker.new_importer()
    with pytest.raises(ReportsError):
        importer.import_block(maker.altered(made.block, guarantees=(wrong,)))
    assert importer.import_block(made.encoded).root == made.root


def test_a_block_twice_is_the_same_block(maker: Maker) -> None:
    made = maker.make(maker.root)
    importer = maker.new_importer()
    assert importer.import_block(made.encoded).root == made.root
    assert importer.import_block(made.encoded).root == made.root
    after = maker.make(made.hash)
    assert importer.import_block(after.encoded).root == after.root


def test_the_state_used_longest_ago_goes_first(maker: Maker) -> None:
    one, two, three = maker.line(maker.root, [1, 2, 3])
    importer = maker.new_importer(kept_states=2)
    for made in (one, two, three):
        importer.import_block(made.encoded)
    assert importer.state_of(one.hash) is None
    assert importer.state_of(two.hash) is not None
    assert importer.state_of(three.hash) is not None
    with pytest.raises(UnknownParent):
        importer.import_block(two.encoded)


def test_a_state_that_was_built_on_again_stays(maker: Maker) -> None:
    one = maker.make(maker.root, 1)
    forks = [maker.make(one.hash, slot) for slot in (2, 3, 4)]
    importer = maker.new_importer(kept_states=2)
    for made in (one, *forks):
        importer.import_block(made.encoded)
    assert importer.state_of(one.hash) is not None
    assert importer.state_of(forks[-1].hash) is not None
    assert importer.state_of(forks[0].hash) is None


def test_an_evicted_state_comes_back_with_its_block(maker: Maker) -> None:
    one = maker.make(maker.root, 1)
    side = maker.make(maker.root, 2)
    after = maker.make(one.hash, 3)
    importer = maker.new_importer(kept_states=2)
    for made in (one, side):
        importer.import_block(made.encoded)
    assert importer.state_of(maker.root) is not None
    assert importer.state_of(one.hash) is None
    importer.import_block(one.encoded)
    assert importer.import_block(after.encoded).root == after.root


def test_host_calls_are_observed(maker: Maker) -> None:
    report = maker.report(maker.root, 0, script(call("write", b"key", 3, b"value", 5)))
    one = maker.make(maker.root, guarantees=[maker.guarantee(maker.root, report)])
    two = maker.make(one.hash)
    seen = []
    importer = maker.new_importer(observe=lambda served: seen.append(served.name))
    for made in (one, two):
        importer.import_block(made.encoded)
    assert seen == ["fetch", "write", "fetch"]


# Lookup anchors: on the tiny chain at most 24 slots old.


def _reporting(maker: Maker, head: Made, lookup: Made) -> Block:
    """An empty block on ``head``, altered to guarantee a report with some lookup anchor."""
    made = maker.make(head.hash)
    report = maker.report(head.hash, 0, lookup_anchor=(lookup.hash, lookup.slot))
    return maker.altered(made.block, guarantees=(maker.guarantee(head.hash, report, made.slot),))


def _replayed(maker: Maker, **options: object) -> Importer:
    importer = maker.new_importer(**options)
    for made in maker.made.values():
        importer.import_block(made.encoded)
    return importer


def test_a_lookup_anchor_may_lie_behind_recent_history() -> None:
    maker = Maker()
    line = maker.line(maker.root, range(1, 16))
    _replayed(maker).import_block(_reporting(maker, line[-1], line[0]))


def test_a_lookup_anchor_is_judged_alike_whatever_else_was_seen() -> None:
    """A late block of an old fork, when the newest block lies far ahead."""
    maker = Maker()
    first = maker.make(maker.root, 5)
    maker.line(first.hash, [40, 80])
    report = maker.report(maker.root, 0)
    _replayed(maker)
    maker.make(maker.root, 1, guarantees=[maker.guarantee(maker.root, report, 1)])
    _replayed(maker)


def test_a_lookup_anchor_on_another_fork_is_no_ancestor() -> None:
    maker = Maker()
    side = maker.make(maker.root, 1)
    line = maker.line(maker.root, range(2, 12))
    block = _reporting(maker, line[-1], side)
    with pytest.raises(ReportsError) as caught:
        _replayed(maker).import_block(block)
    assert caught.value.code == "lookup_anchor_not_ancestor"
    _replayed(maker, check_ancestry=False).import_block(block)


def test_a_lookup_anchor_with_another_slot_is_no_ancestor() -> None:
    maker = Maker()
    line = maker.line(maker.root, range(1, 12))
    lookup = line[3]._replace(slot=line[3].slot + 1)
    with pytest.raises(ReportsError) as caught:
        _replayed(maker).import_block(_reporting(maker, line[-1], lookup))
    assert caught.value.code == "lookup_anchor_not_ancestor"


@pytest.mark.parametrize(("slot", "code"), [(25, None), (26, "lookup_anchor_not_recent")])
def test_a_lookup_anchor_is_at_most_so_old(slot: int, code: str | None) -> None:
    maker = Maker()
    first, second = maker.line(maker.root, [1, slot - 1])
    report = maker.report(second.hash, 0, lookup_anchor=(first.hash, 1))
    guarantee = maker.guarantee(second.hash, report, slot)
    empty = maker.make(second.hash, slot)
    block = maker.altered(empty.block, guarantees=(guarantee,))
    if code is None:
        _replayed(maker).import_block(block)
        return
    with pytest.raises(ReportsError) as caught:
        _replayed(maker).import_block(block)
    assert caught.value.code == code


def test_ancestors_before_the_first_state_can_be_told() -> None:
    maker = Maker()
    line = maker.line(maker.root, range(1, 14))
    block = _reporting(maker, line[-1], line[0])

    def late() -> Importer:
        importer = Importer(TINY, NativeEngine())
        importer.start(line[-1].hash, line[-1].state)
        return importer

    with pytest.raises(InvalidBlock):
        late().import_block(block)
    importer = Importer(TINY, NativeEngine())
    importer.add_ancestors([(made.hash, made.slot) for made in line])
    importer.start(line[-1].hash, line[-1].state)
    importer.import_block(block)
