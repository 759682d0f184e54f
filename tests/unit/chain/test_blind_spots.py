"""What public vectors do not reach: blocks that are valid, and what has to come of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import SafroleError
from jamliquor.params import TINY
from jamliquor.pvm.reference import ReferenceEngine
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.types.state import RequestTimes
from tests.support.maker import SERVICE, Made, Maker
from tests.support.scripted_service import Call, call, script

PREIMAGE = b"asked for, forgotten, and asked for again"
HASH = blake2b(PREIMAGE)
MEMO = bytes(TINY.memo_size)


def _done(maker: Maker, parent: bytes, *calls: Call) -> Made:
    """Two blocks: one that reports calls of the service, one that accumulates them."""
    slot = maker.slot(parent) + 1
    report = maker.report(parent, 0, script(*calls))
    made = maker.make(parent, slot, guarantees=[maker.guarantee(parent, report, slot)])
    return maker.make(made.hash)


def _times(state: State) -> RequestTimes | None:
    value = state.get(keys.request(SERVICE, len(PREIMAGE), HASH))
    if value is None:
        return None
    return tuple(int.from_bytes(value[at : at + 4], "little") for at in range(1, len(value), 4))


def _balance(state: State) -> int:
    account = state.account(SERVICE)
    assert account is not None
    return account.balance


def _same_on_the_reference(maker: Maker, line: Iterable[Made]) -> None:
    """The blocks lead to the same roots when the plain interpreter runs them."""
    importer = type(maker.importer)(TINY, ReferenceEngine())
    importer.start(maker.root, maker.first_state)
    for made in line:
        assert importer.import_block(made.encoded).root == made.root


def test_a_preimage_is_forgotten_and_asked_for_again() -> None:
    maker = Maker()
    asked = _done(maker, maker.root, call("solicit", HASH, len(PREIMAGE)))
    given = maker.make(asked.hash, preimages=[(SERVICE, PREIMAGE)])
    forgotten = _done(maker, given.hash, call("forget", HASH, len(PREIMAGE)))
    again = _done(maker, forgotten.hash, call("solicit", HASH, len(PREIMAGE)))
    assert [_times(made.state) for made in (asked, given, forgotten, again)] == [
        (),
        (given.slot,),
        (given.slot, forgotten.slot),
        (given.slot, forgotten.slot, again.slot),
    ]
    # It was never gone, so that nobody may provide it a second time.
    assert again.state.get(keys.preimage(SERVICE, HASH)) == PREIMAGE
    # Its anchor must not be too old, so that a block has to come before.
    expunged = forgotten.slot + TINY.preimage_expunge_period
    between = maker.make(again.hash, expunged)
    late = _done(maker, between.hash, call("forget", HASH, len(PREIMAGE)))
    assert _times(late.state) == (again.slot, late.slot)
    _same_on_the_reference(maker, maker.path(late.hash))


def test_a_transfer_to_oneself_comes_back_in_the_next_round() -> None:
    maker = Maker()
    before = _balance(maker.first_state)
    made = _done(maker, maker.root, call("transfer", SERVICE, 1000, 0, MEMO))
    assert _balance(made.state) == before
    account = made.state.account(SERVICE)
    assert account is not None and account.last_accumulated == made.slot
    services = made.state.component(keys.STATISTICS).services
    # One work item; the second round, which received the transfer, has its gas counted too.
    assert services[SERVICE].accumulate_count == 1
    _same_on_the_reference(maker, maker.path(made.hash))


def test_a_transfer_to_nobody_keeps_the_balance() -> None:
    maker = Maker()
    before = _balance(maker.first_state)
    for nobody in (7, 2**32 - 1, 2**32 + SERVICE, 2**64 - 1):
        made = _done(maker, maker.root, call("transfer", nobody, 1000, 0, MEMO))
        assert _balance(made.state) == before


def test_a_transfer_of_everything_that_can_be_written_keeps_the_balance() -> None:
    maker = Maker()
    before = _balance(maker.first_state)
    calls = [call("transfer", SERVICE, amount, 0, MEMO) for amount in (2**64 - 1, 2**63, before + 1)]
    assert _balance(_done(maker, maker.root, *calls).state) == before


def test_reports_that_wait_for_each_other_never_accumulate() -> None:
    maker = Maker()
    first, second = maker.report(maker.root, 0), maker.report(maker.root, 1)
    packages = [report.specification.package_hash for report in (first, second)]
    context = first.context
    loop = [
        report._replace(context=context._replace(prerequisites=(other,)))
        for report, other in zip((first, second), packages[::-1], strict=True)
    ]
    made = maker.make(maker.root, 1, guarantees=[maker.guarantee(maker.root, each, 1) for each in loop])
    made = maker.make(made.hash, 2)
    waiting = made.state.component(keys.ACCUMULATION_QUEUE)
    assert [len(items) for items in waiting if items] == [2]
    for slot in range(3, 2 + TINY.epoch_length):
        made = maker.make(made.hash, slot)
        assert any(made.state.component(keys.ACCUMULATION_QUEUE))
    made = maker.make(made.hash)
    # A whole epoch later they are dropped, and their packages may come again.
    assert not any(made.state.component(keys.ACCUMULATION_QUEUE))
    assert not any(made.state.component(keys.ACCUMULATION_HISTORY))
    report = maker.report(made.hash, 0)
    specification = report.specification._replace(package_hash=packages[0])
    report = report._replace(specification=specification)
    maker.make(made.hash, guarantees=[maker.guarantee(made.hash, report)])


def test_a_report_that_waits_for_itself_never_accumulates() -> None:
    maker = Maker()
    report = maker.report(maker.root, 0)
    package = report.specification.package_hash
    report = report._replace(context=report.context._replace(prerequisites=(package,)))
    made = maker.make(maker.root, 1, guarantees=[maker.guarantee(maker.root, report, 1)])
    made = maker.make(made.hash, 2)
    assert [len(items) for items in made.state.component(keys.ACCUMULATION_QUEUE) if items] == [1]
    assert not any(made.state.component(keys.ACCUMULATION_HISTORY))


def test_a_sibling_of_an_earlier_slot_than_the_head_is_imported() -> None:
    """The slot is compared with the parent's, not with that of the newest block."""
    maker = Maker()
    maker.line(maker.root, [9, 10, 11])
    assert maker.make(maker.root, 2).slot == 2


