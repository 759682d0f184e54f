"""The host calls of accumulation (appendix B.7): results, gas and effects, failure by failure."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from jamliquor.codec import codec
from jamliquor.codec.runtime import encode_natural
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.pvm.host.codes import CASH, CORE, FULL, HUH, LARGE, LOW, NONE, OK, WHO
from jamliquor.pvm.host.context import AccumulateContext
from jamliquor.state import keys
from jamliquor.state.accounts import threshold
from jamliquor.types.accumulation import DeferredTransfer
from jamliquor.types.state import Privileges, RequestTimes, ValidatorSet
from jamliquor.types.work import WorkError
from tests.support.guest import CONSTANT, HEAP, HEAP_SIZE, NOWHERE, UNMAPPED, BoundlessMachine
from tests.support.hosting import (
    ENTROPY,
    GAS,
    HASH,
    OTHER,
    PRIVILEGES,
    SELF,
    SLOT,
    Served,
    account,
    call,
    context_of,
    state_of,
)

ME = 2**64 - 1
UNREADABLE = [UNMAPPED, NOWHERE, CONSTANT + 0xFFF]
OLD = SLOT - TINY.preimage_expunge_period - 1
"""The last slot that is long enough ago to expunge."""


def simple(**fields: Any) -> AccumulateContext:
    return context_of(state_of({SELF: account(**fields), OTHER: account()}))


def privileged(**fields: Any) -> AccumulateContext:
    return context_of(state_of({SELF: account()}), privileges=PRIVILEGES._replace(**fields))


def nothing_changed(context: AccumulateContext) -> bool:
    outcome = context.outcome(0, b"")
    return not (outcome.records or outcome.entries or outcome.transfers or outcome.provisions)


class TestBless:
    assigners = struct.pack("<2I", 21, 22)
    gas = struct.pack("<IQIQ", 9, 90, 8, 2**64 - 1)

    def bless(self, context: AccumulateContext, *arguments: int) -> Served:
        memory = {HEAP: self.assigners, HEAP + 64: self.gas}
        return call(context, "bless", *arguments, memory=memory)

    def test_the_manager_sets_everything(self) -> None:
        context = privileged(manager=SELF)
        assert self.bless(context, 11, HEAP, 12, 13, HEAP + 64, 2).result == OK
        expected = Privileges(11, (21, 22), 12, 13, {8: 2**64 - 1, 9: 90})
        assert context.chain.privileges == expected
        assert list(context.chain.privileges.always_accumulate) == [8, 9]

    def test_others_may_name_services_but_not_give_gas(self) -> None:
        context = simple()
        assert self.bless(context, 11, HEAP, 12, 13, HEAP + 64, 2).result == OK
        assert context.chain.privileges == Privileges(11, (21, 22), 12, 13, {})

    def test_who_was_the_manager_at_the_start_counts(self) -> None:
        context = privileged(manager=SELF)
        assert self.bless(context, 11, HEAP, 12, 13, HEAP + 64, 0).result == OK
        assert self.bless(context, 11, HEAP, 12, 13, HEAP + 64, 1).result == OK
        assert context.chain.privileges.always_accumulate == {9: 90}

    def test_of_equal_services_the_last_counts(self) -> None:
        context = privileged(manager=SELF)
        memory = {HEAP: self.assigners, HEAP + 64: struct.pack("<IQIQ", 9, 1, 9, 2)}
        call(context, "bless", 1, HEAP, 2, 3, HEAP + 64, 2, memory=memory)
        assert context.chain.privileges.always_accumulate == {9: 2}

    def test_many_services(self) -> None:
        context = privileged(manager=SELF)
        count = 20_000
        arguments = (1, HEAP, 2, 3, HEAP + 64, count)
        assert call(context, "bless", *arguments, kind=BoundlessMachine).result == OK
        assert context.chain.privileges.always_accumulate == {0: 0}

    @pytest.mark.parametrize("position", [0, 2, 3])
    def test_no_such_service(self, position: int) -> None:
        arguments = [11, HEAP, 12, 13, HEAP + 64, 2]
        arguments[position] = 2**32
        context = simple()
        assert self.bless(context, *arguments).result == WHO
        assert context.chain.privileges == PRIVILEGES

    @pytest.mark.parametrize(
        ("assigners", "gas", "count"),
        [(UNMAPPED, HEAP, 0), (HEAP, UNMAPPED, 1), (HEAP, HEAP, 2**64 - 1), (HEAP, HEAP, 2**60)],
    )
    def test_unreadable_comes_first(self, assigners: int, gas: int, count: int) -> None:
        served = self.bless(simple(), 2**32, assigners, 0, 0, gas, count)
        assert served.failure is WorkError.PANIC


class TestAssign:
    queue = bytes(range(256)) * 10

    def assign(self, context: AccumulateContext, core: int, at: int, assigner: int) -> Served:
        return call(context, "assign", core, at, assigner, memory={HEAP: self.queue})

    def test_sets_queue_and_successor(self) -> None:
        context = privileged(assigners=(1, SELF))
        assert self.assign(context, 1, HEAP, 77).result == OK
        assert context.chain.privileges.assigners == (1, 77)
        queue = context.chain.queues[1]
        assert (len(queue), b"".join(queue)) == (80, self.queue)
        assert context.chain.queues[0] == ("queue", 0)

    def test_failures_in_order(self) -> None:
        assert self.assign(simple(), 2, UNMAPPED, 2**32).failure is WorkError.PANIC
        assert self.assign(simple(), 2, HEAP, 2**32).result == CORE
        assert self.assign(simple(), 2**64 - 1, HEAP, 2**32).result == CORE
        assert self.assign(privileged(assigners=(SELF, 1)), 1, HEAP, 2**32).result == HUH
        context = privileged(assigners=(SELF, 1))
        assert self.assign(context, 0, HEAP, 2**32).result == WHO
        assert context.chain.queues[0] == ("queue", 0)


class TestDesignate:
    data = bytes(range(1, 7)) * 336

    def test_sets_the_validators(self) -> None:
        context = privileged(delegator=SELF)
        assert call(context, "designate", HEAP, memory={HEAP: self.data}).result == OK
        assert codec(ValidatorSet, TINY).encode(context.chain.staging) == self.data

    def test_failures_in_order(self) -> None:
        assert call(simple(), "designate", CONSTANT + 0xFFF).failure is WorkError.PANIC
        context = simple()
        assert call(context, "designate", HEAP).result == HUH
        assert context.chain.staging == ("staging",)


class TestNew:
    deposit = 100 + 20 + 81 + 50

    def new(self, context: AccumulateContext, *arguments: int) -> Served:
        return call(context, "new", *arguments, memory={HEAP: HASH})

    def index(self, service: int = SELF) -> int:
        seed = encode_natural(service) + ENTROPY + encode_natural(SLOT)
        first = int.from_bytes(blake2b(seed)[:4], "little")
        return first % (2**32 - 2**16 - 2**8) + 2**16

    def test_makes_a_service(self) -> None:
        context = simple()
        assert self.new(context, HEAP, 50, 6, 7, 0, 0).result == self.index()
        created = context.accounts.account(self.index())
        assert created == account(
            code_hash=HASH,
            balance=self.deposit,
            min_item_gas=6,
            min_memo_gas=7,
            octets=81 + 50,
            items=2,
            created=SLOT,
            last_accumulated=0,
            parent=SELF,
        )
        assert threshold(TINY, created) == created.balance
        assert context.accounts.request(self.index(), HASH, 50) == ()
        assert context.account.balance == 10_000 - self.deposit
        assert context.outcome(0, b"").created == (self.index(),)

    def test_the_next_index_is_42_higher(self) -> None:
        context = simple()
        self.new(context, HEAP, 50, 6, 7, 0, 0)
        second = self.new(context, HEAP, 50, 6, 7, 0, 0).result
        span = 2**32 - 2**16 - 2**8
        assert second == (self.index() - 2**16 + 42) % span + 2**16

    def test_taken_indices_are_passed_over(self) -> None:
        taken = {self.index(): account(), self.index() + 1: account()}
        context = context_of(state_of({SELF: account(), **taken}))
        assert self.new(context, HEAP, 50, 6, 7, 0, 0).result == self.index() + 2

    def test_the_registrar_may_choose(self) -> None:
        context = privileged(registrar=SELF)
        assert self.new(context, HEAP, 50, 6, 7, 0, 12).result == 12
        assert context.accounts.account(12) is not None
        assert self.new(context, HEAP, 50, 6, 7, 0, 12).result == FULL
        # Above the protected range the wish does not count.
        assert self.new(context, HEAP, 50, 6, 7, 0, 2**16).result == self.index()

    def test_others_may_not_choose(self) -> None:
        assert self.new(simple(), HEAP, 50, 6, 7, 0, 12).result == self.index()

    def test_the_manager_may_grant_storage(self) -> None:
        context = privileged(manager=SELF)
        index = self.new(context, HEAP, 50, 6, 7, 1_000, 0).result
        created = context.accounts.account(index)
        assert created is not None
        assert (created.balance, created.deposit_offset) == (0, 1_000)
        assert context.account.balance == 10_000

    @pytest.mark.parametrize("at", UNREADABLE)
    def test_unreadable(self, at: int) -> None:
        assert self.new(simple(), at, 50, 6, 7, 1, 0).failure is WorkError.PANIC

    def test_failures_in_order(self) -> None:
        assert self.new(simple(balance=0), HEAP, 2**32, 6, 7, 1, 0).failure is WorkError.PANIC
        assert self.new(simple(balance=0), HEAP, 2**32 - 1, 6, 7, 1, 0).result == HUH
        state = state_of({SELF: account(balance=100 + self.deposit - 1), 12: account()})
        context = context_of(state, privileges=PRIVILEGES._replace(registrar=SELF))
        assert self.new(context, HEAP, 50, 6, 7, 0, 12).result == CASH
        assert nothing_changed(context)
        context = simple(balance=100 + self.deposit)
        assert self.new(context, HEAP, 50, 6, 7, 0, 12).result == self.index()
        assert context.account.balance == 100


class TestUpgrade:
    def test_sets_code_and_gas(self) -> None:
        context = simple()
        arguments = (HEAP, 2**64 - 1, 5)
        assert call(context, "upgrade", *arguments, memory={HEAP: HASH}).result == OK
        assert context.account == account(code_hash=HASH, min_item_gas=2**64 - 1, min_memo_gas=5)

    @pytest.mark.parametrize("at", UNREADABLE)
    def test_unreadable(self, at: int) -> None:
        assert call(simple(), "upgrade", at, 1, 2).failure is WorkError.PANIC


class TestTransfer:
    memo = bytes(range(128))

    def send(self, context: AccumulateContext, *arguments: int, gas: int = GAS) -> Served:
        return call(context, "transfer", *arguments, memory={HEAP: self.memo}, gas=gas)

    def context(self, **fields: int) -> AccumulateContext:
        other = account(min_memo_gas=50)
        return context_of(state_of({SELF: account(**fields), OTHER: other}))

    def test_sends_balance_and_pays_the_gas(self) -> None:
        context = self.context()
        served = self.send(context, OTHER, 9_900, 50, HEAP)
        assert (served.result, served.gas_used) == (OK, 60)
        assert context.account.balance == 100
        other = context.accounts.account(OTHER)
        assert other is not None
        assert other.balance == 10_000
        assert context.transfers == [DeferredTransfer(SELF, OTHER, 9_900, self.memo, 50)]

    def test_to_oneself(self) -> None:
        context = self.context()
        assert self.send(context, SELF, 5, 0, HEAP).result == OK
        assert context.account.balance == 9_995

    def test_to_a_service_made_just_now(self) -> None:
        context = self.context()
        index = call(context, "new", HEAP, 50, 0, 0, 0, 0).result
        assert self.send(context, index, 5, 0, HEAP).result == OK

    @pytest.mark.parametrize(
        ("arguments", "result"),
        [
            ((3, 2**64 - 1, 0, HEAP), WHO),
            ((2**32 + OTHER, 0, 100, HEAP), WHO),
            ((OTHER, 2**64 - 1, 49, HEAP), LOW),
            ((OTHER, 2**64 - 1, 50, HEAP), CASH),
            ((OTHER, 9_901, 2**64 - 1, HEAP), CASH),
        ],
    )
    def test_failures_cost_ten(self, arguments: tuple[int, ...], result: int) -> None:
        context = self.context()
        served = self.send(context, *arguments)
        assert (served.result, served.gas_used) == (result, 10)
        assert nothing_changed(context)

    def test_unreadable_comes_first(self) -> None:
        served = self.send(self.context(), 3, 0, 0, HEAP + HEAP_SIZE - 127)
        assert (served.failure, served.gas_used) == (WorkError.PANIC, 10)

    @pytest.mark.parametrize("limit", [GAS - 9, 2**63, 2**64 - 1])
    def test_gas_that_cannot_be_paid(self, limit: int) -> None:
        context = self.context()
        served = self.send(context, OTHER, 5, limit, HEAP)
        assert (served.failure, served.gas_used) == (WorkError.OUT_OF_GAS, GAS)
        assert nothing_changed(context)

    def test_all_the_gas_there_is(self) -> None:
        served = self.send(self.context(), OTHER, 5, GAS - 10, HEAP)
        assert (served.result, served.gas_used) == (OK, GAS)


class TestEject:
    length = 33

    def context(
        self, times: RequestTimes | None = (1, OLD), slot: int = SLOT, **fields: Any
    ) -> AccumulateContext:
        given_up = account(
            code_hash=SELF.to_bytes(32, "little"), items=2, octets=81 + self.length, balance=234
        )
        requests = {} if times is None else {(OTHER, HASH, self.length): times}
        state = state_of(
            {SELF: account(), OTHER: given_up._replace(**fields)},
            requests=requests,
            preimages={(OTHER, HASH): bytes(self.length)},
        )
        return context_of(state, slot=slot)

    def eject(self, context: AccumulateContext, service: int = OTHER, at: int = HEAP) -> Served:
        return call(context, "eject", service, at, memory={HEAP: HASH})

    def test_removes_everything_and_takes_the_balance(self) -> None:
        context = self.context()
        assert self.eject(context).result == OK
        outcome = context.outcome(0, b"")
        assert outcome.records == {OTHER: None, SELF: account(balance=10_234)}
        assert outcome.entries == {
            keys.preimage(OTHER, HASH): None,
            keys.request(OTHER, self.length, HASH): None,
        }
        assert self.eject(context).result == WHO

    def test_made_anew_at_once_it_stays_as_it_was(self) -> None:
        """Equation 12.19 takes new accounts only where there was none."""
        low = account(code_hash=SELF.to_bytes(32, "little"), items=2, octets=81 + self.length)
        state = state_of(
            {SELF: account(), 12: low, 13: low},
            requests={(s, HASH, self.length): (1, OLD) for s in (12, 13)},
        )
        context = context_of(state, privileges=PRIVILEGES._replace(registrar=SELF))
        assert self.eject(context, 12).result == OK
        assert self.eject(context, 13).result == OK
        made = call(context, "new", HEAP, self.length, 0, 0, 0, 12, memory={HEAP: HASH})
        assert made.result == 12
        outcome = context.outcome(0, b"")
        assert outcome.created == ()
        assert outcome.records == {SELF: account(balance=30_000 - 234), 13: None}
        assert set(outcome.entries) == {
            keys.preimage(13, HASH),
            keys.request(13, self.length, HASH),
        }

    @pytest.mark.parametrize("at", UNREADABLE)
    def test_unreadable(self, at: int) -> None:
        assert self.eject(self.context(), 3, at).failure is WorkError.PANIC

    @pytest.mark.parametrize("service", [SELF, 3, 2**32 + OTHER, ME])
    def test_not_that_service(self, service: int) -> None:
        context = self.context()
        context.account = context.account._replace(code_hash=SELF.to_bytes(32, "little"))
        assert self.eject(context, service).result == WHO

    def test_not_given_up_to_this_service(self) -> None:
        context = self.context(times=None, code_hash=OTHER.to_bytes(32, "little"))
        assert self.eject(context).result == WHO
        assert self.eject(self.context(code_hash=SELF.to_bytes(32, "big"))).result == WHO

    @pytest.mark.parametrize(
        "context",
        [
            {"items": 3},
            {"octets": 81 + 34},
            {"octets": 0},
            {"octets": 2**64 - 1},
            {"times": None},
            {"times": ()},
            {"times": (1,)},
            {"times": (1, OLD + 1)},
            {"times": (1, 2, 3)},
            {"slot": 10},
        ],
    )
    def test_not_yet(self, context: dict[str, Any]) -> None:
        found = self.context(**context)
        assert self.eject(found).result == HUH
        assert nothing_changed(found)


class TestRequests:
    """``query``, ``solicit`` and ``forget``."""

    length = 33

    def context(self, times: RequestTimes | None, **fields: Any) -> AccumulateContext:
        own = account(items=7, octets=700, **fields)
        requests = {} if times is None else {(SELF, HASH, self.length): times}
        state = state_of({SELF: own}, requests=requests, preimages={(SELF, HASH): bytes(33)})
        return context_of(state)

    def call(self, name: str, context: AccumulateContext, length: int = length) -> Served:
        return call(context, name, HEAP, length, memory={HEAP: HASH})

    @pytest.mark.parametrize("name", ["query", "solicit", "forget"])
    @pytest.mark.parametrize("at", UNREADABLE)
    def test_unreadable(self, name: str, at: int) -> None:
        assert call(self.context(None), name, at, 2**64 - 1).failure is WorkError.PANIC

    @pytest.mark.parametrize(
        ("times", "seventh", "eighth"),
        [
            (None, NONE, 0),
            ((), 0, 0),
            ((5,), 1 + (5 << 32), 0),
            ((5, 6), 2 + (5 << 32), 6),
            ((5, 6, 7), 3 + (5 << 32), 6 + (7 << 32)),
            ((2**32 - 1,) * 3, 3 + ((2**32 - 1) << 32), 2**64 - 1),
        ],
    )
    def test_query(self, times: RequestTimes | None, seventh: int, eighth: int) -> None:
        machine = self.call("query", self.context(times)).machine
        assert (machine.returned, machine.eighth) == ([seventh], [eighth])

    @pytest.mark.parametrize("length", [34, 2**32 + length, 2**64 - 1])
    def test_query_of_another_length(self, length: int) -> None:
        assert self.call("query", self.context((1,)), length).result == NONE

    def test_solicit(self) -> None:
        context = self.context(None)
        assert self.call("solicit", context).result == OK
        assert context.accounts.request(SELF, HASH, self.length) == ()
        assert (context.account.items, context.account.octets) == (9, 700 + 81 + 33)

    def test_solicit_again(self) -> None:
        context = self.context((5, 6))
        assert self.call("solicit", context).result == OK
        assert context.accounts.request(SELF, HASH, self.length) == (5, 6, SLOT)
        assert (context.account.items, context.account.octets) == (7, 700)

    @pytest.mark.parametrize("times", [(), (5,), (5, 6, 7)])
    def test_solicit_what_is_asked_for(self, times: RequestTimes) -> None:
        context = self.context(times, balance=0)
        assert self.call("solicit", context).result == HUH
        assert nothing_changed(context)

    def test_solicit_beyond_the_balance(self) -> None:
        needed = 100 + 90 + 700 + 81 + 33
        assert self.call("solicit", self.context(None, balance=needed)).result == OK
        context = self.context(None, balance=needed - 1)
        assert self.call("solicit", context).result == FULL
        assert nothing_changed(context)
        assert self.call("solicit", self.context((5, 6), balance=869)).result == FULL
        assert self.call("solicit", self.context((5, 6), balance=870)).result == OK

    def test_solicit_more_than_can_be(self) -> None:
        assert self.call("solicit", self.context(None), 2**32).result == FULL
        context = self.context(None, balance=2**64 - 1)
        assert self.call("solicit", context, 2**32).result == HUH
        assert nothing_changed(context)
        assert self.call("solicit", context, 2**32 - 1).result == OK

    @pytest.mark.parametrize("times", [(), (5, OLD)])
    def test_forget_wholly(self, times: RequestTimes) -> None:
        context = self.context(times)
        assert self.call("forget", context).result == OK
        assert context.accounts.request(SELF, HASH, self.length) is None
        assert context.accounts.preimage(SELF, HASH) is None
        assert (context.account.items, context.account.octets) == (5, 700 - 81 - 33)

    @pytest.mark.parametrize(("times", "after"), [((5,), (5, SLOT)), ((5, OLD, 40), (40, SLOT))])
    def test_forget_in_steps(self, times: RequestTimes, after: RequestTimes) -> None:
        context = self.context(times)
        assert self.call("forget", context).result == OK
        assert context.accounts.request(SELF, HASH, self.length) == after
        assert context.accounts.preimage(SELF, HASH) == bytes(33)
        assert (context.account.items, context.account.octets) == (7, 700)

    @pytest.mark.parametrize("times", [None, (5, OLD + 1), (5, OLD + 1, 99)])
    def test_forget_not_yet(self, times: RequestTimes | None) -> None:
        context = self.context(times)
        assert self.call("forget", context).result == HUH
        assert nothing_changed(context)

    @pytest.mark.parametrize("length", [34, 2**32 + length])
    def test_forget_another_length(self, length: int) -> None:
        assert self.call("forget", self.context(()), length).result == HUH


class TestYield:
    def test_sets_the_output(self) -> None:
        context = simple()
        assert call(context, "yield", HEAP, memory={HEAP: HASH}).result == OK
        assert context.outcome(0, b"").yielded == HASH

    @pytest.mark.parametrize("at", UNREADABLE)
    def test_unreadable(self, at: int) -> None:
        assert call(simple(), "yield", at).failure is WorkError.PANIC

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_what_the_guest_returns_counts_if_it_is_a_hash(self, size: int) -> None:
        context = simple()
        call(context, "yield", HEAP, memory={HEAP: HASH})
        assert context.outcome(0, bytes(size)).yielded == HASH
        assert context.outcome(0, bytes(32)).yielded == bytes(32)


class TestProvide:
    data = b"wanted"

    def context(self, times: RequestTimes | None = ()) -> AccumulateContext:
        wanted = blake2b(self.data)
        requests = {} if times is None else {(s, wanted, 6): times for s in (SELF, OTHER)}
        return context_of(state_of({SELF: account(), OTHER: account()}, requests=requests))

    def provide(self, context: AccumulateContext, service: int, *place: int) -> Served:
        memory = {HEAP: self.data}
        return call(context, "provide", service, *(place or (HEAP, 6)), memory=memory)

    @pytest.mark.parametrize(("service", "meant"), [(ME, SELF), (SELF, SELF), (OTHER, OTHER)])
    def test_notes_it_for_later(self, service: int, meant: int) -> None:
        context = self.context()
        assert self.provide(context, service).result == OK
        assert context.provisions == {(meant, blake2b(self.data)): self.data}
        assert context.accounts.preimage(meant, blake2b(self.data)) is None

    def test_failures_in_order(self) -> None:
        assert self.provide(self.context(), 3, UNMAPPED, 1).failure is WorkError.PANIC
        assert self.provide(self.context(), 3).result == WHO
        assert self.provide(self.context(), 2**32).result == WHO
        context = self.context()
        assert self.provide(context, ME, HEAP, 5).result == HUH
        assert self.provide(context, ME).result == OK
        assert self.provide(context, SELF).result == HUH
        assert self.provide(context, OTHER).result == OK

    def test_large_data_that_somebody_asked_for(self) -> None:
        size = LARGE + 1
        wanted = blake2b(bytes(size))
        state = state_of(
            {SELF: account(items=2, octets=81 + size)}, requests={(SELF, wanted, size): ()}
        )
        context = context_of(state)
        assert call(context, "provide", ME, HEAP, size).result == OK
        assert context.provisions == {(SELF, wanted): bytes(size)}

    def test_large_data_that_nobody_asked_for_is_not_copied(self) -> None:
        def provide(service: int, size: int) -> Served:
            arguments = (service, HEAP, size)
            return call(self.context(), "provide", *arguments, kind=BoundlessMachine)

        assert provide(ME, 2**31).result == HUH
        assert provide(3, 2**31).result == WHO
        assert provide(ME, 2**32).failure is WorkError.PANIC

    @pytest.mark.parametrize("times", [None, (1,), (1, 2), (1, 2, 3)])
    def test_not_wanted(self, times: RequestTimes | None) -> None:
        assert self.provide(self.context(times), OTHER).result == HUH


class TestCheckpoint:
    def work(self, context: AccumulateContext, mark: int) -> int:
        """Change a bit of everything; the index of the service made."""
        data = bytes([mark]) * 32
        memory = {HEAP: data + bytes(96)}
        call(context, "write", HEAP, 1, HEAP, 1, memory=memory)
        call(context, "yield", HEAP, memory=memory)
        call(context, "transfer", OTHER, mark, 0, HEAP, memory=memory)
        call(context, "provide", ME, HEAP, 4, memory=memory)
        call(context, "bless", mark, HEAP, 0, 0, HEAP, 0, memory=memory)
        return call(context, "new", HEAP, 10, 0, 0, 0, 0, memory=memory).result

    def context(self) -> AccumulateContext:
        wanted = {(SELF, blake2b(bytes([mark]) * 4), 4): () for mark in (1, 2)}
        state = state_of({SELF: account(), OTHER: account()}, requests=wanted)
        return context_of(state)

    def test_answers_the_gas_left(self) -> None:
        assert call(simple(), "checkpoint").result == GAS - 10

    def test_a_failure_without_one_leaves_nothing(self) -> None:
        context = self.context()
        self.work(context, 1)
        outcome = context.outcome(55, None)
        assert (outcome.records, outcome.entries, outcome.created) == ({}, {}, ())
        assert (outcome.transfers, outcome.provisions, outcome.yielded) == ((), {}, None)
        assert outcome.chain.privileges == PRIVILEGES
        assert outcome.gas_used == 55

    def test_a_failure_falls_back_to_the_last_one(self) -> None:
        one, two = self.context(), self.context()
        for context in (one, two):
            first = self.work(context, 1)
            call(context, "checkpoint")
        second = self.work(two, 2)
        assert second != first
        assert two.outcome(0, None) == one.outcome(0, b"")
        assert two.outcome(0, None).created == (first,)
        assert list(two.provisions) == [(SELF, blake2b(bytes([1]) * 4))]

    def test_success_keeps_what_came_after(self) -> None:
        context = self.context()
        self.work(context, 1)
        call(context, "checkpoint")
        self.work(context, 2)
        outcome = context.outcome(0, b"")
        assert len(outcome.transfers) == len(outcome.created) == len(outcome.provisions) == 2
        assert outcome.chain.privileges.manager == 2
        assert outcome.entries[keys.storage(SELF, b"\1")] == b"\1"
