"""Witnesses: a block is judged by them as by its state, or they say what they lack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jamliquor.chain import witness as witnesses
from jamliquor.chain.witness import MAGIC, Recorded, open_witness, record, validate
from jamliquor.codec import codec
from jamliquor.errors import DecodeError, InvalidBlock, WitnessIncomplete
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state import keys
from jamliquor.types.block import Block
from jamliquor.types.header import Header
from tests.support.maker import Made, Maker

ENGINE = NativeEngine()


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker()


@pytest.fixture(scope="module")
def main(maker: Maker) -> list[Made]:
    """Fallback seals, a new epoch, tickets, a report that is guaranteed, assured and accumulated."""
    line = maker.line(maker.root, range(1, 6))
    line.append(maker.make(line[-1].hash, ticket_count=3))
    report = maker.report(line[-1].hash, 0, lookup_anchor=(line[1].hash, line[1].slot), anchor_age=1)
    line.append(maker.make(line[-1].hash, guarantees=[maker.guarantee(line[-1].hash, report)]))
    return line + maker.line(line[-1].hash, range(line[-1].slot + 1, line[-1].slot + 8))


def headers(maker: Maker, parent: bytes) -> Iterator[bytes]:
    while parent in maker.made:
        yield codec(Header, TINY).encode(maker.made[parent].block.header)
        parent = maker.made[parent].parent


def recorded(maker: Maker, block: Block) -> Recorded:
    parent = block.header.parent
    return record(TINY, ENGINE, block, maker.state(parent), headers(maker, parent))


def with_report(main: list[Made]) -> Made:
    return next(made for made in main if made.block.extrinsic.guarantees)


def test_every_block_is_valid_by_its_witness(maker: Maker, main: list[Made]) -> None:
    for made in main:
        found = recorded(maker, made.block)
        assert found.imported is not None and found.imported.root == made.state.root
        witness = open_witness(found.witness)
        assert witness.trie.root == maker.state(made.parent).root and witness.ancestry
        assert validate(witness, ENGINE, made.block).root == made.state.root
        assert len(witness.trie) < found.keys + 10


def test_who_judges_by_a_witness_needs_no_program_that_its_maker_had_loaded(
    maker: Maker, main: list[Made]
) -> None:
    for made in main:
        recorded(maker, made.block)
        witness = open_witness(recorded(maker, made.block).witness)
        assert validate(witness, NativeEngine(), made.block).root == made.state.root


def test_a_bad_block_is_refused_by_its_witness_too(maker: Maker, main: list[Made]) -> None:
    block = maker.altered(main[3].block, parent_state_root=bytes(32))
    found = recorded(maker, block)
    assert found.imported is None and found.refusal is not None
    with pytest.raises(InvalidBlock) as refusal:
        validate(open_witness(found.witness), ENGINE, block)
    assert refusal.value.code == found.refusal.code


def test_headers_reach_to_the_oldest_anchor(maker: Maker, main: list[Made]) -> None:
    made = with_report(main)
    witness = open_witness(recorded(maker, made.block).witness)
    assert len(witness.headers) == main.index(made) - 1
    with pytest.raises(WitnessIncomplete, match="down to slot 2"):
        validate(witness._replace(headers=witness.headers[:-1]), ENGINE, made.block)
    with pytest.raises(WitnessIncomplete, match="lacks the header"):
        validate(witness._replace(headers=witness.headers[1:]), ENGINE, made.block)


def test_without_headers_anchors_are_not_checked(maker: Maker, main: list[Made]) -> None:
    made = with_report(main)
    found = record(TINY, ENGINE, made.block, maker.state(made.parent), None)
    witness = open_witness(found.witness)
    assert not witness.ancestry
    assert validate(witness, ENGINE, made.block).root == made.state.root


def test_the_missing_key_is_named(maker: Maker, main: list[Made]) -> None:
    """The witness of an empty block is not enough for one with a report."""
    made = with_report(main)
    empty = maker.make(made.parent, made.slot)
    witness = open_witness(recorded(maker, empty.block).witness)
    whole = open_witness(recorded(maker, made.block).witness)
    with pytest.raises(WitnessIncomplete, match=r"lacks key 0x[0-9a-f]{62} \(service"):
        validate(witness._replace(headers=whole.headers), ENGINE, made.block)


def test_a_witness_of_another_block_is_named(maker: Maker, main: list[Made]) -> None:
    witness = open_witness(recorded(maker, main[2].block).witness)
    with pytest.raises(WitnessIncomplete, match=main[3].parent.hex()):
        validate(witness, ENGINE, main[3].block)


def test_a_false_state_is_not_taken(maker: Maker, main: list[Made]) -> None:
    """A part of another state has another root than the header says."""
    witness = open_witness(recorded(maker, main[2].block).witness)
    entropy = keys.component(keys.ENTROPY)
    value = witness.trie.get(entropy)
    assert value is not None
    false = witness.trie.apply({entropy: value[::-1]})
    assert isinstance(false, type(witness.trie))
    with pytest.raises(InvalidBlock):
        validate(witness._replace(trie=false), ENGINE, main[2].block)


@pytest.mark.parametrize("place", [0, len(MAGIC), len(MAGIC) + 1, 100, -1])
def test_a_changed_octet_is_noticed(maker: Maker, main: list[Made], place: int) -> None:
    octets = bytearray(recorded(maker, main[2].block).witness)
    octets[place] ^= 4
    with pytest.raises(DecodeError, match="witness"):
        open_witness(bytes(octets))


def test_the_oldest_anchor(main: list[Made]) -> None:
    assert witnesses.oldest_anchor(main[0].block) is None
    assert witnesses.oldest_anchor(with_report(main).block) == main[1].slot
