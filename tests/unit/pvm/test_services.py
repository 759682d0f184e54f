"""The example services: what they store, send and return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from jamliquor.codec.runtime import encode_natural
from jamliquor.crypto.hashing import blake2b
from jamliquor.data.services import NAMES, service_code, service_image
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.pvm.host.context import Chain, Outcome
from jamliquor.pvm.image import Kind, recognise
from jamliquor.pvm.invocations import AccumulateInvocation, HostCall, accumulate_service, refine
from jamliquor.pvm.source import build, listing
from jamliquor.state import keys
from jamliquor.state.accounts import Accounts
from jamliquor.types.accumulation import AccumulationInput, DeferredTransfer, Operand
from jamliquor.types.work import RefinementContext, WorkError, WorkItem, WorkPackage
from tests.support.hosting import ENTROPY, HASH, OTHER, PRIVILEGES, SELF, SLOT, account, state_of

ENGINE = NativeEngine()
CHAIN = Chain((), (), PRIVILEGES)
GAS = 1_000_000


def operand(result: bytes | WorkError, *, gas: int = 1_000, trace: bytes = b"trace") -> Operand:
    """An input as a work item with this output brings it."""
    payload_hash = blake2b(result if isinstance(result, bytes) else b"")
    return Operand(HASH, HASH, HASH, payload_hash, gas, result, trace)


class Service:
    """One example service with an account, next to another account."""

    def __init__(self, name: str, *, balance: int = 100_000) -> None:
        code = service_code(name)
        self.code_hash = blake2b(code)
        self.state = state_of(
            {
                SELF: account(code_hash=self.code_hash, balance=balance),
                OTHER: account(min_memo_gas=50),
            },
            preimages={(SELF, self.code_hash): code},
            requests={(SELF, self.code_hash, len(code)): (50,)},
        )
        self.seen: list[HostCall] = []

    def accumulate(self, *inputs: AccumulationInput) -> Outcome:
        """Accumulate the inputs on the state, and keep what became of it."""
        outcome = accumulate_service(
            AccumulateInvocation(TINY, ENGINE, SLOT, ENTROPY, self.seen.append),
            Accounts(TINY, self.state.get),
            CHAIN,
            service=SELF,
            gas=GAS,
            inputs=inputs,
        )
        for key, value in outcome.entries.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        assert 0 < outcome.gas_used < GAS
        return outcome

    def stored(self, key: bytes) -> bytes | None:
        return self.state.get(keys.storage(SELF, key))

    @property
    def messages(self) -> list[str]:
        """What the service said to the operator."""
        return [call.message[2].decode() for call in self.seen if call.message]

    def calls(self, name: str) -> list[int]:
        """Results of its host calls of one name."""
        return [call.result for call in self.seen if call.name == name]


def refined(name: str, payload: bytes) -> object:
    service = Service(name)
    item = WorkItem(SELF, service.code_hash, 10_000, 500, 0, payload, (), ())
    context = RefinementContext(HASH, HASH, HASH, HASH, 60, ())
    package = WorkPackage(SELF, service.code_hash, context, b"", b"", (item,))
    result, exports, _ = refine(
        TINY,
        ENGINE,
        package,
        0,
        core=1,
        auth_trace=b"",
        imports=((),),
        extrinsics=((),),
        export_offset=0,
        accounts=Accounts(TINY, service.state.get),
    )
    assert exports == []
    return result


@pytest.mark.parametrize("name", NAMES)
def test_are_service_code_and_their_listing_gives_the_same_octets(name: str) -> None:
    image = service_image(name)
    code = image.encode()
    assert image.kind is Kind.SERVICE
    assert recognise(code) == image
    assert image.metadata == f"jamliquor {name}".encode()
    for positions in (False, True):
        assert build(listing(image, positions=positions)).encode() == code


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_refinement_returns_the_payload(name: str, size: int) -> None:
    payload = bytes(range(256)) * 80
    assert refined(name, payload[:size]) == payload[:size]


@pytest.mark.parametrize("name", NAMES)
def test_transfers_and_failed_work_are_passed_over(name: str) -> None:
    service = Service(name)
    transfer = DeferredTransfer(OTHER, SELF, 7, bytes(128), 0)
    outcome = service.accumulate(transfer, operand(WorkError.PANIC), transfer)
    record = outcome.records[SELF]
    assert record is not None
    assert record.balance == 100_014
    assert (outcome.entries, outcome.transfers, outcome.yielded) == ({}, (), None)
    assert service.messages == []


class TestEcho:
    def test_keeps_the_last_input_and_yields_its_hash(self) -> None:
        service = Service("echo")
        outcome = service.accumulate(operand(b"first"), operand(b"second"), operand(WorkError.BAD))
        assert service.stored(b"last") == b"second"
        assert outcome.yielded == blake2b(b"second")

    @pytest.mark.parametrize("gas", [0, 127, 128, 1 << 14, 1 << 32, 1 << 55, 1 << 56, 2**64 - 1])
    def test_reads_naturals_of_every_length(self, gas: int) -> None:
        service = Service("echo")
        service.accumulate(operand(b"x" * 200, gas=gas))
        assert service.stored(b"last") == b"x" * 200
        assert len(encode_natural(gas)) in range(1, 10)

    def test_an_input_of_the_largest_size(self) -> None:
        service = Service("echo")
        largest = bytes(range(256)) * (TINY.max_report_variable_size // 256)
        service.accumulate(operand(largest, trace=b""))
        assert service.stored(b"last") == largest

    def test_an_empty_input_removes(self) -> None:
        service = Service("echo")
        service.accumulate(operand(b"first"))
        service.accumulate(operand(b""))
        assert service.stored(b"last") is None

    def test_no_balance(self) -> None:
        service = Service("echo", balance=100)
        outcome = service.accumulate(operand(b"first"))
        assert service.messages == ["the balance does not suffice to keep the input"]
        assert (service.stored(b"last"), outcome.yielded) == (None, None)


def put(key: bytes, value: bytes) -> bytes:
    return bytes((1, len(key))) + len(value).to_bytes(2, "little") + key + value


def delete(key: bytes) -> bytes:
    return bytes((2, len(key))) + key


class TestKeyValue:
    def test_puts_and_deletes(self) -> None:
        service = Service("key_value")
        commands = put(b"a", b"1") + put(b"key", b"v" * 300) + put(b"", b"empty key")
        service.accumulate(operand(commands), operand(put(b"b", b"2") + delete(b"a")))
        assert service.stored(b"a") is None
        assert service.stored(b"key") == b"v" * 300
        assert service.stored(b"") == b"empty key"
        assert service.stored(b"b") == b"2"
        service.accumulate(operand(delete(b"none") + put(b"b", b"") + put(b"key", b"new")))
        assert (service.stored(b"b"), service.stored(b"key")) == (None, b"new")
        assert service.messages == []

    @pytest.mark.parametrize(
        "bad", [b"\0", b"\3\1x", put(b"k", b"value")[:-1], delete(b"k")[:-1], b"\1"]
    )
    def test_what_is_no_command_ends_its_input_only(self, bad: bytes) -> None:
        service = Service("key_value")
        service.accumulate(operand(put(b"a", b"1") + bad), operand(put(b"b", b"2")))
        assert (service.stored(b"a"), service.stored(b"b")) == (b"1", b"2")
        assert service.stored(b"k") is None
        assert service.messages == ["the input holds no command here"]

    def test_no_balance(self) -> None:
        service = Service("key_value", balance=200)
        service.accumulate(operand(put(b"a", bytes(100)) + put(b"b", b"2")))
        assert (service.stored(b"a"), service.stored(b"b")) == (None, None)
        assert service.messages == ["the balance does not suffice to store the value"]


def sending(amount: int, gas: int = 60, memo: bytes = b"", to: int = OTHER) -> bytes:
    head = to.to_bytes(4, "little") + amount.to_bytes(8, "little") + gas.to_bytes(8, "little")
    return head + memo


class TestTransfers:
    def test_sends_one_for_each_input(self) -> None:
        service = Service("transfers")
        inputs = [sending(5, memo=b"m" * 128), sending(6, 50, b"short"), sending(7)]
        outcome = service.accumulate(*map(operand, inputs))
        memos = [b"m" * 128, b"short".ljust(128, b"\0"), bytes(128)]
        assert outcome.transfers == tuple(
            DeferredTransfer(SELF, OTHER, amount, memo, gas)
            for amount, memo, gas in zip((5, 6, 7), memos, (60, 50, 60), strict=True)
        )
        record = outcome.records[SELF]
        assert record is not None
        assert record.balance == 100_000 - 18

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (sending(5)[:-1], "the input holds no transfer"),
            (sending(5, memo=bytes(129)), "the input holds no transfer"),
            (sending(5, gas=49), "the transfer was refused"),
            (sending(5, to=77), "the transfer was refused"),
            (sending(1_000_000), "the transfer was refused"),
        ],
    )
    def test_refusals(self, bad: bytes, message: str) -> None:
        service = Service("transfers")
        outcome = service.accumulate(operand(bad), operand(sending(8)))
        assert service.messages == [message]
        assert [transfer.amount for transfer in outcome.transfers] == [8]


def request(command: int, data: bytes) -> bytes:
    return bytes([command]) + blake2b(data) + len(data).to_bytes(4, "little")


def providing(data: bytes) -> bytes:
    return b"\3" + len(data).to_bytes(4, "little") + data


class TestPreimages:
    def times(self, service: Service, data: bytes) -> Any:
        return Accounts(TINY, service.state.get).request(SELF, blake2b(data), len(data))

    def test_solicits_provides_and_forgets(self) -> None:
        service = Service("preimages")
        outcome = service.accumulate(
            operand(request(1, b"one") + request(1, b"two") + providing(b"one")),
            operand(request(2, b"two")),
        )
        assert self.times(service, b"one") == ()
        assert self.times(service, b"two") is None
        assert outcome.provisions == {(SELF, blake2b(b"one")): b"one"}
        assert service.messages == []

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (providing(b"nobody asked"), "the command was refused"),
            (request(2, b"nobody asked"), "the command was refused"),
            (request(1, b"one"), "the command was refused"),
            (request(1, b"x")[:-1], "the input holds no command here"),
            (providing(b"one")[:-1], "the input holds no command here"),
            (b"\3\xff\xff\xff\xff", "the input holds no command here"),
            (b"\4" + bytes(100), "the input holds no command here"),
        ],
    )
    def test_refusals(self, bad: bytes, message: str) -> None:
        service = Service("preimages")
        outcome = service.accumulate(operand(request(1, b"one") + bad), operand(request(1, b"two")))
        assert (self.times(service, b"one"), self.times(service, b"two")) == ((), ())
        assert (service.messages, outcome.provisions) == ([message], {})


def test_observers_see_what_arguments_point_to() -> None:
    service = Service("key_value")
    inputs: Sequence[AccumulationInput] = [operand(put(b"key", b"value"))]
    service.accumulate(*inputs)
    fetch, write, last = service.seen
    assert fetch.name == last.name == "fetch"
    assert fetch.shown == (("kind", 15), ("first", 0), ("second", 0))
    assert fetch.delivered is not None
    assert fetch.delivered.size == fetch.result
    assert fetch.delivered.data is not None
    assert put(b"key", b"value") in fetch.delivered.data
    assert write.shown == (("key", (3, b"key")), ("value", (5, b"value")))
    assert (write.delivered, last.delivered) == (None, None)
