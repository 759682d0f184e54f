"""The general host calls (appendix B.5): results, gas and effects, failure by failure."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamliquor.chain_spec import encode_params
from jamliquor.params import FULL, TINY
from jamliquor.pvm.host import table
from jamliquor.pvm.host.codes import FULL as STORAGE_FULL
from jamliquor.pvm.host.codes import LARGE, NONE, WHAT
from jamliquor.pvm.host.context import AccumulateContext
from jamliquor.pvm.invocations import run_host_calls
from jamliquor.state import keys
from jamliquor.state.accounts import threshold
from jamliquor.types.accumulation import DeferredTransfer, Operand
from jamliquor.types.work import WorkError
from tests.support.guest import (
    CONSTANT,
    HEAP,
    HEAP_SIZE,
    NOWHERE,
    UNMAPPED,
    BoundlessMachine,
    ScriptedMachine,
)
from tests.support.hosting import (
    ENTROPY,
    GAS,
    HASH,
    OTHER,
    SELF,
    Served,
    account,
    call,
    context_of,
    state_of,
)

ME = 2**64 - 1
KEY, VALUE = b"key", b"some value"
FOOTPRINT = 34 + len(KEY) + len(VALUE)


def stored(**fields: int) -> AccumulateContext:
    """SELF and OTHER with one storage item and one preimage each."""
    own = account(items=3, octets=FOOTPRINT + 81 + 5, **fields)
    return context_of(
        state_of(
            {SELF: own, OTHER: own},
            storage={(SELF, KEY): VALUE, (OTHER, KEY): VALUE + b"!"},
            preimages={(SELF, HASH): b"mine.", (OTHER, HASH): b"other"},
            requests={(SELF, HASH, 5): (1,), (OTHER, HASH, 5): (1,)},
        )
    )


def test_gas_is_what_is_left() -> None:
    served = call(stored(), "gas")
    assert (served.result, served.gas_used) == (GAS - 10, 10)


def test_unknown_calls_cost_the_same() -> None:
    for number in (27, 99, 100, 2**64 - 1):
        machine = ScriptedMachine([(number, ())], GAS)
        assert run_host_calls(machine, stored(), table.ACCUMULATE, None) is None
        assert (machine.returned, machine.gas) == ([WHAT], GAS - 10)


@pytest.mark.parametrize("name", ["gas", "fetch", "read", "write", "checkpoint", "log"])
def test_a_call_that_cannot_be_paid_ends_the_guest(name: str) -> None:
    served = call(stored(), name, gas=9)
    assert (served.failure, served.gas_used) == (WorkError.OUT_OF_GAS, 9)
    # The panic that unreadable memory would mean does not come first.
    served = call(stored(), name, *[NOWHERE] * 6, gas=9)
    assert served.failure is WorkError.OUT_OF_GAS


def test_calls_of_other_invocations_do_not_exist() -> None:
    assert call(stored(), "export", NOWHERE, 1).result == WHAT
    assert call(stored(), "invoke").result == WHAT


class TestDelivery:
    """What ``read`` does with its offset and length holds for every call that shows a value."""

    @pytest.mark.parametrize(
        ("offset", "length", "shown"),
        [
            (0, 100, VALUE),
            (0, 4, VALUE[:4]),
            (5, 100, VALUE[5:]),
            (5, 2, VALUE[5:7]),
            (len(VALUE), 1, b""),
            (2**64 - 1, 2**64 - 1, b""),
            (0, 0, b""),
        ],
    )
    def test_slice(self, offset: int, length: int, shown: bytes) -> None:
        context = stored()
        arguments = (ME, HEAP, len(KEY), HEAP + 256, offset, length)
        served = call(context, "read", *arguments, memory={HEAP: KEY})
        assert served.result == len(VALUE)
        got = served.machine.read(HEAP + 256, len(VALUE))
        assert got == shown.ljust(len(VALUE), b"\0")

    @pytest.mark.parametrize("address", [CONSTANT, UNMAPPED, NOWHERE, HEAP + HEAP_SIZE - 1])
    def test_unwritable(self, address: int) -> None:
        arguments = (ME, HEAP, len(KEY), address)
        served = call(stored(), "read", *arguments, 0, 2, memory={HEAP: KEY})
        assert served.failure is WorkError.PANIC
        assert served.gas_used == 10
        # An empty range is writable anywhere.
        served = call(stored(), "read", *arguments, 0, 0, memory={HEAP: KEY})
        assert served.result == len(VALUE)

    def test_nothing_to_show_is_no_panic(self) -> None:
        arguments = (ME, HEAP, len(KEY), NOWHERE, 0, 100)
        assert call(stored(), "read", *arguments, memory={HEAP: b"kex"}).result == NONE


class TestRead:
    def read(self, service: int, key: bytes = KEY, at: int = HEAP, size: int | None = None) -> int:
        length = len(key) if size is None else size
        memory = {HEAP: key}
        return call(stored(), "read", service, at, length, HEAP + 256, 0, 0, memory=memory).result

    def test_of_self(self) -> None:
        assert self.read(ME) == self.read(SELF) == len(VALUE)

    def test_of_another(self) -> None:
        assert self.read(OTHER) == len(VALUE) + 1

    @pytest.mark.parametrize("service", [3, 2**32, 2**64 - 2])
    def test_of_nobody(self, service: int) -> None:
        assert self.read(service) == NONE

    def test_missing(self) -> None:
        assert self.read(ME, b"") == NONE

    def test_large_keys_that_nobody_stored_are_not_copied(self) -> None:
        def read(service: int, size: int) -> Served:
            arguments = (service, HEAP, size, HEAP, 0, 0)
            return call(stored(), "read", *arguments, kind=BoundlessMachine)

        assert read(ME, 2**31).result == read(3, 2**31).result == NONE
        assert read(ME, 2**32).failure is WorkError.PANIC

    @pytest.mark.parametrize(("at", "size"), [(UNMAPPED, 1), (NOWHERE, 3), (HEAP, 2**64 - 1)])
    def test_key_unreadable(self, at: int, size: int) -> None:
        served = call(stored(), "read", 3, at, size, HEAP, 0, 0)
        assert served.failure is WorkError.PANIC


class TestWrite:
    def write(self, context: AccumulateContext, key: bytes, value: bytes) -> int:
        memory = {HEAP: key, HEAP + 256: value}
        arguments = (HEAP, len(key), HEAP + 256, len(value))
        return call(context, "write", *arguments, memory=memory).result

    def test_new(self) -> None:
        context = stored()
        before = context.account
        assert self.write(context, b"new", b"12345") == NONE
        assert context.account.items == before.items + 1
        assert context.account.octets == before.octets + 34 + 3 + 5
        assert context.accounts.storage(SELF, b"new") == b"12345"

    def test_replaced(self) -> None:
        context = stored()
        before = context.account
        assert self.write(context, KEY, b"12345") == len(VALUE)
        assert context.account.items == before.items
        assert context.account.octets == before.octets + 5 - len(VALUE)
        assert context.accounts.storage(SELF, KEY) == b"12345"
        assert context.accounts.storage(OTHER, KEY) == VALUE + b"!"

    def test_removed(self) -> None:
        context = stored()
        before = context.account
        assert self.write(context, KEY, b"") == len(VALUE)
        assert context.account.items == before.items - 1
        assert context.account.octets == before.octets - FOOTPRINT
        assert context.accounts.storage(SELF, KEY) is None
        assert self.write(context, KEY, b"") == NONE

    def test_removing_nothing_changes_nothing(self) -> None:
        context = stored()
        assert self.write(context, b"other", b"") == NONE
        outcome = context.outcome(0, b"")
        assert (outcome.records, outcome.entries) == ({}, {})

    def test_the_threshold_may_be_reached_and_not_passed(self) -> None:
        needed = 100 + 4 * 10 + FOOTPRINT + 86 + (34 + 1 + 1)
        context = stored(balance=needed)
        assert self.write(context, b"k", b"v") == NONE
        context = stored(balance=needed - 1)
        before = context.account
        assert self.write(context, b"k", b"v") == STORAGE_FULL
        assert context.account == before
        assert context.accounts.storage(SELF, b"k") is None

    def test_gratis_storage_lowers_the_threshold(self) -> None:
        context = stored(balance=0, deposit_offset=10_000)
        assert self.write(context, b"k", b"v") == NONE

    def test_a_service_under_its_threshold_cannot_even_tidy_up(self) -> None:
        context = stored(balance=1)
        assert self.write(context, KEY, b"") == STORAGE_FULL
        assert context.accounts.storage(SELF, KEY) == VALUE

    @pytest.mark.parametrize(
        "arguments",
        [(UNMAPPED, 1, HEAP, 1), (HEAP, 1, UNMAPPED, 1), (NOWHERE, 1, HEAP, 0)],
    )
    def test_unreadable(self, arguments: tuple[int, ...]) -> None:
        assert call(stored(), "write", *arguments).failure is WorkError.PANIC

    @pytest.mark.parametrize(
        ("key", "value", "balance", "result"),
        [
            (3, 2**31, 10_000, STORAGE_FULL),
            (2**31, 3, 10_000, STORAGE_FULL),
            (2**31, 0, 10_000, NONE),
            (2**31, 0, 10, STORAGE_FULL),
        ],
    )
    def test_what_is_too_large_is_not_copied(
        self, key: int, value: int, balance: int, result: int
    ) -> None:
        context = stored(balance=balance)
        served = call(context, "write", HEAP, key, HEAP, value, kind=BoundlessMachine)
        assert served.result == result
        assert context.outcome(0, b"").entries == {}
        served = call(context, "write", HEAP, 2**32, HEAP, value, kind=BoundlessMachine)
        assert served.failure is WorkError.PANIC

    def test_what_is_large_and_paid_for_is_stored(self) -> None:
        state = state_of({SELF: account(balance=10**6)})
        context = context_of(state)
        memory = {HEAP: KEY}
        size = LARGE + 1
        assert call(context, "write", HEAP, 3, HEAP, size, memory=memory).result == NONE
        assert call(context, "write", HEAP, size, HEAP, 3, memory=memory).result == NONE
        assert call(context, "write", HEAP, 3, HEAP, size, memory=memory).result == size
        assert context.account.octets == 2 * (34 + 3 + size)
        arguments = (ME, HEAP, size, HEAP, 0, 0)
        assert call(context, "read", *arguments, memory=memory).result == 3
        assert call(context, "write", HEAP, size, HEAP, 0, memory=memory).result == 3

    def test_an_empty_value_may_be_anywhere(self) -> None:
        served = call(stored(), "write", HEAP, 3, NOWHERE, 0, memory={HEAP: KEY})
        assert served.result == len(VALUE)

    @given(st.lists(st.tuples(st.binary(max_size=2), st.binary(max_size=3)), max_size=20))
    def test_footprints_are_those_of_the_storage(self, writes: list[tuple[bytes, bytes]]) -> None:
        context = context_of(state_of({SELF: account(balance=600)}))
        model: dict[bytes, bytes] = {}
        for key, value in writes:
            after = {**model, key: value} if value else {k: v for k, v in model.items() if k != key}
            octets = sum(34 + len(k) + len(v) for k, v in after.items())
            fits = 100 + 10 * len(after) + octets <= 600
            result = self.write(context, key, value)
            expected = len(model[key]) if key in model else NONE
            assert result == (expected if fits else STORAGE_FULL)
            model = after if fits else model
            assert context.account.items == len(model)
            assert context.account.octets == sum(34 + len(k) + len(v) for k, v in model.items())


class TestLookup:
    def look(self, service: int, wanted: bytes = HASH, at: int = HEAP) -> int:
        return call(stored(), "lookup", service, at, HEAP + 64, 0, 9, memory={HEAP: wanted}).result

    def test_found(self) -> None:
        assert self.look(ME) == self.look(SELF) == self.look(OTHER) == 5

    def test_shown(self) -> None:
        served = call(stored(), "lookup", OTHER, HEAP, HEAP + 64, 1, 3, memory={HEAP: HASH})
        assert served.machine.read(HEAP + 64, 4) == b"the\0"

    @pytest.mark.parametrize("service", [3, 2**40])
    def test_of_nobody(self, service: int) -> None:
        assert self.look(service) == NONE

    def test_missing(self) -> None:
        assert self.look(ME, bytes(32)) == NONE

    def test_unreadable(self) -> None:
        served = call(stored(), "lookup", 3, CONSTANT + 0xFF0, HEAP, 0, 0)
        assert served.failure is WorkError.PANIC


class TestInfo:
    def test_fields(self) -> None:
        record = account(
            code_hash=HASH,
            balance=2**64 - 1,
            min_item_gas=11,
            min_memo_gas=12,
            octets=13,
            deposit_offset=3,
            items=14,
            created=15,
            last_accumulated=16,
            parent=17,
        )
        context = context_of(state_of({SELF: account(), OTHER: record}))
        served = call(context, "info", OTHER, HEAP, 0, 1000)
        needed = threshold(TINY, record)
        assert served.result == 96
        assert served.machine.read(HEAP, 96) == HASH + struct.pack(
            "<QQQQQIQIII", 2**64 - 1, needed, 11, 12, 13, 14, 3, 15, 16, 17
        )

    def test_of_self_and_nobody(self) -> None:
        assert call(stored(), "info", ME, HEAP, 0, 0).result == 96
        assert call(stored(), "info", 3, HEAP, 0, 100).result == NONE
        assert call(stored(), "info", 2**63, HEAP, 0, 100).result == NONE
        assert call(stored(), "info", ME, NOWHERE, 0, 1).failure is WorkError.PANIC


class TestFetch:
    operand = Operand(HASH, HASH, HASH, HASH, 300, WorkError.PANIC, b"trace")
    transfer = DeferredTransfer(OTHER, SELF, 5, bytes(128), 9)

    def fetch(self, kind: int, first: int = 0, second: int = 0) -> bytes | None:
        context = context_of(state_of({SELF: account()}), inputs=[self.transfer, self.operand])
        served = call(context, "fetch", HEAP, 0, 2**64 - 1, kind, first, second)
        if served.result == NONE:
            return None
        return served.machine.read(HEAP, served.result)

    def test_constants(self) -> None:
        shown = self.fetch(0)
        assert shown == encode_params(TINY)
        assert len(shown) == 134
        # Deposits, cores, expunge period, epoch; validators and the submission period at the end.
        assert shown[:34] == struct.pack("<QQQHII", 10, 1, 100, 2, 32, 12)
        assert shown[-4:] == struct.pack("<I", 10)
        assert encode_params(FULL)[-4:] == struct.pack("<I", 500)

    def test_entropy(self) -> None:
        assert self.fetch(1) == ENTROPY

    def test_inputs(self) -> None:
        transfer = b"\1" + struct.pack("<IIQ", OTHER, SELF, 5) + bytes(128) + struct.pack("<Q", 9)
        operand = b"\0" + HASH * 4 + b"\x81\x2c" + b"\2" + b"\5trace"
        assert self.fetch(14) == b"\2" + transfer + operand
        assert self.fetch(15, 0) == transfer
        assert self.fetch(15, 1) == operand
        assert self.fetch(15, 2) is None

    @pytest.mark.parametrize("kind", [*range(2, 14), 16, 2**64 - 1])
    def test_kinds_that_accumulation_does_not_have(self, kind: int) -> None:
        assert self.fetch(kind) is None


def test_a_new_service_is_seen_and_an_ejected_one_is_not() -> None:
    context = stored()
    context.accounts.set_account(OTHER, None)
    context.accounts.set_account(3000, account())
    assert call(context, "info", 3000, HEAP, 0, 0).result == 96
    assert call(context, "info", OTHER, HEAP, 0, 0).result == NONE
    served = call(context, "read", OTHER, HEAP, 3, HEAP, 0, 0, memory={HEAP: KEY})
    assert served.result == NONE
    served = call(context, "lookup", OTHER, HEAP, HEAP, 0, 0, memory={HEAP: HASH})
    assert served.result == NONE


def test_entries_lie_under_the_state_keys() -> None:
    context = stored()
    call(context, "write", HEAP, 1, HEAP + 1, 1, memory={HEAP: b"kv"})
    outcome = context.outcome(0, b"")
    assert outcome.entries == {keys.storage(SELF, b"k"): b"v"}
    assert set(outcome.records) == {SELF}