def test_history_is_imported_without_a_clock() -> None:
    maker = Maker()
    far = maker.make(maker.root, maker.sealable(maker.root, 2**32 - 14))
    assert far.state.component(keys.TIME) >= 2**32 - 14


def test_epochs_that_nobody_was_there_for() -> None:
    """Sets move on by one epoch only, and tickets of the contest before the gap are gone."""
    maker = Maker()
    first = maker.make(maker.root, 1, ticket_count=3)
    late = maker.make(first.hash, maker.sealable(first.hash, 12 * 50 + 11), ticket_count=0)
    safrole = late.state.component(keys.SAFROLE)
    assert safrole.accumulator == ()
    entropy = late.state.component(keys.ENTROPY)
    assert entropy[1:] == first.state.component(keys.ENTROPY)[:3]
    assert late.block.header.epoch_mark is not None


def test_a_preimage_that_is_forgotten_in_its_block_is_dropped() -> None:
    """It is judged on the accounts before the block, and integrated into those after accumulation."""
    maker = Maker()
    asked = _done(maker, maker.root, call("solicit", HASH, len(PREIMAGE)))
    slot = asked.slot + 1
    report = maker.report(asked.hash, 0, script(call("forget", HASH, len(PREIMAGE))))
    made = maker.make(asked.hash, slot, guarantees=[maker.guarantee(asked.hash, report, slot)])
    made = maker.make(made.hash, preimages=[(SERVICE, PREIMAGE)])
    assert _times(made.state) is None
    assert made.state.get(keys.preimage(SERVICE, HASH)) is None


def test_services_see_the_entropy_after_the_block() -> None:
    maker = Maker()
    shown = 0x2_3F00
    made = _done(maker, maker.root, call("fetch", shown, 0, 32, 1), call("yield", shown))
    entropy = made.state.component(keys.ENTROPY)
    assert len(set(entropy)) == len(entropy)
    assert made.state.component(keys.ACCUMULATION_OUTPUTS) == ((SERVICE, entropy[0]),)


@pytest.mark.parametrize("parallel", [False, True])
def test_no_signature_is_forgotten_with_a_core_to_spare(parallel: bool) -> None:
    """Ring proofs may be left to a thread, whose verdict has to be waited for."""
    maker = Maker()
    made = maker.make(maker.root, 1, ticket_count=1)
    [ticket] = made.block.extrinsic.tickets
    forged = ticket._replace(proof=ticket.proof[:-1] + bytes([ticket.proof[-1] ^ 1]))
    block = maker.altered(made.block, tickets=(forged,))
    importer = maker.new_importer(parallel=parallel)
    with pytest.raises(SafroleError) as caught:
        importer.import_block(block)
    assert caught.value.code == "bad_ticket_proof"
    assert importer.import_block(made.block).root == made.root
