"""Pools: validated on entry, bounded, evicted by policy, fresh, and only what a block may carry."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jamliquor.author import statements, tickets
from jamliquor.author.assembly import Pools, Size, assemble
from jamliquor.author.block import EMPTY_EXTRINSIC
from jamliquor.author.outlook import Outlook
from jamliquor.author.pools import (
    AssurancePool,
    DisputePool,
    GuaranteePool,
    NotPooled,
    PreimagePool,
    TicketPool,
)
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.stf.reports import report_hash
from jamliquor.types.extrinsic import Disputes, Preimage, TicketEnvelope
from tests.support.maker import SERVICE, Made, Maker
from tests.support.scripted_service import call, script

BLOBS = tuple(b"blob %d" % number for number in range(4))


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker(seed=1)


@pytest.fixture(scope="module")
def proved(maker: Maker) -> list[TicketEnvelope]:
    """Five tickets, best first."""
    ahead = maker.outlook(maker.root)
    running = tickets.contest(ahead)
    ours = tickets.candidates(TINY, running, maker.keyring)[:5]
    return [tickets.prove(running, maker.keyring, each) for each in ours]


@pytest.fixture(scope="module")
def wanting(maker: Maker) -> Made:
    """A block after which the service waits for all blobs."""
    wish = script(*(call("solicit", blake2b(blob), len(blob)) for blob in BLOBS))
    report = maker.guarantee(maker.root, maker.report(maker.root, 0, wish), 1)
    return maker.make(maker.make(maker.root, 1, guarantees=[report]).hash, 2)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(NotPooled) as caught:
        call()
    return caught.value.code


class TestTickets:
    def test_best_first_and_no_more_than_a_block_takes(
        self, maker: Maker, proved: list[TicketEnvelope]
    ) -> None:
        pool, ahead = TicketPool(), maker.outlook(maker.root)
        for envelope in reversed(proved):
            pool.add(ahead, envelope)
        assert pool.choose(ahead) == tuple(proved[:3])
        assert pool.choose(ahead, 1) == tuple(proved[:1])
        assert pool.counts.accepted == 5

    def test_what_is_wrong_does_not_enter(self, maker: Maker, proved: list[TicketEnvelope]) -> None:
        pool, ahead = TicketPool(), maker.outlook(maker.root)
        attempt, proof = proved[0]
        forged = TicketEnvelope(attempt, proof[:-1] + bytes([proof[-1] ^ 1]))
        assert refused(lambda: pool.add(ahead, forged)) == "bad_ticket_proof"
        assert refused(lambda: pool.add(ahead, TicketEnvelope(3, proof))) == "bad_ticket_attempt"
        assert refused(lambda: pool.add(ahead, TicketEnvelope(0, b"short"))) == "bad_ticket_proof"
        late = maker.outlook(maker.root, 10)
        assert refused(lambda: pool.add(late, proved[0])) == "unexpected_ticket"
        pool.add(ahead, proved[0])
        assert refused(lambda: pool.add(ahead, proved[0])) == "known"
        assert len(pool) == 1

    def test_a_flood_of_false_proofs_is_bounded_work(
        self, maker: Maker, proved: list[TicketEnvelope]
    ) -> None:
        pool, ahead = TicketPool(proofs_a_slot=4), maker.outlook(maker.root)
        codes = []
        for number in range(500):
            false = TicketEnvelope(0, bytes([number % 256, number // 256]) + proved[0].proof[2:])
            codes.append(refused(lambda each=false: pool.add(ahead, each)))  # type: ignore[misc]
        assert set(codes) == {"bad_ticket_proof", "busy"}
        assert codes.count("bad_ticket_proof") == 4
        assert len(pool) == 0
        pool.add(maker.outlook(maker.root, 2), proved[0])

    def test_the_worst_goes_when_there_is_no_room(
        self, maker: Maker, proved: list[TicketEnvelope]
    ) -> None:
        pool, ahead = TicketPool(2), maker.outlook(maker.root)
        for envelope in (proved[1], proved[2], proved[0]):
            pool.add(ahead, envelope)
        assert pool.choose(ahead) == tuple(proved[:2])
        assert refused(lambda: pool.add(ahead, proved[3])) == "full"
        assert pool.counts.evicted == 1

    def test_the_accumulator_decides_what_is_of_use(
        self, maker: Maker, proved: list[TicketEnvelope]
    ) -> None:
        pool = TicketPool()
        for envelope in proved[:4]:
            pool.add(maker.outlook(maker.root), envelope)
        after = maker.make(maker.root, 1, ticket_count=3)
        ahead = maker.outlook(after.hash)
        assert refused(lambda: TicketPool().add(ahead, proved[0])) == "useless"
        assert pool.choose(ahead) == (proved[3],)
        assert pool.counts.stale == 3

    def test_a_new_contest_empties_it(self, maker: Maker, proved: list[TicketEnvelope]) -> None:
        pool = TicketPool()
        pool.add(maker.outlook(maker.root), proved[0])
        assert pool.choose(maker.outlook(maker.root, 12)) == ()
        assert len(pool) == 0


class TestPreimages:
    def test_wanted_ones_sorted(self, maker: Maker, wanting: Made) -> None:
        pool, ahead = PreimagePool(), maker.outlook(wanting.hash)
        for blob in reversed(BLOBS):
            pool.add(ahead, Preimage(SERVICE, blob))
        assert pool.choose(ahead) == tuple(Preimage(SERVICE, blob) for blob in BLOBS)
        assert len(pool.choose(ahead, 13)) == 2
        assert refused(lambda: pool.add(ahead, Preimage(SERVICE, BLOBS[0]))) == "known"

    def test_bounds(self, maker: Maker, wanting: Made) -> None:
        ahead = maker.outlook(wanting.hash)
        for pool in (PreimagePool(1), PreimagePool(max_octets=8)):
            pool.add(ahead, Preimage(SERVICE, BLOBS[0]))
            assert refused(lambda full=pool: full.add(ahead, Preimage(SERVICE, BLOBS[1]))) == "full"  # type: ignore[misc]

    def test_nobody_asked(self, maker: Maker, wanting: Made) -> None:
        pool, ahead = PreimagePool(), maker.outlook(wanting.hash)
        assert refused(lambda: pool.add(ahead, Preimage(SERVICE, b"spam"))) == "preimage_unneeded"
        assert refused(lambda: pool.add(ahead, Preimage(7, BLOBS[0]))) == "preimage_unneeded"

    def test_what_was_provided_leaves(self, maker: Maker, wanting: Made) -> None:
        pool = PreimagePool()
        for blob in BLOBS:
            pool.add(maker.outlook(wanting.hash), Preimage(SERVICE, blob))
        after = maker.make(wanting.hash, 3, preimages=[(SERVICE, BLOBS[1])])
        chosen = pool.choose(maker.outlook(after.hash))
        assert [each.data for each in chosen] == [BLOBS[0], BLOBS[2], BLOBS[3]]
        assert pool.octets == sum(map(len, BLOBS)) - len(BLOBS[1])


class TestGuarantees:
    def test_one_for_each_core_the_better_signed_first(self, maker: Maker) -> None:
        ahead, pool = maker.outlook(maker.root, 1), GuaranteePool()
        offered = [maker.guarantee(maker.root, maker.report(maker.root, core), 1) for core in (1, 0, 0)]
        fewer = offered[1]._replace(credentials=offered[1].credentials[:2])
        for guarantee in (fewer, offered[0], offered[2]):
            pool.add(ahead, guarantee)
        assert pool.choose(ahead, ahead.judged.pending) == (offered[2], offered[0])
        assert len(pool.choose(ahead, ahead.judged.pending, limit=1)) == 1
        pool.add(ahead, offered[1])
        assert len(pool) == 3
        assert refused(lambda: pool.add(ahead, fewer)) == "known"

    def test_reports_that_build_on_each_other(self, maker: Maker) -> None:
        ahead, pool = maker.outlook(maker.root, 1), GuaranteePool()
        first = maker.report(maker.root, 1)
        second = maker.report(maker.root, 0, prerequisites=[first.specification.package_hash])
        guarantees = [maker.guarantee(maker.root, report, 1) for report in (second, first)]
        pool.add(ahead, guarantees[0])
        assert pool.choose(ahead, ahead.judged.pending) == ()
        pool.add(ahead, guarantees[1])
        assert pool.choose(ahead, ahead.judged.pending) == tuple(guarantees)

    def test_a_bad_signature_and_a_bad_report(self, maker: Maker) -> None:
        ahead, pool = maker.outlook(maker.root, 1), GuaranteePool()
        good = maker.guarantee(maker.root, maker.report(maker.root, 0), 1)
        early = good._replace(slot=2)
        assert refused(lambda: pool.add(ahead, early)) == "future_report_slot"
        forged = good.credentials[0]._replace(signature=bytes(64))
        bad = good._replace(credentials=(forged, *good.credentials[1:]))
        assert refused(lambda: pool.add(ahead, bad)) == "bad_signature"
        alone = good._replace(credentials=good.credentials[:1])
        assert refused(lambda: pool.add(ahead, alone)) == "insufficient_guarantees"

    def test_an_engaged_core_waits_and_an_old_anchor_goes(self, maker: Maker) -> None:
        pool = GuaranteePool()
        report = maker.report(maker.root, 0)
        waiting = maker.guarantee(maker.root, report, 1)
        taken = maker.guarantee(maker.root, maker.report(maker.root, 0), 1)
        pool.add(maker.outlook(maker.root, 1), waiting)
        head = maker.make(maker.root, 1, guarantees=[taken])
        ahead = maker.outlook(head.hash, 2)
        assert pool.choose(ahead, ahead.judged.pending) == ()
        assert pool.choose(ahead, (None, None)) == (waiting,)
        for made in maker.line(head.hash, range(2, 11)):
            head = made
        ahead = maker.outlook(head.hash)
        assert pool.choose(ahead, ahead.judged.pending) == ()
        assert len(pool) == 0

    def test_the_oldest_goes_when_there_is_no_room(self, maker: Maker) -> None:
        pool = GuaranteePool(1)
        old = maker.guarantee(maker.root, maker.report(maker.root, 0), 1)
        new = maker.guarantee(maker.root, maker.report(maker.root, 0), 2)
        ahead = maker.outlook(maker.root, 2)
        pool.add(ahead, old)
        pool.add(ahead, new)
        assert pool.choose(ahead, ahead.judged.pending) == (new,)


class TestAssurances:
    @pytest.fixture
    def engaged(self, maker: Maker) -> Made:
        report = maker.guarantee(maker.root, maker.report(maker.root, 1), 1)
        return maker.make(maker.root, 1, guarantees=[report])

    def test_for_their_parent_alone(self, maker: Maker, engaged: Made) -> None:
        pool, ahead = AssurancePool(), maker.outlook(engaged.hash)
        gathered = statements.gather_assurances(ahead, engaged.hash, maker.keyring)
        for each in reversed(gathered):
            pool.add(ahead, engaged.hash, each)
        assert pool.choose(ahead, engaged.hash) == gathered
        assert pool.choose(ahead, maker.root) == ()
        wrong = gathered[0]._replace(anchor=maker.root)
        assert refused(lambda: pool.add(ahead, engaged.hash, wrong)) == "bad_attestation_parent"
        forged = gathered[0]._replace(signature=bytes(64))
        assert refused(lambda: pool.add(ahead, engaged.hash, forged)) == "bad_signature"

    def test_idle_cores_are_not_assured(self, maker: Maker, engaged: Made) -> None:
        pool, ahead = AssurancePool(), maker.outlook(engaged.hash)
        [every] = statements.gather_assurances(ahead, engaged.hash, maker.keyring, [0, 1])[:1]
        assert refused(lambda: pool.add(ahead, engaged.hash, every)) == "core_not_engaged"

    def test_the_oldest_parent_goes(self, maker: Maker, engaged: Made) -> None:
        pool = AssurancePool(1)
        later = maker.make(engaged.hash, assurances=())
        for made in (engaged, later):
            ahead = maker.outlook(made.hash)
            for each in statements.gather_assurances(ahead, made.hash, maker.keyring):
                pool.add(ahead, made.hash, each)
        assert pool.choose(maker.outlook(engaged.hash), engaged.hash) == ()
        assert len(pool) == 6
        assert pool.counts.evicted == 6


class TestDisputes:
    def lot(self, maker: Maker, ahead: Outlook, report: bytes) -> Disputes:
        third = maker.params.one_third
        return Disputes((statements.gather_verdict(ahead, report, third, maker.keyring),), (), ())

    def test_lots_are_joined_and_leave_once_settled(self, maker: Maker) -> None:
        pool, ahead = DisputePool(2), maker.outlook(maker.root)
        lots = [self.lot(maker, ahead, blake2b(bytes([number]))) for number in range(3)]
        pool.add(ahead, lots[0])
        pool.add(ahead, lots[1])
        assert refused(lambda: pool.add(ahead, lots[0])) == "known"
        assert refused(lambda: pool.add(ahead, lots[2])) == "full"
        joined = pool.choose(ahead)
        assert set(joined.verdicts) == {lots[0].verdicts[0], lots[1].verdicts[0]}
        after = maker.make(maker.root, 1, disputes=joined)
        ahead = maker.outlook(after.hash)
        assert pool.choose(ahead) == Disputes((), (), ())
        assert len(pool) == 0
        assert refused(lambda: DisputePool().add(ahead, lots[0])) == "already_judged"


def test_what_is_assembled_is_a_valid_block(maker: Maker, proved: list[TicketEnvelope]) -> None:
    """Everything at once: a verdict frees a core, assurances another, new reports take both."""
    offered = [maker.guarantee(maker.root, maker.report(maker.root, core), 1) for core in (0, 1)]
    head = maker.make(maker.root, 1, guarantees=offered)
    ahead = maker.outlook(head.hash, 2)
    pools = Pools()
    condemned = report_hash(TINY, offered[0].report)
    verdict = statements.gather_verdict(ahead, condemned, TINY.one_third, maker.keyring)
    pools.disputes.add(ahead, Disputes((verdict,), (), ()))
    for assurance in statements.gather_assurances(ahead, head.hash, maker.keyring, [1]):
        pools.assurances.add(ahead, head.hash, assurance)
    for envelope in proved:
        pools.tickets.add(ahead, envelope)
    for core in (0, 1):
        report = maker.report(head.hash, core)
        pools.guarantees.add(ahead, maker.guarantee(head.hash, report, 2))
    _, extrinsic = assemble(pools, head.state, head.hash, 2)
    assert [len(part) for part in extrinsic[:4]] == [3, 0, 2, 6]
    assert extrinsic.disputes.verdicts == (verdict,)
    made = maker.make(
        head.hash,
        2,
        ticket_count=3,
        guarantees=extrinsic.guarantees,
        assurances=extrinsic.assurances,
        disputes=extrinsic.disputes,
    )
    assert made.block.extrinsic == extrinsic
    _, small = assemble(pools, head.state, head.hash, 2, size=Size.SMALL)
    assert small == extrinsic._replace(guarantees=())
    _, nothing = assemble(pools, head.state, head.hash, 2, size=Size.EMPTY)
    assert nothing == EMPTY_EXTRINSIC
