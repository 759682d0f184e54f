"""Rounds, merging, gas and statistics of accumulation (sections 12.2 and 12.3).

Services are scripts of host calls in place of programs, by code hash.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamliquor.codec.runtime import encode_natural
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import AccumulationError
from jamliquor.params import TINY
from jamliquor.pvm import invocations
from jamliquor.state import keys
from jamliquor.state.accounts import Accounts
from jamliquor.stf.accumulation import AccumulationResult, accumulate
from jamliquor.types.state import (
    AccumulationOutput,
    Privileges,
    ReadyQueue,
    ReadyReport,
    RequestTimes,
    ServiceAccount,
)
from jamliquor.types.work import WorkReport
from tests.support.guest import HEAP, Call, ScriptedMachine
from tests.support.hosting import ENTROPY, HASH, NUMBERS, SLOT, account, state_of
from tests.support.reports import digest, report

ME = 2**64 - 1
A, B, C, MANAGER = 100_001, 100_002, 100_003, 7
NOBODY = Privileges(99, (99, 99), 99, 99, {})

Script = Sequence[Call]


class Services:
    """A chain of scripted services.

    Attributes:
        memory: what every guest finds in its memory, by address.
        ran: service, gas, and number of inputs of each accumulation, in order.
        machines: their machines.
    """

    def __init__(self) -> None:
        self.scripts: dict[int, list[Script]] = {}
        self.accounts: dict[int, ServiceAccount] = {}
        self.requests: dict[tuple[int, bytes, int], RequestTimes] = {}
        self.memory: dict[int, bytes] = {}
        self.privileges = NOBODY
        self.ran: list[tuple[int, int, int]] = []
        self.machines: list[ScriptedMachine] = []
        self.history: tuple[frozenset[bytes], ...] = (frozenset(),) * TINY.epoch_length

    def add(self, service: int, *scripts: Script, **fields: Any) -> None:
        """A service, and what it does in its first accumulation, its second, and so on."""
        self.scripts[service] = list(scripts)
        code_hash = blake2b(service.to_bytes(4, "little"))
        self.accounts[service] = account(code_hash=code_hash, **fields)

    def find(self, _code_hash: bytes) -> None:
        """As an engine that keeps nothing."""

    def load(self, code: bytes, _code_hash: bytes) -> ScriptedProgram:
        """As an engine."""
        return ScriptedProgram(self, int.from_bytes(code, "little"))

    def start(self, service: int, argument: bytes, pc: int, gas: int) -> ScriptedMachine:
        assert pc == 5
        self.ran.append((service, gas, argument[-1]))
        scripts = self.scripts[service]
        machine = ScriptedMachine(scripts.pop(0) if scripts else (), gas)
        for address, data in self.memory.items():
            machine.initialize(address, data)
        self.machines.append(machine)
        return machine

    def run(self, *reports: WorkReport, **changes: Any) -> AccumulationResult:
        codes = {
            (service, record.code_hash): b"\0" + service.to_bytes(4, "little")
            for service, record in self.accounts.items()
            if service in self.scripts
        }
        state = state_of(self.accounts, preimages=codes, requests=self.requests)
        arguments: dict[str, Any] = {
            "slot": SLOT,
            "prior_slot": SLOT - 1,
            "entropy": ENTROPY,
            "available": reports,
            "ready_queue": ((),) * TINY.epoch_length,
            "history": self.history,
            "privileges": self.privileges,
            "staging": "staging",
            "authorization_queues": ("queue 0", "queue 1"),
            "get": state.get,
        }
        self.state = state
        return accumulate(TINY, self, **{**arguments, **changes})  # type: ignore[arg-type]

    def after(self, result: AccumulationResult) -> Accounts:
        """The accounts after the changes."""
        state: Mapping[bytes, bytes | None] = {**self.state, **result.changes}
        return Accounts(TINY, state.get)

    def balance(self, result: AccumulationResult, service: int) -> int:
        record = self.after(result).account(service)
        assert record is not None
        return record.balance


class ScriptedProgram(NamedTuple):
    """In place of a loaded program."""

    services: Services
    service: int
    blob_size: int = 4

    def start(self, _engine: object, argument: bytes, pc: int, gas: int) -> ScriptedMachine:
        return self.services.start(self.service, argument, pc, gas)


@pytest.fixture
def services() -> Services:
    found = Services()
    found.memory[HEAP] = HASH
    return found


def host(name: str, *arguments: int) -> Call:
    return NUMBERS[name], arguments


def send(to: int, amount: int, gas: int = 0) -> Call:
    return host("transfer", to, amount, gas, HEAP)


def package(name: int) -> bytes:
    return bytes([name]) * 32


class TestRounds:
    def test_services_in_order_with_all_their_work(self, services: Services) -> None:
        services.add(B)
        services.add(A)
        services.privileges = NOBODY._replace(always_accumulate={B: 5, C: 6})
        services.add(C)
        first = report(package(1), digest(B, 10), digest(A, 20), digest(B, 30))
        second = report(package(2), digest(A, 40))
        result = services.run(first, second)
        assert services.ran == [(A, 60, 2), (B, 45, 2), (C, 6, 0)]
        assert result.statistics == {A: (2, 0), B: (2, 0)}
        assert result.history[-1] == {package(1), package(2)}

    def test_idle(self, services: Services) -> None:
        result = services.run()
        assert (services.ran, result.changes, result.statistics) == ([], {}, {})
        assert result.privileges is services.privileges
        assert result.history is services.history

    def test_transfers_are_the_next_round(self, services: Services) -> None:
        services.add(A, [send(B, 100, 50), send(B, 1, 60), send(A, 5)])
        services.add(B, [send(C, 7, 0)], [send(C, 8, 0)])
        services.add(C)
        result = services.run(report(package(1), digest(A, 1_000), digest(B, 20)))
        assert services.ran == [
            (A, 1_000, 1),
            (B, 20, 1),
            (A, 0, 1),
            (B, 110, 2),
            (C, 0, 1),
            (C, 0, 1),
        ]
        assert services.balance(result, A) == 10_000 - 106 + 5
        assert services.balance(result, B) == 10_000 + 101 - 7 - 8
        assert services.balance(result, C) == 10_000 + 15
        assert result.statistics == {A: (1, 140), B: (1, 20)}

    def test_only_services_with_gas_or_work_count_as_accumulated(self, services: Services) -> None:
        services.add(A, [send(B, 100)])
        services.add(B)
        result = services.run(report(package(1), digest(A), digest(55)))
        after = services.after(result)
        slots = {s: record.last_accumulated for s in (A, B) if (record := after.account(s))}
        assert slots == {A: SLOT, B: 2}
        assert result.statistics == {55: (1, 0), A: (1, 10)}
        assert after.account(55) is None

    def test_transfers_come_before_operands(self, services: Services) -> None:
        services.add(A, [send(B, 3, 20)])
        services.add(B, [host("fetch", HEAP + 64, 0, 1_000, 14, 0, 0)])
        limit = TINY.block_accumulation_gas
        services.run(
            report(package(1), digest(A, limit - 1)), report(package(2), digest(B, limit - 50))
        )
        assert services.ran == [(A, limit - 1, 1), (B, limit - 30, 2)]
        transfer = b"\1" + struct.pack("<IIQ", A, B, 3) + HASH + bytes(96) + struct.pack("<Q", 20)
        operand = b"\0" + package(2) + b"\6" * 32 + b"\7" * 32 + b"\5" * 32
        gas = encode_natural(limit - 50)
        expected = b"\2" + transfer + operand + gas + b"\0\2ok" + b"\5trace"
        assert services.machines[1].returned == [len(expected)]
        assert services.machines[1].read(HEAP + 64, len(expected)) == expected

    def test_free_services_accumulate_once(self, services: Services) -> None:
        services.privileges = NOBODY._replace(always_accumulate={A: 500})
        services.add(A, [send(A, 1)])
        services.run()
        assert services.ran == [(A, 500, 0), (A, 0, 1)]


class TestGas:
    limit = TINY.block_accumulation_gas

    def test_reports_that_do_not_fit_wait(self, services: Services) -> None:
        services.add(A)
        half = self.limit // 2
        reports = [report(package(n), digest(A, half + n)) for n in range(3)]
        result = services.run(*reports)
        # All the gas comes back, so the second round can take the next.
        assert [gas for _, gas, _ in services.ran] == [half, half + 1, half + 2]
        assert result.statistics == {A: (3, 0)}

    def test_gas_used_is_gone(self, services: Services) -> None:
        services.add(A, [host("transfer", B, 0, self.limit // 2, HEAP)])
        services.add(B, [(0, ())] * 2)
        reports = [report(package(n), digest(A, self.limit)) for n in range(2)]
        result = services.run(*reports)
        assert [run[0] for run in services.ran] == [A, B]
        assert result.statistics == {A: (1, self.limit // 2 + 10), B: (0, 20)}
        assert result.history[-1] == {package(0)}

    def test_the_gas_of_a_transfer_adds_to_what_is_left(self, services: Services) -> None:
        # Half of the gas pays for the transfer, is used by nobody, and is there in the third round.
        services.add(A, [host("transfer", B, 0, self.limit // 2, HEAP)])
        services.add(B)
        small = report(package(1), digest(A, self.limit - 10))
        result = services.run(report(package(0), digest(A, self.limit)), small)
        assert result.statistics[A] == (2, self.limit // 2 + 10)

    def test_free_gas_raises_the_limit(self, services: Services) -> None:
        free = self.limit
        services.privileges = NOBODY._replace(always_accumulate={B: free})
        services.add(A)
        services.add(B)
        services.run(report(package(0), digest(A, self.limit + free)))
        assert services.ran == [(A, self.limit + free, 1), (B, free, 0)]

    def test_reports_left_over_are_queued_no_more(self, services: Services) -> None:
        """The paper keeps what waits for others; a plain report beyond the gas is lost."""
        services.add(A)
        result = services.run(report(package(0), digest(A, self.limit + 1)))
        assert (services.ran, result.history[-1]) == ([], frozenset())
        assert not any(result.ready_queue)


def test_services_that_yield_nothing_have_no_output(services: Services) -> None:
    services.add(A)
    services.add(B, [host("yield", HEAP)])
    result = services.run(report(package(1), digest(A), digest(B)))
    assert result.outputs == (AccumulationOutput(B, HASH),)


class TestQueue:
    phase = SLOT % TINY.epoch_length
    older = ReadyReport(report(package(2), digest(A)), frozenset({package(8)}))

    def queue(self, **places: tuple[ReadyReport, ...]) -> ReadyQueue:
        """A queue with reports of this slot (``now``) and of the one before (``before``)."""
        items: list[tuple[ReadyReport, ...]] = [()] * TINY.epoch_length
        items[self.phase] = places.get("now", ())
        items[self.phase - 1] = places.get("before", ())
        return tuple(items)

    def test_reports_that_wait_stand_in_the_place_of_their_slot(self, services: Services) -> None:
        services.add(A)
        waiting = report(package(1), digest(A), prerequisites=[package(9)])
        result = services.run(waiting, ready_queue=self.queue(before=(self.older,)))
        now = ReadyReport(waiting, frozenset({package(9)}))
        assert result.ready_queue == self.queue(now=(now,), before=(self.older,))
        assert services.ran == []

    def test_what_they_wait_for_releases_them(self, services: Services) -> None:
        services.add(A)
        queue = self.queue(before=(self.older,))
        result = services.run(report(package(8), digest(A)), ready_queue=queue)
        assert result.history[-1] == {package(8), package(2)}
        assert not any(result.ready_queue)
        assert result.statistics == {A: (2, 0)}

    def test_skipped_slots_forget_them(self, services: Services) -> None:
        queue = self.queue(before=(self.older,))
        assert services.run(ready_queue=queue).ready_queue == queue
        skipped = services.run(ready_queue=queue, prior_slot=SLOT - 2)
        assert not any(skipped.ready_queue)

    def test_packages_of_the_history_count_as_accumulated(self, services: Services) -> None:
        services.add(A)
        services.history = (*services.history[:-1], frozenset({package(9)}))
        result = services.run(report(package(1), digest(A), prerequisites=[package(9)]))
        assert result.history == (*services.history[1:], frozenset({package(1)}))


class TestMerging:
    def test_all_services_of_a_round_see_the_same_state(self, services: Services) -> None:
        key = host("write", HEAP, 1, HEAP, 1)
        services.add(A, [key, send(B, 100)])
        info = host("info", A, HEAP + 64, 0, 96)
        read = host("read", A, HEAP, 1, HEAP + 64, 0, 0)
        services.add(B, [info, read])
        services.memory[HEAP] = b"k" + HASH
        services.run(report(package(1), digest(A), digest(B)))
        guest = services.machines[1]
        assert guest.returned == [96, 2**64 - 1]
        assert guest.read(HEAP + 64 + 32, 8) == (10_000).to_bytes(8, "little")

    def test_outputs_are_sorted_and_distinct(self, services: Services) -> None:
        services.memory[HEAP + 64] = bytes(32)
        give, zero = host("yield", HEAP), host("yield", HEAP + 64)
        services.add(B, [give], [zero, send(B, 0, 50)], [zero])
        services.add(A, [send(B, 0, 100), give])
        services.privileges = NOBODY._replace(always_accumulate={A: 1_000})
        result = services.run(report(package(1), digest(B)))
        assert result.outputs == (
            AccumulationOutput(A, HASH),
            AccumulationOutput(B, bytes(32)),
            AccumulationOutput(B, HASH),
        )

    def test_provided_preimages_are_integrated(self, services: Services) -> None:
        wanted = blake2b(b"data")
        services.memory[HEAP] = b"data"
        services.memory[HEAP + 64] = wanted
        services.add(A, [host("provide", B, HEAP, 4), host("provide", C, HEAP, 4)])
        services.add(B)
        services.add(C, [host("forget", HEAP + 64, 4)], items=2, octets=85)
        services.requests = {(B, wanted, 4): (), (C, wanted, 4): ()}
        result = services.run(report(package(1), digest(A), digest(C)))
        after = services.after(result)
        assert after.preimage(B, wanted) == b"data"
        assert after.request(B, wanted, 4) == (SLOT,)
        # C took its request back in the same round.
        assert after.preimage(C, wanted) is None
        assert after.request(C, wanted, 4) is None

    def test_an_ejected_service_is_gone_whatever_else_happens_to_it(self, services: Services) -> None:
        services.add(A, [host("eject", B, HEAP)], [])
        services.add(C, [send(B, 100)])
        services.accounts[B] = account(
            code_hash=A.to_bytes(32, "little"), items=2, octets=81 + 5, balance=150
        )
        services.requests = {(B, HASH, 5): (1, 2)}
        result = services.run(report(package(1), digest(A), digest(B)), report(package(2), digest(C)))
        assert result.changes[keys.service(B)] is None
        assert result.changes[keys.request(B, 5, HASH)] is None
        assert result.changes[keys.preimage(B, HASH)] is None
        assert services.balance(result, A) == 10_150
        # The transfer was under way, and is lost.
        assert services.balance(result, C) == 9_900
        assert result.statistics[B] == (1, 0)

    def test_what_a_service_receives_while_it_is_ejected_is_lost(self, services: Services) -> None:
        services.add(A, [], [host("eject", B, HEAP)])
        services.add(C, [send(A, 1, 100), send(B, 100)])
        services.accounts[B] = account(
            code_hash=A.to_bytes(32, "little"), items=2, octets=81 + 5, balance=150
        )
        services.requests = {(B, HASH, 5): (1, 2)}
        result = services.run(report(package(1), digest(A)), report(package(2), digest(C, 1000)))
        assert result.changes[keys.service(B)] is None
        assert services.balance(result, A) == 10_000 + 1 + 150

    def test_two_services_with_one_index_make_the_block_invalid(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = host("new", HEAP, 5, 0, 0, 0, 0)
        services.add(A, [make])
        services.add(B, [make])
        reports = report(package(1), digest(A), digest(B))
        assert len(services.run(reports).changes) == 6
        services.add(A, [make])
        services.add(B, [make])
        context = invocations.AccumulateContext
        monkeypatch.setattr(context, "take_index", lambda _: 200_000)
        with pytest.raises(AccumulationError, match="service_index_collision"):
            services.run(reports)

    def test_a_failed_accumulation_makes_no_collision(
        self, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = host("new", HEAP, 5, 0, 0, 0, 0)
        services.add(A, [make])
        services.add(B, [make, host("yield", 0)])
        monkeypatch.setattr(invocations.AccumulateContext, "take_index", lambda _: 200_000)
        result = services.run(report(package(1), digest(A), digest(B)))
        assert services.balance(result, A) < services.balance(result, B) == 10_000


class TestPrivileges:
    """Function R and who decides about what (equation 12.19)."""

    assigners = HEAP + 0x100
    gas = HEAP + 0x200

    def bless(self, manager: int, delegator: int, registrar: int) -> Call:
        return host("bless", manager, self.assigners, delegator, registrar, self.gas, 1)

    def run(
        self, services: Services, scripts: Mapping[int, Script], privileges: Privileges
    ) -> AccumulationResult:
        services.memory[self.assigners] = struct.pack("<II", 21, 22)
        services.memory[self.gas] = struct.pack("<IQ", 31, 32)
        services.privileges = privileges
        for service, script in scripts.items():
            services.add(service, script)
        return services.run(report(package(1), *(digest(service) for service in scripts)))

    def test_the_manager_decides_about_everything(self, services: Services) -> None:
        prior = Privileges(MANAGER, (A, B), A, B, {})
        result = self.run(services, {MANAGER: [self.bless(1, 2, 3)]}, prior)
        assert result.privileges == Privileges(1, (21, 22), 2, 3, {31: 32})

    def test_an_owner_may_hand_on_what_it_owns(self, services: Services) -> None:
        prior = Privileges(MANAGER, (A, B), A, B, {})
        result = self.run(services, {A: [self.bless(1, 2, 3)]}, prior)
        assert result.privileges == Privileges(MANAGER, (21, B), 2, B, {})

    def test_the_manager_comes_first(self, services: Services) -> None:
        prior = Privileges(MANAGER, (A, B), A, A, {})
        scripts = {A: [self.bless(1, 2, 3)], MANAGER: [self.bless(MANAGER, A, 5)]}
        result = self.run(services, scripts, prior)
        # What the manager left alone (the delegator) follows its owner.
        assert result.privileges == Privileges(MANAGER, (21, 22), 2, 5, {31: 32})

    def test_others_have_no_say(self, services: Services) -> None:
        prior = Privileges(MANAGER, (A, B), A, B, {})
        result = self.run(services, {C: [self.bless(1, 2, 3)]}, prior)
        assert result.privileges == prior

    def test_queues_follow_the_assigners_of_before(self, services: Services) -> None:
        prior = Privileges(MANAGER, (A, B), A, B, {})
        mine = host("assign", 1, HEAP, C)
        # The manager makes itself assigner and acts as one: only the handing over counts.
        services.memory[self.assigners] = struct.pack("<II", MANAGER, MANAGER)
        scripts = {B: [mine], MANAGER: [host("assign", 0, HEAP, C)]}
        result = self.run(services, scripts, prior)
        assert result.authorization_queues[0] == "queue 0"
        assert result.authorization_queues[1][0] == HASH
        assert result.privileges.assigners == (A, C)

    def test_the_staging_set_is_the_delegators(self, services: Services) -> None:
        prior = NOBODY._replace(manager=MANAGER, delegator=A)
        result = self.run(services, {A: [host("designate", HEAP)]}, prior)
        assert result.staging[0].bandersnatch == HASH
        grab = [self.bless(MANAGER, MANAGER, 0), host("designate", HEAP)]
        result = self.run(services, {MANAGER: grab}, prior)
        assert (result.staging, result.privileges.delegator) == ("staging", MANAGER)

    def test_the_next_round_has_the_new_ones(self, services: Services) -> None:
        prior = NOBODY._replace(manager=MANAGER)
        designate = host("designate", HEAP)
        services.scripts = {}
        services.add(B, [designate])
        services.add(MANAGER, [self.bless(MANAGER, B, 0), send(B, 1, 100)])
        services.memory[self.assigners] = struct.pack("<II", 21, 22)
        services.memory[self.gas] = struct.pack("<IQ", 31, 32)
        services.privileges = prior
        result = services.run(report(package(1), digest(MANAGER, 1_000)))
        assert result.staging[0].bandersnatch == HASH


amounts = st.integers(0, 4_000)
calls = st.one_of(
    st.tuples(st.sampled_from([A, B, C, 5]), amounts, st.integers(0, 100)).map(
        lambda found: send(*found)
    ),
    st.integers(0, 500).map(lambda length: host("new", HEAP, length, 0, 0, 0, 0)),
    st.just(host("eject", 3_000, HEAP)),
    st.just(host("checkpoint")),
    st.just(host("yield", 0)),
)
scripts = st.lists(st.lists(calls, max_size=4), min_size=3, max_size=9)


@given(scripts)
def test_no_balance_is_made_or_lost(found: list[list[Call]]) -> None:
    services = Services()
    services.memory[HEAP] = HASH
    for at, service in enumerate((A, B, C)):
        services.add(service, *found[at::3], balance=9_000)
    given_up = account(code_hash=A.to_bytes(32, "little"), items=2, octets=81 + 5, balance=150)
    services.accounts[3_000] = given_up
    services.requests = {(3_000, HASH, 5): (1, 2)}
    result = services.run(report(package(1), *(digest(service, 500) for service in (A, B, C))))
    state: dict[bytes, bytes | None] = {**services.state, **result.changes}
    records = [value for key, value in state.items() if key[0] == 255 and not any(key[8:]) and value]
    total = sum(int.from_bytes(record[33:41], "little") for record in records)
    assert total == 27_150
