"""``jamliquor pvm run``: one program, run to its exit, with every instruction told on request."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from jamliquor.cli.host_calls import arguments_text, call_record, log_record, log_text
from jamliquor.cli.options import debug_option, json_option
from jamliquor.cli.pvm_input import file_argument, kind_option, number, octets, read_image
from jamliquor.pvm.disassembler import instruction_text
from jamliquor.pvm.engine import Engine, NativeEngine, load_standard
from jamliquor.pvm.host import describe, table
from jamliquor.pvm.host.codes import MAX_GAS, WHAT
from jamliquor.pvm.image import Image
from jamliquor.pvm.invocations import HostCall
from jamliquor.pvm.machine import REGISTERS, Access, ExitReason, Machine
from jamliquor.pvm.program import (
    INPUT_SIZE,
    PAGE_SIZE,
    InvalidProgram,
    ProgramBlob,
    encode_standard,
    page_up,
)
from jamliquor.pvm.tracing import Instruction, steps

_LOG_GAS: Final = 10
_OUTPUT_SHOWN: Final = 256
_MAX_MEMORY: Final = 16 << 20


class GuestExit(enum.Enum):
    """Why the run ended: its name, and the command's exit code."""

    HALT = ("halt", 0)
    PANIC = ("panic", 10)
    OUT_OF_GAS = ("out-of-gas", 11)
    FAULT = ("page-fault", 12)
    HOST_CALL = ("host-call", 13)
    LIMIT = ("limit", 14)


_EPILOG = """\b
Exit codes:
  0    the guest halted
  2    wrong usage
  3    bad input: a file is missing, damaged or of another kind
  6    this machine or installation failed
  10   the guest panicked
  11   the guest ran out of gas
  12   the guest met memory that it may not use
  13   the guest made a host call
  14   the limit of --limit was reached
"""


@dataclass(frozen=True, slots=True)
class _Area:
    """Writable memory that somebody asked for: pages from an address on, and their first octets."""

    address: int
    length: int
    data: bytes


