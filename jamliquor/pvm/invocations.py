"""The invocations of appendix B: Is-Authorized, Refine and Accumulate, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from jamliquor.codec import codec
from jamliquor.codec.runtime import encode_natural
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine, load_standard
from jamliquor.pvm.host import describe, table
from jamliquor.pvm.host.codes import MAX_GAS, OUT_OF_GAS, PANIC, WHAT
from jamliquor.pvm.host.context import (
    AccumulateContext,
    Chain,
    GeneralContext,
    Outcome,
    RefineContext,
)
from jamliquor.pvm.host.fetch import FetchSource
from jamliquor.pvm.machine import ExitReason, Machine
from jamliquor.state.accounts import Accounts, AccountsView, Draft, credited
from jamliquor.types.accumulation import AccumulationInput, DeferredTransfer
from jamliquor.types.work import WorkError, WorkPackage

__all__ = [
    "AccumulateInvocation",
    "HostCall",
    "HostCallObserver",
    "accumulate_service",
    "is_authorized",
    "refine",
    "run_host_calls",
]

_HOST_CALL_GAS: Final = 10
_ACCUMULATE_ENTRY: Final = 5
_REFINE_ENTRY: Final = 0
_OUTPUT_HASH: Final = 32


class HostCall(NamedTuple):
    """A host call that was served.

    Attributes:
        service: the service that runs; None for an authorizer.
        name: its name, or its number if it has none.
        arguments: registers 7 to 12 before it.
        result: register 7 after it; ``PANIC`` or ``OUT_OF_GAS`` if it ended the guest.
        gas: gas left after it.
        message: what a ``log`` call says: level, target and text; None for others.
        shown: the arguments by name, with what they point to
            (:func:`jamliquor.pvm.host.describe.arguments`).
        delivered: what the call wrote to the guest's memory, if that is its purpose.
    """

    service: int | None
    name: str
    arguments: tuple[int, ...]
    result: int
    gas: int
    message: tuple[int, bytes, bytes] | None = None
    shown: tuple[tuple[str, int | describe.Octets], ...] = ()
    delivered: describe.Octets | None = None


HostCallObserver = Callable[[HostCall], None]
"""Is told of host calls; it cannot change anything."""


class AccumulateInvocation(NamedTuple):
    """What all accumulations of one block share.

    Attributes:
        slot: the block's slot.
        entropy: the posterior entropy accumulator, 32 octets.
        observer: told of every host call, if there is one.
        lap: told when the time of a part ends, if somebody measures.
        calls: the host calls that are offered.
    """

    params: ChainParams
    engine: Engine
    slot: int
    entropy: bytes
    observer: HostCallObserver | None = None
    lap: Callable[[str], None] | None = None
    calls: table.Table = table.ACCUMULATE


def accumulate_service(
    invocation: AccumulateInvocation,
    accounts: Accounts,
    chain: Chain,
    *,
    service: int,
    gas: int,
    inputs: Sequence[AccumulationInput],
) -> Outcome:
    """Ψ_A (appendix B.4): accumulate one service, on accounts that stay as they are.

    A service that does not exist, or has no code, receives its transfers and does nothing.

    Raises:
        HostError: the machine failed; says nothing about the service.
    """
    params = invocation.params
    draft = Draft(accounts)
    account = draft.account(service)
    received = sum(item.amount for item in inputs if isinstance(item, DeferredTransfer))
    if account is not None and received:
        draft.set_account(service, credited(account, received))
    context = AccumulateContext(
        params,
        FetchSource(params, entropy=invocation.entropy, inputs=inputs),
        service=service,
        accounts=draft,
        chain=chain,
        slot=invocation.slot,
        entropy=invocation.entropy,
    )
    if account is None or not accounts.has_preimage(service, account.code_hash):
        return context.outcome(0, b"")
    if invocation.lap is not None:
        invocation.lap("accumulation")
    engine = invocation.engine
    loaded = engine.find(account.code_hash)
    if loaded is None:
        code = _code(params, accounts.preimage(service, account.code_hash))
        if code is None or len(code) > params.max_service_code_size:
            return context.outcome(0, b"")
        loaded = engine.load(code, account.code_hash)
    elif loaded.blob_size > params.max_service_code_size:
        return context.outcome(0, b"")
    gas = min(gas, MAX_GAS)
    argument = b"".join(map(encode_natural, (invocation.slot, service, len(inputs))))
    machine = None if loaded is None else loaded.start(engine, argument, _ACCUMULATE_ENTRY, gas)
    if machine is None:
        return context.outcome(0, None)
    if invocation.lap is not None:
        invocation.lap("start of guests")
    failure = run_host_calls(machine, context, invocation.calls, invocation.observer, invocation.lap)
    used = gas - max(machine.gas, 0)
    if failure is not None:
        return context.outcome(used, None)
    # Only an output of a hash's size means anything.
    return context.outcome(used, _output(machine, _OUTPUT_HASH + 1))


def is_authorized(
    params: ChainParams, engine: Engine, package: WorkPackage, core: int, accounts: AccountsView
) -> tuple[bytes | WorkError, int]:
    """Ψ_I (appendix B.2): whether a package may use a core.

    Args:
        accounts: a recent state's, in which the authorizer's code is looked up.

    Returns:
        The authorizer's output or its error, and the gas used.
    """
    slot = package.context.lookup_anchor_slot
    blob = None
    if accounts.account(package.auth_code_host) is not None:
        blob = accounts.historical_lookup(package.auth_code_host, slot, package.auth_code_hash)
    code = _code(params, blob)
    if code is None:
        return WorkError.BAD, 0
    if len(code) > params.max_authorization_code_size:
        return WorkError.BIG, 0
    context = GeneralContext(params, FetchSource(params, package=package))
    gas = params.authorization_gas
    argument = core.to_bytes(2, "little")
    machine = load_standard(engine, code, argument, 0, gas, package.auth_code_hash)
    return _finish(machine, context, table.IS_AUTHORIZED, gas)


def refine(
    params: ChainParams,
    engine: Engine,
    package: WorkPackage,
    item_index: int,
    *,
    core: int,
    auth_trace: bytes,
    imports: Sequence[Sequence[bytes]],
    extrinsics: Sequence[Sequence[bytes]],
    export_offset: int,
    accounts: AccountsView,
    observer: HostCallObserver | None = None,
) -> tuple[bytes | WorkError, list[bytes], int]:
    """Ψ_R (appendix B.3): refine one work item.

    Args:
        imports: the imported segments of every work item of the package.
        extrinsics: the extrinsic blobs of every work item.
        export_offset: segments that the work items before exported.
        accounts: a state's, no earlier than the lookup anchor's.

    Returns:
        The output or the error, the exported segments (none after an error), and the gas used.
    """
    item = package.items[item_index]
    slot = package.context.lookup_anchor_slot
    blob = None
    if accounts.account(item.service) is not None:
        blob = accounts.historical_lookup(item.service, slot, item.code_hash)
    if blob is None:
        return WorkError.BAD, [], 0
    if len(blob) > params.max_service_code_size:
        return WorkError.BIG, [], 0
    source = FetchSource(
        params,
        package=package,
        entropy=bytes(32),
        auth_trace=auth_trace,
        item_index=item_index,
        imports=imports,
        extrinsics=extrinsics,
    )
    context = RefineContext(
        params,
        source,
        item.service,
        accounts,
        slot=slot,
        engine=engine,
        export_offset=export_offset,
    )
    code = _code(params, blob)
    gas = min(item.refine_gas, MAX_GAS)
    machine = None
    if code is not None:
        argument = _refine_argument(params, package, item_index, core)
        machine = load_standard(engine, code, argument, _REFINE_ENTRY, gas, item.code_hash)
    result, used = _finish(machine, context, table.REFINE, gas, observer)
    return result, [] if isinstance(result, WorkError) else context.exports, used


def _refine_argument(params: ChainParams, package: WorkPackage, item_index: int, core: int) -> bytes:
    item = package.items[item_index]
    head = b"".join(map(encode_natural, (core, item_index, item.service, len(item.payload))))
    return head + item.payload + blake2b(codec(WorkPackage, params).encode(package))


def _code(params: ChainParams, blob: bytes | None) -> bytes | None:
    """The code behind the metadata of a code preimage (equation 9.4); None if there is none."""
    if blob is None:
        return None
    try:
        _, end = codec(bytes, params).decode_prefix(blob)
    except DecodeError:
        return None
    return blob[end:]


def _finish(
    machine: Machine | None,
    context: GeneralContext,
    calls: table.Table,
    gas: int,
    observer: HostCallObserver | None = None,
) -> tuple[bytes | WorkError, int]:
    """Run a machine to its end (function R of appendix A.8); None stands for an invalid program.

    An output larger than a report may hold is cut behind the octet that makes it too large.
    """
    if machine is None:
        return WorkError.PANIC, 0
    failure = run_host_calls(machine, context, calls, observer)
    used = gas - max(machine.gas, 0)
    limit = context.params.max_report_variable_size + 1
    return (_output(machine, limit) if failure is None else failure), used


def _output(machine: Machine, limit: int) -> bytes:
    """What a halted guest returns: the memory that registers 7 and 8 name, if all of it is readable."""
    address, size = machine.get_register(7), machine.get_register(8)
    if size > limit:
        if not machine.is_readable(address, size):
            return b""
        size = limit
    return machine.read(address, size) or b""


def run_host_calls(
    machine: Machine,
    context: GeneralContext | AccumulateContext,
    calls: table.Table,
    observer: HostCallObserver | None,
    lap: Callable[[str], None] | None = None,
) -> WorkError | None:
    """Ψ_H (appendix A.6): run a machine to its end, serving its host calls from a table.

    Returns:
        None if the guest halted, or why it failed. A page fault counts as a panic.
    """
    offered = sum(1 << number for number in calls)
    while True:
        if observer is None:
            reason = machine.run_offering(offered, _HOST_CALL_GAS, WHAT)
        else:
            reason = machine.run()
        if lap is not None:
            lap("guest instructions")
        if reason is not ExitReason.HOST_CALL:
            if reason is ExitReason.HALT:
                return None
            return WorkError.OUT_OF_GAS if reason is ExitReason.OUT_OF_GAS else WorkError.PANIC
        gas, number, registers = machine.take_call(_HOST_CALL_GAS)
        if gas < 0:
            return WorkError.OUT_OF_GAS
        shown = () if observer is None else describe.arguments(number, machine, registers)
        handler = calls.get(number)
        result = WHAT if handler is None else handler(context, machine, registers)
        if observer is not None:
            observer(_served(context.service, number, machine, registers, result, shown))
        if result < 0:
            if result == PANIC:
                return WorkError.PANIC
            machine.gas = OUT_OF_GAS
            return WorkError.OUT_OF_GAS
        machine.set_register(7, result)
        if lap is not None:
            lap("host calls")


def _served(
    service: int | None,
    number: int,
    machine: Machine,
    registers: Sequence[int],
    result: int,
    shown: tuple[tuple[str, int | describe.Octets], ...],
) -> HostCall:
    return HostCall(
        service,
        table.NAMES.get(number, str(number)),
        tuple(registers[7:13]),
        result,
        machine.gas,
        describe.log_message(machine, registers) if number == table.LOG else None,
        shown,
        describe.delivered(number, machine, registers, result),
    )
