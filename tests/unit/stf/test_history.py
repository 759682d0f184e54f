"""Section 7 where the public vectors are silent: roots of outputs, limits, an empty history."""

from __future__ import annotations

from jamliquor.crypto.hashing import keccak
from jamliquor.params import TINY
from jamliquor.stf import history
from jamliquor.types.extrinsic import Guarantee
from jamliquor.types.state import AccumulationOutput, RecentBlock, RecentHistory
from jamliquor.types.work import AvailabilitySpecification, RefinementContext, WorkReport

ROOT = b"\x05" * 32


def block(number: int) -> RecentBlock:
    return RecentBlock(bytes((number,)) * 32, bytes(32), bytes(32), {})


def test_only_the_parent_learns_its_state_root() -> None:
    known = history.with_parent_state_root(RecentHistory((block(1), block(2)), (None, ROOT)), ROOT)
    assert known.blocks == (block(1), block(2)._replace(state_root=ROOT))
    assert known.belt == (None, ROOT)


def test_an_empty_history_has_no_parent() -> None:
    empty = RecentHistory((), ())
    assert history.with_parent_state_root(empty, ROOT) == empty
    posterior = history.append(TINY, empty, b"\x01" * 32, ROOT, {})
    # One leaf is a mountain by itself, and its own super-peak.
    assert posterior == ((RecentBlock(b"\x01" * 32, ROOT, bytes(32), {}),), (ROOT,))


def test_the_oldest_block_leaves_and_the_belt_stays() -> None:
    full = RecentHistory(tuple(block(number) for number in range(8)), (ROOT,))
    posterior = history.append(TINY, full, b"\x09" * 32, b"\x06" * 32, {b"\x01" * 32: b"\x02" * 32})
    assert [found.header_hash[0] for found in posterior.blocks] == [1, 2, 3, 4, 5, 6, 7, 9]
    assert posterior.blocks[-1].reported == {b"\x01" * 32: b"\x02" * 32}
    assert posterior.belt == (None, keccak(ROOT + b"\x06" * 32))


def test_the_root_of_outputs() -> None:
    one, two = AccumulationOutput(1, b"\x01" * 32), AccumulationOutput(258, b"\x02" * 32)
    leaves = (b"\x01\x00\x00\x00" + b"\x01" * 32, b"\x02\x01\x00\x00" + b"\x02" * 32)
    assert history.accumulation_root(()) == bytes(32)
    assert history.accumulation_root((one,)) == keccak(leaves[0])
    assert history.accumulation_root((one, two)) == keccak(b"node" + leaves[0] + leaves[1])
    assert history.accumulation_root((two, one)) == keccak(b"node" + leaves[1] + leaves[0])


def test_reported_packages_are_those_of_the_guarantees() -> None:
    context = RefinementContext(bytes(32), bytes(32), bytes(32), bytes(32), 5, ())
    reports = [
        WorkReport(
            AvailabilitySpecification(bytes((n,)) * 32, 7, bytes(32), bytes((n + 1,)) * 32, 1),
            context,
            0,
            bytes(32),
            9,
            b"",
            (),
            (),
        )
        for n in (5, 3)
    ]
    guarantees = tuple(Guarantee(report, 1, ()) for report in reports)
    assert history.reported_packages(guarantees) == {
        b"\x05" * 32: b"\x06" * 32,
        b"\x03" * 32: b"\x04" * 32,
    }