@click.command("run", short_help="Run a program.", epilog=_EPILOG)
@file_argument
@kind_option
@click.option(
    "--pc", metavar="N", type=number, default="0", help="Where to begin: 0 refines, 5 accumulates."
)
@click.option(
    "--gas",
    type=click.IntRange(0, MAX_GAS),
    default=10_000_000,
    show_default=True,
    help="Gas to start with.",
)
@click.option("--registers", metavar="r7=1,r8=0x10", help="Registers that do not start at zero.")
@click.option(
    "--argument", metavar="HEX|@FILE", help="Argument data of a standard program or a service."
)
@click.option(
    "--memory",
    "areas",
    multiple=True,
    metavar="ADDRESS+LENGTH[=HEX|@FILE]",
    help="Writable memory to start with. Repeatable.",
)
@click.option("--backend", type=click.Choice(["native", "reference"]), default="native")
@click.option("--trace", is_flag=True, help="Print a line for every instruction.")
@click.option("--limit", type=click.IntRange(0), help="Stop after so many instructions.")
@click.option("--log", is_flag=True, help="Serve the host call `log` (JIP-1): print what it says.")
@json_option
@debug_option
@click.pass_context
def run(
    ctx: click.Context,
    *,
    path: Path,
    kind: str,
    pc: int,
    gas: int,
    registers: str | None,
    argument: str | None,
    areas: tuple[str, ...],
    backend: str,
    trace: bool,
    limit: int | None,
    log: bool,
    as_json: bool,
) -> None:
    """Run a program until it halts, fails, makes a host call, or reaches a limit.

    A standard program starts with the memory and registers of the function Y; a bare program with
    nothing but what --registers and --memory say. With r0=0xffff0000 it halts by `jump_ind r0, 0`.

    The line of an instruction: its number, its position, the gas left behind it, the instruction,
    and after `;` the registers and memory that it changed. docs/pvm-tools.md has the details.

    \b
    Examples:
      jamliquor pvm run echo.pvm --pc 5 --argument 0x2a0001
      jamliquor pvm run sieve.asm --registers r0=0xffff0000,r7=1000 --memory 0x20000+4096
      jamliquor pvm run sieve.pvm --trace --limit 20 --backend reference
    """
    image = read_image(path, kind)
    machine = _machine(image, _engine(backend), pc, gas, None if argument is None else octets(argument))
    machine.set_registers(*_registers(registers or ""))
    for area in map(_area, areas):
        machine.set_access(area.address // PAGE_SIZE, page_up(area.length) // PAGE_SIZE, Access.WRITE)
        machine.initialize(area.address, area.data)
    running = _Run(machine, image.program, limit, trace=trace, log=log, as_json=as_json)
    ending = running.to_end()
    record = _record(running, ending, gas, standard=image.standard is not None)
    if as_json:
        running.tell_json(record)
    else:
        _tell(running, record)
    ctx.exit(ending.value[1])


def _engine(backend: str) -> Engine:
    if backend == "native":
        return NativeEngine()
    from jamliquor.pvm.reference import ReferenceEngine  # noqa: PLC0415

    return ReferenceEngine()


def _machine(image: Image, engine: Engine, pc: int, gas: int, argument: bytes | None) -> Machine:
    if image.standard is None:
        if argument is not None:
            raise click.UsageError("a bare program takes no argument data; see --registers, --memory")
        program = engine.compile(image.code)
        assert not isinstance(program, InvalidProgram), "the parser accepted it"
        return engine.machine(program, pc=pc, gas=gas)
    argument = argument or b""
    if len(argument) > INPUT_SIZE:
        raise click.UsageError(f"argument data has at most {INPUT_SIZE} octets")
    machine = load_standard(engine, encode_standard(image.standard), argument, pc, gas)
    assert machine is not None, "the parser accepted it"
    return machine


def _registers(text: str) -> list[tuple[int, int]]:
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        index = name.strip().removeprefix("r")
        if not equals or not index.isdecimal() or int(index) >= REGISTERS:
            reason = f"{part!r} is not like r7=1; registers are r0 to r12"
            raise click.BadParameter(reason, param_hint="--registers")
        pairs.append((int(index), number(value.strip())))
    return pairs


def _area(text: str) -> _Area:
    place, _, data = text.partition("=")
    start, plus, size = place.partition("+")
    if not plus:
        raise click.BadParameter(f"{text!r} is not like 0x20000+4096", param_hint="--memory")
    area = _Area(number(start), number(size), octets(data) if data else b"")
    if area.address % PAGE_SIZE or area.address < 1 << 16 or area.address + area.length > 1 << 32:
        reason = f"{start} is not the beginning of a page from 0x10000 on, or too near the end"
        raise click.BadParameter(reason, param_hint="--memory")
    if len(area.data) > area.length or area.length > _MAX_MEMORY:
        reason = f"{text} is over {_MAX_MEMORY} octets, or has more data than octets"
        raise click.BadParameter(reason, param_hint="--memory")
    return area


class _Run:
    """A machine on its way to an exit.

    Attributes:
        done: instructions attempted so far.
    """

    def __init__(
        self,
        machine: Machine,
        program: ProgramBlob,
        limit: int | None,
        *,
        trace: bool,
        log: bool,
        as_json: bool,
    ) -> None:
        self.machine = machine
        self.program = program
        self.done = 0
        self._limit = limit
        self._trace = trace
        self._log = log
        self._as_json = as_json

    def to_end(self) -> GuestExit:
        """Run; serve ``log`` where that was asked for."""
        advance = self._traced if self._trace else self._at_once
        while True:
            ending = advance(None if self._limit is None else self._limit - self.done)
            calls = ending is GuestExit.HOST_CALL and self.machine.exit_argument == table.LOG
            if not (calls and self._log):
                return ending
            if not self._serve_log():
                return GuestExit.OUT_OF_GAS

    def _traced(self, limit: int | None) -> GuestExit:
        for step in steps(self.machine, self.program, limit):
            self.done += 1
            self._tell_step(step)
            if step.exit is not None:
                return GuestExit[step.exit.name]
        return GuestExit.OUT_OF_GAS if self.machine.gas < 0 else GuestExit.LIMIT

    def _at_once(self, limit: int | None) -> GuestExit:
        machine = self.machine
        gas = machine.gas
        lent = gas if limit is None else min(gas, limit)
        machine.gas = lent
        reason = machine.run()
        self.done += lent - max(machine.gas, 0)
        if reason is ExitReason.OUT_OF_GAS and lent < gas:
            machine.gas = gas - lent
            return GuestExit.LIMIT
        if reason is not ExitReason.OUT_OF_GAS:
            machine.gas += gas - lent
        return GuestExit[reason.name]

    def _serve_log(self) -> bool:
        """Serve ``log``; false if the gas does not suffice."""
        machine = self.machine
        gas = machine.gas - _LOG_GAS
        if gas < 0:
            machine.gas = -1
            return False
        machine.gas = gas
        message = describe.log_message(machine, machine.get_registers())
        machine.set_register(7, WHAT)
        if message is not None:
            if self._as_json:
                self.tell_json({"log": log_record(message)})
            else:
                click.echo(f"log {log_text(message)}")
        return True

    def _tell_step(self, step: Instruction) -> None:
        if self._as_json:
            self.tell_json(_step_record(self.done, step))
        else:
            click.echo(step_line(self.done, step))

    @staticmethod
    def tell_json(record: dict[str, Any]) -> None:
        """Print one record on a line."""
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))


