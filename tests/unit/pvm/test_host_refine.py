"""The host calls of refinement (appendix B.6), with inner machines of the real engine."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from jamliquor.params import TINY
from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import NativeEngine
from jamliquor.pvm.host import table
from jamliquor.pvm.host.codes import FULL, HUH, LARGE, NONE, OK, OOB, WHAT, WHO
from jamliquor.pvm.host.context import RefineContext
from jamliquor.pvm.host.fetch import FetchSource
from jamliquor.state.accounts import Accounts
from jamliquor.types.state import RequestTimes
from jamliquor.types.work import WorkError
from tests.support.guest import CONSTANT, HEAP, NOWHERE, UNMAPPED
from tests.support.hosting import HASH, OTHER, SELF, Served, account, call, state_of

PAGE = 4096
HALT, PANICKED, FAULT, HOST, OUT_OF_GAS = range(5)
ENGINE = NativeEngine()


def context(
    times: RequestTimes | None = (50,), *, slot: int = 60, export_offset: int = 0
) -> RefineContext:
    requests = {} if times is None else {(s, HASH, 5): times for s in (SELF, OTHER)}
    state = state_of(
        {SELF: account(), OTHER: account()},
        preimages={(SELF, HASH): b"mine.", (OTHER, HASH): b"other"},
        requests=requests,
    )
    return RefineContext(
        TINY,
        FetchSource(TINY, entropy=bytes(32)),
        SELF,
        Accounts(TINY, state.get),
        slot=slot,
        engine=ENGINE,
        export_offset=export_offset,
    )


def refine_call(
    found: RefineContext, name: str, *arguments: int, memory: Mapping[int, bytes] | None = None
) -> Served:
    return call(found, name, *arguments, memory=memory, calls=table.REFINE)


def inner(found: RefineContext, source: str, pc: int = 0) -> int:
    """Make an inner machine of assembly; its index."""
    blob = assemble(source)
    return refine_call(found, "machine", HEAP, len(blob), pc, memory={HEAP: blob}).result


def invoke(
    found: RefineContext, index: int, gas: int = 100, registers: Mapping[int, int] | None = None
) -> tuple[int, int, list[int], int]:
    """Why an inner machine stopped, its gas and registers after, and the outer register 8."""
    values = [(registers or {}).get(number, 0) for number in range(13)]
    memory = {HEAP: struct.pack("<14Q", gas, *values)}
    served = refine_call(found, "invoke", index, HEAP, memory=memory)
    after = served.machine.read(HEAP, 112)
    assert after is not None
    left, *values = struct.unpack("<14Q", after)
    return served.result, left, values, served.machine.eighth[0]


def test_calls_of_accumulation_do_not_exist() -> None:
    for name in ("read", "write", "lookup", "info", "new", "checkpoint"):
        assert refine_call(context(), name).result == WHAT


class TestHistoricalLookup:
    def look(self, found: RefineContext, service: int) -> Served:
        arguments = (service, HEAP, HEAP + 64, 1, 3)
        return refine_call(found, "historical_lookup", *arguments, memory={HEAP: HASH})

    @pytest.mark.parametrize(
        ("service", "shown"), [(2**64 - 1, b"ine"), (SELF, b"ine"), (OTHER, b"the")]
    )
    def test_found(self, service: int, shown: bytes) -> None:
        served = self.look(context(), service)
        assert (served.result, served.machine.read(HEAP + 64, 4)) == (5, shown + b"\0")

    @pytest.mark.parametrize("service", [3, 2**32 + SELF])
    def test_of_nobody(self, service: int) -> None:
        assert self.look(context(), service).result == NONE

    @pytest.mark.parametrize(
        ("times", "slots"),
        [
            (None, set()),
            ((), set()),
            ((50,), {50, 51, 59, 60, 61}),
            ((50, 60), {50, 51, 59}),
            ((50, 51, 60), {50, 60, 61}),
        ],
    )
    def test_availability(self, times: RequestTimes | None, slots: set[int]) -> None:
        for slot in (49, 50, 51, 59, 60, 61):
            result = self.look(context(times, slot=slot), SELF).result
            assert result == (5 if slot in slots else NONE)

    def test_unreadable(self) -> None:
        served = refine_call(context(), "historical_lookup", 3, UNMAPPED, HEAP, 0, 0)
        assert served.failure is WorkError.PANIC


class TestExport:
    def test_segments_are_padded_and_counted(self) -> None:
        found = context(export_offset=7)
        memory = {HEAP: b"data" * 2000}
        assert refine_call(found, "export", HEAP, 4, memory=memory).result == 7
        assert refine_call(found, "export", HEAP, 2**64 - 1, memory=memory).result == 8
        assert refine_call(found, "export", NOWHERE, 0).result == 9
        full = (b"data" * 2000)[:4104]
        assert found.exports == [b"data".ljust(4104, b"\0"), full, bytes(4104)]

    def test_failures_in_order(self) -> None:
        found = context(export_offset=TINY.max_exports)
        assert refine_call(found, "export", CONSTANT, 4104).failure is WorkError.PANIC
        assert refine_call(found, "export", CONSTANT, 4096).result == FULL
        assert found.exports == []
        last = context(export_offset=TINY.max_exports - 1)
        assert refine_call(last, "export", HEAP, 1).result == TINY.max_exports - 1
        assert refine_call(last, "export", HEAP, 1).result == FULL


class TestMachines:
    def test_indices_are_reused(self) -> None:
        found = context()
        assert [inner(found, "trap") for _ in range(3)] == [0, 1, 2]
        assert refine_call(found, "expunge", 1).result == 0
        assert inner(found, "trap") == 1
        assert inner(found, "trap") == 3

    def test_no_program(self) -> None:
        assert refine_call(context(), "machine", HEAP, 2, 0, memory={HEAP: b"\xff\xff"}).result == HUH
        assert refine_call(context(), "machine", UNMAPPED, 2, 0).failure is WorkError.PANIC

    def test_expunge_answers_where_it_stood(self) -> None:
        found = context()
        assert refine_call(found, "expunge", inner(found, "trap", pc=2**64 - 1)).result == 2**64 - 1
        assert refine_call(found, "expunge", 0).result == WHO

    def test_there_is_none(self) -> None:
        found = context()
        assert refine_call(found, "peek", 0, HEAP, NOWHERE, 1).result == WHO
        assert refine_call(found, "poke", 0, HEAP, NOWHERE, 1).result == WHO
        assert refine_call(found, "pages", 0, 0, 2**64 - 1, 9).result == WHO
        assert refine_call(found, "invoke", 0, HEAP).result == WHO
        assert refine_call(found, "peek", 0, CONSTANT, 0, 1).failure is WorkError.PANIC
        assert refine_call(found, "poke", 0, UNMAPPED, 0, 1).failure is WorkError.PANIC
        assert refine_call(found, "invoke", 0, CONSTANT).failure is WorkError.PANIC


class TestMemory:
    def test_pages(self) -> None:
        found = context()
        index = inner(found, "trap")

        def pages(*arguments: int) -> int:
            return refine_call(found, "pages", index, *arguments).result

        def peek(at: int) -> bytes | None:
            served = refine_call(found, "peek", index, HEAP, at, 1)
            assert served.result in (OK, OOB)
            return served.machine.read(HEAP, 1) if served.result == OK else None

        def poke(at: int, data: bytes) -> int:
            memory = {HEAP: data}
            return refine_call(found, "poke", index, HEAP, at, len(data), memory=memory).result

        start = 32 * PAGE
        assert (poke(start, b"x"), peek(start)) == (OOB, None)
        assert pages(32, 2, 2) == OK
        assert poke(start + PAGE - 1, b"xy") == OK
        assert (peek(start + PAGE - 1), peek(start + PAGE)) == (b"x", b"y")
        assert poke(start + 2 * PAGE - 1, b"xy") == OOB
        # Only readable, as it was; then writable again; then zeroed.
        assert pages(32, 2, 3) == OK
        assert (poke(start, b"z"), peek(start + PAGE)) == (OOB, b"y")
        assert pages(32, 2, 4) == OK
        assert (poke(start, b"z"), peek(start + PAGE)) == (OK, b"y")
        assert pages(33, 1, 1) == OK
        assert (peek(start + PAGE), peek(start)) == (b"\0", b"z")
        assert poke(start + PAGE, b"z") == OOB
        assert pages(32, 1, 0) == OK
        assert peek(start) is None
        assert pages(32, 2, 3) == HUH
        assert pages(33, 1, 3) == OK
        assert pages(33, 0, 3) == OK

    def test_large_ranges(self) -> None:
        found = context()
        index = inner(found, "trap")
        assert refine_call(found, "pages", index, 32, 40, 2).result == OK
        size = LARGE + 2
        data = bytes(range(256)) * (size // 256) + b"!!"
        start = 32 * PAGE + 5
        memory = {HEAP: data}
        assert refine_call(found, "poke", index, HEAP, start, size, memory=memory).result == OK
        served = refine_call(found, "peek", index, HEAP, start, size)
        assert (served.result, served.machine.read(HEAP, size)) == (OK, data)

    @pytest.mark.parametrize(
        "arguments",
        [
            (32, 1, 5),
            (15, 1, 2),
            (16, 2**20 - 16, 2),
            (2**20, 0, 2),
            (2**64 - 1, 1, 2),
            (16, 2**64 - 1, 2),
            (32, 1, 3),
            (32, 1, 4),
        ],
    )
    def test_pages_that_cannot_be(self, arguments: tuple[int, ...]) -> None:
        found = context()
        index = inner(found, "trap")
        assert refine_call(found, "pages", index, *arguments).result == HUH

    def test_empty_ranges_are_everywhere(self) -> None:
        found = context()
        index = inner(found, "trap")
        assert refine_call(found, "peek", index, NOWHERE, NOWHERE, 0).result == OK
        assert refine_call(found, "poke", index, NOWHERE, NOWHERE, 0).result == OK


class TestInvoke:
    def test_halt(self) -> None:
        found = context()
        index = inner(found, "add_imm_64 r3, r2, 5\njump_ind r0, 0")
        reason, left, registers, _ = invoke(found, index, 100, {0: 2**32 - 2**16, 2: 2**64 - 1})
        assert (reason, left, registers[3]) == (HALT, 98, 4)
        assert refine_call(found, "expunge", index).result == 0

    def test_panic(self) -> None:
        found = context()
        index = inner(found, "fallthrough\ntrap")
        assert invoke(found, index)[:2] == (PANICKED, 98)
        # The next run begins at the beginning.
        assert invoke(found, index)[:2] == (PANICKED, 98)

    def test_host_calls_hand_over_and_go_on(self) -> None:
        found = context()
        index = inner(found, "ecalli 77\nadd_imm_64 r3, r3, 1\necalli -1\ntrap")
        reason, left, registers, eighth = invoke(found, index, 100)
        assert (reason, left, registers[3], eighth) == (HOST, 99, 0, 77)
        reason, left, registers, eighth = invoke(found, index, 50, {3: 8})
        assert (reason, left, registers[3], eighth) == (HOST, 48, 9, 2**64 - 1)

    def test_fault_names_the_page_and_can_be_cured(self) -> None:
        found = context()
        index = inner(found, "store_u8 r2, 0x20fff\nload_u8 r4, 0x20fff\ntrap")
        reason, _, _, eighth = invoke(found, index)
        assert (reason, eighth) == (FAULT, 0x20000)
        assert refine_call(found, "pages", index, 32, 1, 2).result == OK
        reason, _, registers, _ = invoke(found, index, registers={2: 0x1FF})
        assert (reason, registers[4]) == (PANICKED, 0xFF)

    def test_out_of_gas(self) -> None:
        found = context()
        index = inner(found, "loop:\njump loop")
        reason, left, _, eighth = invoke(found, index, 10)
        assert (reason, left, eighth) == (OUT_OF_GAS, 2**64 - 1, HEAP)

    def test_more_gas_than_can_be_counted(self) -> None:
        found = context()
        index = inner(found, "trap")
        assert invoke(found, index, 2**64 - 1)[:2] == (PANICKED, 2**64 - 2)
