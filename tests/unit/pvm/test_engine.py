"""Runs, exits, gas, memory, cache and limits of the engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import HostError
from jamliquor.pvm.assembler import assemble
from jamliquor.pvm.engine import Access, Engine, ExitReason, NativeEngine, Segment
from jamliquor.pvm.program import PAGE_SIZE, InvalidProgram, encode_program
from tests.support.pvm import BACKENDS, HALT, compiled

HEAP = 0x20000
TOUCH_ALL = """
    load_imm r2, 0x20000
    fallthrough
page:
    store_ind_u64 r2, r2, 0
    add_imm_64 r2, r2, 4096
    branch_lt_u r2, r7, page
    load_imm r2, 0x20000
    fallthrough
check:
    load_ind_u64 r3, r2, 0
    branch_ne r2, r3, wrong
    add_imm_64 r2, r2, 4096
    branch_lt_u r2, r7, check
    ecalli 1
wrong:
    trap
"""


@pytest.fixture(params=sorted(BACKENDS))
def engine(request: pytest.FixtureRequest) -> Engine:
    return BACKENDS[request.param]()


def test_a_host_call_is_served_and_the_run_continues(engine: Engine) -> None:
    program = compiled(engine, assemble("ecalli 300\n add_imm_64 r7, r7, 1\n ecalli -2\n trap"))
    machine = engine.machine(program, gas=10)
    assert machine.run() is ExitReason.HOST_CALL
    assert (machine.exit_argument, machine.pc, machine.next_pc, machine.gas) == (300, 0, 3, 9)
    machine.set_registers((7, 41), (12, (1 << 64) - 1))
    machine.gas -= 1
    assert machine.run() is ExitReason.HOST_CALL
    assert machine.exit_argument == (1 << 64) - 2
    assert (machine.get_register(7), machine.gas) == (42, 6)
    assert machine.registers[12] == (1 << 64) - 1
    machine.pc = 0
    assert machine.run() is ExitReason.HOST_CALL
    assert machine.exit_argument == 300
    assert machine.run() is ExitReason.HOST_CALL
    assert machine.run() is ExitReason.PANIC
    assert (machine.pc, machine.next_pc) == (8, 0)


def test_a_call_is_taken_at_once_and_leaves_a_debt_if_gas_is_short(engine: Engine) -> None:
    program = compiled(engine, assemble("ecalli 300\n trap"))
    machine = engine.machine(program, gas=10, registers=range(13))
    assert machine.run() is ExitReason.HOST_CALL
    left, number, registers = machine.take_call(10)
    assert (left, number, registers[:13]) == (-1, 300, list(range(13))) and machine.gas == -1


def test_calls_that_are_not_offered_are_answered_on_the_way(engine: Engine) -> None:
    text = "ecalli 100\n ecalli 3\n ecalli -1\n ecalli 2\n ecalli 5\n trap"
    program = compiled(engine, assemble(text))
    machine = engine.machine(program, gas=48)
    assert machine.run_offering(0b1100, 10, 77) is ExitReason.HOST_CALL
    assert (machine.exit_argument, machine.get_register(7), machine.gas) == (3, 77, 36)
    machine.set_register(7, 0)
    assert machine.run_offering(0b1100, 10, 77) is ExitReason.HOST_CALL
    assert (machine.exit_argument, machine.get_register(7), machine.gas) == (2, 77, 24)
    # What cannot be paid ends the run, and whoever serves calls says what that means.
    machine.gas = 10
    assert machine.run_offering(0b1100, 10, 77) is ExitReason.HOST_CALL
    assert (machine.exit_argument, machine.gas) == (5, 9)
    assert engine.machine(program, gas=1).run_offering(0, 10, 77) is ExitReason.HOST_CALL
    assert machine.run_offering(0b1100, 10, 77) is ExitReason.PANIC


def test_a_hash_of_memory(engine: Engine) -> None:
    program = compiled(engine, assemble("trap"))
    data = bytes(range(256)) * 32
    machine = engine.machine(program, gas=1, memory=[Segment(HEAP, len(data), Access.READ, data)])
    for length in (0, 1, 5000, len(data)):
        assert machine.hash(b"before", HEAP, length) == blake2b(b"before" + data[:length])
    assert machine.hash(b"", HEAP, len(data) + 1) is None
    assert machine.hash(b"", HEAP - 1, 5) is None and machine.hash(b"", (1 << 32) - 2, 5) is None
    assert machine.hash(b"", 1 << 40, 0) == blake2b(b"")


def test_a_host_call_may_be_the_last_instruction(engine: Engine) -> None:
    machine = engine.machine(compiled(engine, assemble("ecalli 1")), gas=5)
    assert machine.run() is ExitReason.HOST_CALL
    assert machine.run() is ExitReason.PANIC
    assert machine.gas == 3


def test_gas_runs_out_at_the_exact_instruction_and_can_be_refilled(engine: Engine) -> None:
    program = compiled(engine, assemble("add_imm_64 r7, r7, 1\n" * 5 + "trap"))
    machine = engine.machine(program, gas=3)
    assert machine.run() is ExitReason.OUT_OF_GAS
    assert (machine.gas, machine.pc, machine.get_register(7)) == (-1, 9, 3)
    assert machine.run() is ExitReason.OUT_OF_GAS
    assert machine.gas == -1
    machine.gas = 3
    assert machine.run() is ExitReason.PANIC
    assert (machine.gas, machine.get_register(7)) == (0, 5)


@pytest.mark.parametrize("gas", [0, 1, 63, 64, 65, 127, 128, 200, 299, 300])
def test_gas_is_exact_in_long_blocks(engine: Engine, gas: int) -> None:
    program = compiled(engine, assemble("add_imm_64 r7, r7, 1\n" * 299 + "jump_ind r0, 0"))
    machine = engine.machine(program, gas=gas)
    machine.set_register(0, HALT)
    reason = machine.run()
    assert reason is (ExitReason.HALT if gas == 300 else ExitReason.OUT_OF_GAS)
    assert machine.get_register(7) == min(gas, 299)
    assert (machine.gas, machine.pc) == (0 if gas == 300 else -1, 3 * min(gas, 299))


def test_a_huge_program_is_not_decoded_at_once() -> None:
    program = compiled(NativeEngine(), encode_program(bytes(4_000_000), range(4_000_000)))
    assert program.size < 5_000_000


def test_a_fault_in_a_block_costs_what_was_attempted(engine: Engine) -> None:
    text = "add_imm_64 r7, r7, 1\n load_u8 r2, 0x30000\n add_imm_64 r7, r7, 1\n trap"
    machine = engine.machine(compiled(engine, assemble(text)), gas=100)
    assert machine.run() is ExitReason.FAULT
    assert (machine.exit_argument, machine.pc, machine.gas) == (0x30000, 3, 98)
    assert machine.get_register(7) == 1
    machine.set_access(0x30, 1, Access.READ)
    assert machine.run() is ExitReason.PANIC
    assert (machine.get_register(7), machine.gas) == (2, 95)


@pytest.mark.parametrize(
    ("address", "reason", "argument"),
    [
        (0xFFFF, ExitReason.PANIC, 0),
        (0x1FFFE, ExitReason.FAULT, 0x1F000),
        (0x20FFE, ExitReason.FAULT, 0x21000),
        (0xFFFFFFFE, ExitReason.FAULT, 0xFFFFF000),
        (0x1_0001_FFFF, ExitReason.FAULT, 0x1F000),
    ],
)
def test_faults_name_the_lowest_page_refused(
    engine: Engine, address: int, reason: ExitReason, argument: int
) -> None:
    program = compiled(engine, assemble("store_ind_u32 r3, r2, 0\n trap"))
    machine = engine.machine(program, gas=9, memory=[Segment(HEAP, PAGE_SIZE, Access.WRITE)])
    machine.set_register(2, address)
    assert machine.run() is reason
    if reason is ExitReason.FAULT:
        assert machine.exit_argument == argument
    assert machine.read(HEAP, PAGE_SIZE) == bytes(PAGE_SIZE)


def test_host_access_respects_pages_and_the_address_space(engine: Engine) -> None:
    machine = engine.machine(compiled(engine, assemble("trap")), gas=0)
    machine.set_access(0x20, 2, Access.WRITE)
    machine.set_access(0x22, 1, Access.READ)
    assert machine.write(0x21FFE, b"ab")
    assert not machine.write(0x21FFE, b"abc")
    assert machine.read(0x21FFC, 8) == b"\0\0ab\0\0\0\0"
    assert machine.read(0x22FFF, 2) is None
    assert machine.read(1 << 40, 1) is None
    assert machine.read((1 << 64) - 1, 1) is None
    assert machine.read(0x20000, (1 << 64) - 1) is None
    assert machine.read(1 << 63, 0) == b""
    assert machine.is_readable(0x22000, PAGE_SIZE)
    assert not machine.is_writable(0x22000, 1)
    assert not machine.is_readable(0xFFFFFFFF, 2)
    machine.initialize(0x22000, b"fixed")
    assert machine.read(0x22000, 5) == b"fixed"
    machine.zero_pages(0x21, 2)
    assert machine.read(0x21FFC, 16) == bytes(16)
    machine.set_access(0x20, 1, Access.NONE)
    assert machine.read(0x20000, 1) is None
    machine.set_access(0, 16, Access.WRITE)
    assert not machine.is_readable(0xF000, 1)
    with pytest.raises(ValueError, match="address space"):
        machine.initialize((1 << 32) - 1, b"ab")


def test_sbrk_grows_the_heap_until_its_limit(engine: Engine) -> None:
    text = "sbrk r3, r2\n ecalli 0\n" * 4
    machine = engine.machine(compiled(engine, assemble(text)), gas=99)
    machine.set_heap(0x24000, 0x27000)
    expected = [(0, 0x24000, 0x24000), (1, 0x24000, 0x24001), (0x2FFF, 0x24001, 0x27000)]
    for amount, result, end in expected:
        machine.set_register(2, amount)
        assert machine.run() is ExitReason.HOST_CALL
        assert (machine.get_register(3), machine.heap) == (result, end)
    assert machine.is_writable(0x24000, 0x3000)
    machine.set_register(2, (1 << 64) - 1)
    machine.run()
    assert (machine.get_register(3), machine.heap) == (0, 0x27000)


def test_a_counter_without_an_instruction_traps(engine: Engine) -> None:
    program = compiled(engine, assemble("load_imm r2, 100\n trap"))
    for pc in (1, 3, 4, 77, 1 << 40, (1 << 64) - 1):
        machine = engine.machine(program, pc=pc, gas=1)
        assert machine.run() is ExitReason.PANIC
        assert (machine.gas, machine.pc) == (0, pc)
        machine.pc = pc
        assert machine.run() is ExitReason.OUT_OF_GAS
        assert machine.gas == -1


def test_a_table_of_empty_entries_leads_to_the_start(engine: Engine) -> None:
    blob = encode_program(bytes((1, 50, 2)), [0, 1], [0, 0, 0], 0)
    for address, reason in ((2, ExitReason.OUT_OF_GAS), (6, ExitReason.OUT_OF_GAS)):
        machine = engine.machine(compiled(engine, blob), gas=50)
        machine.set_register(2, address)
        assert machine.run() is reason
    for address in (0, 1, 3, 8):
        machine = engine.machine(compiled(engine, blob), gas=50)
        machine.set_register(2, address)
        assert machine.run() is ExitReason.PANIC


def test_invalid_programs_are_values_that_name_the_byte(engine: Engine) -> None:
    cases = {
        b"": 0,
        bytes((0, 0, 2, 0, 0)): 5,
        bytes((0, 0, 1, 0, 3)): 4,
        bytes((0, 0, 1, 0, 1, 9)): 5,
        bytes((0x80, 1, 0)): 0,
        bytes((1, 9, 0, *bytes(8), 1)): 11,
    }
    for blob, offset in cases.items():
        invalid = engine.compile(blob)
        assert isinstance(invalid, InvalidProgram)
        assert invalid.offset == offset


def test_the_cache_is_bounded_by_bytes_and_counted() -> None:
    blobs = [assemble("fallthrough\n" * 100 + f"load_imm r2, {at}") for at in range(1, 5)]
    size = compiled(NativeEngine(), blobs[0]).size
    engine = NativeEngine(cache_size=2 * size)
    first = engine.compile(blobs[0], b"key")
    assert engine.compile(b"not looked at", b"key") is first
    for blob in blobs[1:]:
        engine.compile(blob)
    counters = engine.cache_counters
    assert (counters.hits, counters.misses, counters.evictions) == (1, 4, 2)
    assert counters.size == 2 * size


@pytest.mark.parametrize("paged", [False, True])
def test_pages_above_the_cap_spill_and_come_back(tmp_path: Path, paged: bool) -> None:
    cap = 64 * PAGE_SIZE
    engine = NativeEngine(resident=cap, spill_directory=str(tmp_path), spill_quota=1 << 22, paged=paged)
    pages = 300
    machine = engine.machine(compiled(engine, assemble(TOUCH_ALL)), gas=10_000)
    machine.set_access(HEAP // PAGE_SIZE, pages, Access.WRITE)
    machine.set_register(7, HEAP + pages * PAGE_SIZE)
    assert machine.run() is ExitReason.HOST_CALL
    assert engine.counters.peak <= cap
    assert engine.counters.spilled > 2 * (pages - 64) - 1
    assert list(tmp_path.iterdir()) == []
    machine.zero_pages(HEAP // PAGE_SIZE + 1, pages - 1)
    image = machine.read(HEAP, pages * PAGE_SIZE)
    assert image == HEAP.to_bytes(8, "little") + bytes(pages * PAGE_SIZE - 8)
    del machine
    assert engine.counters.resident == 0


@pytest.mark.parametrize("paged", [False, True])
def test_past_the_quota_the_host_fails_and_the_machine_is_as_before(
    tmp_path: Path, paged: bool
) -> None:
    for directory, quota in ((str(tmp_path), 10 * PAGE_SIZE), ("", 1 << 30)):
        engine = NativeEngine(
            resident=64 * PAGE_SIZE, spill_directory=directory, spill_quota=quota, paged=paged
        )
        machine = engine.machine(compiled(engine, assemble(TOUCH_ALL)), gas=10_000)
        machine.set_access(HEAP // PAGE_SIZE, 200, Access.WRITE)
        machine.set_register(7, HEAP + 200 * PAGE_SIZE)
        with pytest.raises(HostError, match="guest memory exceeds"):
            machine.run()
        touched = (machine.get_register(2) - HEAP) // PAGE_SIZE
        assert touched == 64 + (10 if directory else 0)
        assert machine.gas == 10_000 - 2 - 3 * touched
        machine.set_register(7, machine.get_register(2))
        # The store is tried again, and the host still cannot hold the page.
        with pytest.raises(HostError):
            machine.run()


@pytest.mark.parametrize("paged", [False, True])
def test_reading_what_was_never_written_takes_no_memory(paged: bool) -> None:
    engine = NativeEngine(resident=1 << 20, paged=paged)
    machine = engine.machine(compiled(engine, assemble("trap")), gas=1)
    machine.set_access(HEAP // PAGE_SIZE, 9000, Access.READ)
    assert machine.read(HEAP, 1000 * PAGE_SIZE) == bytes(1000 * PAGE_SIZE)
    assert engine.counters.resident == 0
    with pytest.raises(HostError, match="too many"):
        machine.read(HEAP, 9000 * PAGE_SIZE)


@pytest.mark.parametrize("paged", [False, True])
def test_a_guest_may_take_the_whole_address_space(paged: bool) -> None:
    engine = NativeEngine(paged=paged)
    machine = engine.machine(compiled(engine, assemble("sbrk r3, r2\n ecalli 0")), gas=9)
    machine.set_register(2, 1 << 32)
    assert machine.run() is ExitReason.HOST_CALL
    assert machine.heap == 1 << 32
    assert machine.is_writable(0x10000, (1 << 32) - 0x10000)
    assert machine.write((1 << 32) - 4, b"last")
    assert engine.counters.resident == PAGE_SIZE


def test_a_spill_directory_that_does_not_exist_is_the_hosts_failure() -> None:
    engine = NativeEngine(resident=64 * PAGE_SIZE, spill_directory="/nonexistent/folder")
    machine = engine.machine(compiled(engine, assemble(TOUCH_ALL)), gas=10_000)
    machine.set_access(HEAP // PAGE_SIZE, 200, Access.WRITE)
    machine.set_register(7, HEAP + 200 * PAGE_SIZE)
    with pytest.raises(HostError, match="spill file"):
        machine.run()


@pytest.mark.parametrize("paged", [False, True])
def test_machines_in_flight_are_bounded(paged: bool) -> None:
    engine = NativeEngine(resident=1 << 20, paged=paged)
    program = compiled(engine, assemble("trap"))
    machines = []
    with pytest.raises(HostError, match="in flight"):
        for _ in range(1000):
            machines.append(engine.machine(program, gas=1))
    assert len(machines) > 3
    machines.clear()
    engine.machine(program, gas=1)


def test_memory_is_clean_when_it_is_used_again() -> None:
    engine = NativeEngine()
    program = compiled(engine, assemble("trap"))
    machine = engine.machine(program, gas=1, memory=[Segment(HEAP, 99, Access.WRITE, b"secret")])
    machine.set_heap(0x50000)
    del machine
    machine = engine.machine(program, gas=1)
    assert not machine.is_readable(HEAP, 1)
    assert machine.heap == 0
    machine.set_access(HEAP // PAGE_SIZE, 1, Access.READ)
    assert machine.read(HEAP, PAGE_SIZE) == bytes(PAGE_SIZE)


def test_registers_are_checked() -> None:
    engine = NativeEngine()
    machine = engine.machine(compiled(engine, assemble("trap")), gas=1)
    with pytest.raises(IndexError):
        machine.set_register(13, 0)
    with pytest.raises(OverflowError):
        machine.set_register(0, 1 << 64)
    with pytest.raises(ValueError, match="13 registers"):
        machine.registers = (1, 2)