def step_line(count: int, step: Instruction) -> str:
    """The line of one instruction; see docs/pvm-tools.md."""
    line = f"{count} {step.pc} {step.gas} {step.text.partition('  ;')[0]}"
    changes = [f"r{index}={value:#x}" for index, value in step.registers]
    if step.memory is not None:
        changes.append(f"[{step.memory[0]:#x}]={step.memory[1].hex()}")
    return f"{line} ; {' '.join(changes)}" if changes else line


def _step_record(count: int, step: Instruction) -> dict[str, Any]:
    record: dict[str, Any] = {
        "number": count,
        "pc": step.pc,
        "gas": step.gas,
        "instruction": step.text.partition("  ;")[0],
        "registers": {f"r{index}": value for index, value in step.registers},
    }
    if step.memory is not None:
        record["memory"] = {"address": step.memory[0], "octets": "0x" + step.memory[1].hex()}
    return record


def _record(running: _Run, ending: GuestExit, gas: int, *, standard: bool) -> dict[str, Any]:
    machine = running.machine
    left = max(machine.gas, 0)
    record: dict[str, Any] = {
        "exit": ending.value[0],
        "pc": machine.pc,
        "instructions": running.done,
        "gas_used": gas - left,
        "gas_left": left,
        "registers": {f"r{index}": value for index, value in enumerate(machine.get_registers())},
    }
    if ending is GuestExit.FAULT:
        record["fault_page"] = machine.exit_argument
    if ending is GuestExit.HOST_CALL:
        called = call_record(0, _pending(machine))
        record["host_call"] = {
            "number": machine.exit_argument,
            "name": called["call"],
            "arguments": called["arguments"],
        }
    if ending is GuestExit.HALT and standard:
        output = machine.read(machine.get_register(7), machine.get_register(8)) or b""
        record["output"] = "0x" + output.hex()
    return record


def _pending(machine: Machine) -> HostCall:
    """The host call that the machine waits for."""
    registers, called = machine.get_registers(), machine.exit_argument
    shown = describe.arguments(called, machine, registers)
    name = table.NAMES.get(called, str(called))
    return HostCall(None, name, tuple(registers[7:]), 0, machine.gas, None, shown)


def _tell(running: _Run, record: dict[str, Any]) -> None:
    machine = running.machine
    exit_text = record["exit"]
    if "fault_page" in record:
        exit_text += f" at {record['fault_page']:#x}"
    if "host_call" in record:
        exit_text += f" {_called(machine)}"
    values = [f"{name}={value:#x}" for name, value in record["registers"].items() if value]
    rows = [
        ("exit", exit_text),
        ("pc", f"{record['pc']} {instruction_text(running.program, record['pc'])}"),
        ("gas", f"used {record['gas_used']}, left {record['gas_left']}"),
        ("registers", " ".join(values) or "all zero"),
    ]
    if "output" in record:
        size = len(record["output"]) // 2 - 1
        cut = "" if size <= _OUTPUT_SHOWN else f"..({size} octets)"
        rows.append(("output", record["output"][: 2 + 2 * _OUTPUT_SHOWN] + cut))
    click.echo("\n".join(f"{name:<11}{text}" for name, text in rows))


def _called(machine: Machine) -> str:
    pending = _pending(machine)
    name = pending.name if pending.name.isdecimal() else f"{machine.exit_argument} {pending.name}"
    return f"{name} {arguments_text(pending.shown)}".rstrip()
