"""Accumulation: services take in what refinement made of their work (section 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from jamliquor.errors import AccumulationError, JamliquorError
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.pvm.host import ahead
from jamliquor.pvm.host.context import Chain, Outcome
from jamliquor.pvm.invocations import AccumulateInvocation, HostCallObserver, accumulate_service
from jamliquor.state.accounts import Accounts
from jamliquor.state.foresight import Foresight
from jamliquor.stf import accumulation_queue as queue
from jamliquor.types.accumulation import AccumulationInput, DeferredTransfer, Operand
from jamliquor.types.state import (
    AccumulationHistory,
    AccumulationOutput,
    AccumulationOutputs,
    AuthorizationQueues,
    Privileges,
    ReadyQueue,
    ValidatorSet,
)
from jamliquor.types.work import WorkReport

__all__ = ["AccumulationResult", "accumulate", "foresee"]


_FORESEEN_GAS_SERVICE: Final = 4_000_000
"""Gas that looking ahead spends on a service at most: some ten milliseconds."""

FORESEEN_GAS: Final = 4 * _FORESEEN_GAS_SERVICE
"""Gas that it spends on all services together."""


class AccumulationResult(NamedTuple):
    """The state after accumulation, where accumulation decides it.

    Attributes:
        changes: entries of services, records included; None removes one.
        staging: the validators of the epoch after the next.
        authorization_queues: as in the state, by core.
        outputs: what services yielded, by service and hash.
        statistics: work items accumulated and gas used, by service (equation 12.29).
    """

    changes: dict[bytes, bytes | None]
    privileges: Privileges
    staging: ValidatorSet
    authorization_queues: AuthorizationQueues
    ready_queue: ReadyQueue
    history: AccumulationHistory
    outputs: AccumulationOutputs
    statistics: dict[int, tuple[int, int]]


def accumulate(
    params: ChainParams,
    engine: Engine,
    *,
    slot: int,
    prior_slot: int,
    entropy: bytes,
    available: Sequence[WorkReport],
    ready_queue: ReadyQueue,
    history: AccumulationHistory,
    privileges: Privileges,
    staging: ValidatorSet,
    authorization_queues: AuthorizationQueues,
    get: Callable[[bytes], bytes | None],
    has: Callable[[bytes], bool] | None = None,
    trace: HostCallObserver | None = None,
    lap: Callable[[str], None] | None = None,
    coming: Callable[[Sequence[WorkReport]], None] | None = None,
) -> AccumulationResult:
    """Accumulate the reports that can be, as far as the block's gas goes.

    Args:
        slot: the block's slot; ``prior_slot`` that of the block before.
        entropy: the posterior entropy accumulator, 32 octets.
        available: the reports that became available in this block, in order.
        get: a value of the prior state by its key.
        has: whether there is one, if that is cheaper to say.
        trace: told of every host call.
        lap: told when a guest's start, its instructions and its host calls end.
        coming: told of the reports before any of them is accumulated, or None.

    Raises:
        AccumulationError: ``service_index_collision``, two services made the same new one.
        HostError: the machine failed; the block is not judged.
    """
    phase = slot % params.epoch_length
    immediate, queued = queue.partition(available, history)
    reports = queue.accumulatable(immediate, queued, ready_queue, phase)
    chain = Chain(staging, authorization_queues, privileges)
    if coming is not None:
        coming(reports)
    block = _Block(
        params,
        AccumulateInvocation(params, engine, slot, entropy, trace, lap),
        Accounts(params, get, has),
        chain,
    )
    count = block.sequence(reports)
    accumulated = queue.package_hashes(reports[:count])
    statistics = _statistics(reports[:count], block.gas_used)
    for service in statistics:
        record = block.accounts.account(service)
        if record is not None:
            block.accounts.records[service] = record._replace(last_accumulated=slot)
    return AccumulationResult(
        changes=block.accounts.changes(),
        privileges=block.chain.privileges,
        staging=block.chain.staging,
        authorization_queues=block.chain.queues,
        ready_queue=queue.next_queue(ready_queue, queued, accumulated, phase, slot - prior_slot),
        history=queue.next_history(history, accumulated),
        outputs=tuple(AccumulationOutput(*output) for output in sorted(block.outputs)),
        statistics=statistics,
    )


def foresee(
    invocation: AccumulateInvocation,
    chain: Chain,
    reports: Sequence[WorkReport],
    get: Callable[[bytes], bytes | None],
    foresight: Foresight,
    *,
    gas: int,
) -> int:
    """Run the services of some reports on what memory tells, to learn which entries they read.

    Where memory does not know an entry they meet none, and whatever they make of that is thrown
    away: most services choose what to read by their inputs. Those entries are read meanwhile.

    Args:
        get: a value of the state by its key, read where memory does not know it.
        foresight: of the same state.
        gas: of all services together.

    Returns:
        What is left of the gas.
    """
    invocation = invocation._replace(calls=ahead.calls(foresight.note))
    limits, inputs = _work((), reports, chain.privileges.always_accumulate)
    known = Accounts(invocation.params, get)
    accounts = Accounts(invocation.params, foresight.get)
    for service in sorted(limits):
        granted = min(limits[service], _FORESEEN_GAS_SERVICE, gas)
        gas -= granted
        if not granted:
            break
        # Whatever fails now fails again when it counts, or does not happen then.
        with suppress(JamliquorError):
            # Without its code in memory a service would seem to have none, and would ask for nothing.
            known.code_blob(service)
            outcome = accumulate_service(
                invocation,
                accounts,
                chain,
                service=service,
                gas=granted,
                inputs=inputs[service],
            )
            gas += granted - outcome.gas_used
    return gas


class _Block:
    """The state that the rounds of one block hand on, ψ, and what they add up."""

    __slots__ = ("accounts", "chain", "gas_used", "invocation", "outputs", "params")

    def __init__(
        self,
        params: ChainParams,
        invocation: AccumulateInvocation,
        accounts: Accounts,
        chain: Chain,
    ) -> None:
        self.params = params
        self.invocation = invocation
        self.accounts = accounts
        self.chain = chain
        self.outputs: set[tuple[int, bytes]] = set()
        self.gas_used: dict[int, int] = {}

    def sequence(self, reports: Sequence[WorkReport]) -> int:
        """Function ∆+ (equation 12.18): round after round while gas lasts.

        Returns:
            How many reports were accumulated.
        """
        free = self.chain.privileges.always_accumulate
        gas = max(
            self.params.block_accumulation_gas,
            self.params.report_accumulation_gas * self.params.core_count + sum(free.values()),
        )
        transfers: Sequence[DeferredTransfer] = ()
        done = 0
        while True:
            count = _affordable(reports, done, gas)
            if not transfers and not count and not free:
                return done
            outcomes = self._round(transfers, reports[done : done + count], free)
            gas += sum(transfer.gas for transfer in transfers)
            gas -= sum(outcome.gas_used for outcome in outcomes.values())
            transfers = [sent for outcome in outcomes.values() for sent in outcome.transfers]
            done += count
            free = {}

    def _round(
        self,
        transfers: Sequence[DeferredTransfer],
        reports: Sequence[WorkReport],
        free: Mapping[int, int],
    ) -> dict[int, Outcome]:
        """Function ∆* (equation 12.19): each service once, all on the same prior state.

        Returns:
            What became of each service, in ascending order.
        """
        gas, inputs = _work(transfers, reports, free)
        outcomes: dict[int, Outcome] = {}
        for service in sorted(gas):
            outcome = accumulate_service(
                self.invocation,
                self.accounts,
                self.chain,
                service=service,
                gas=gas[service],
                inputs=inputs[service],
            )
            outcomes[service] = outcome
            self.gas_used[service] = self.gas_used.get(service, 0) + outcome.gas_used
            if outcome.yielded is not None:
                self.outputs.add((service, outcome.yielded))
        self._merge_accounts(outcomes)
        self.chain = _merge_chain(self.chain, outcomes)
        return outcomes

    def _merge_accounts(self, outcomes: Mapping[int, Outcome]) -> None:
        """The accounts of all outcomes together, then the preimages they provide."""
        created: set[int] = set()
        removed: set[int] = set()
        for outcome in outcomes.values():
            for service in outcome.created:
                if service in created:
                    raise AccumulationError("service_index_collision", service=service)
                created.add(service)
            removed.update(s for s, record in outcome.records.items() if record is None)
            self.accounts.merge(outcome.records, outcome.entries)
        self.accounts.remove(removed)
        provisions = [item for outcome in outcomes.values() for item in outcome.provisions.items()]
        for (service, preimage_hash), data in provisions:
            self.accounts.provide(service, preimage_hash, data, self.invocation.slot)


def _affordable(reports: Sequence[WorkReport], start: int, gas: int) -> int:
    """How many reports from ``start`` on have gas limits that together do not exceed ``gas``."""
    for index in range(start, len(reports)):
        gas -= sum(digest.accumulate_gas for digest in reports[index].digests)
        if gas < 0:
            return index - start
    return len(reports) - start


def _work(
    transfers: Sequence[DeferredTransfer], reports: Sequence[WorkReport], free: Mapping[int, int]
) -> tuple[dict[int, int], dict[int, list[AccumulationInput]]]:
    """Gas and inputs of each service of a round, transfers first (equation 12.24)."""
    gas = dict(free)
    inputs: dict[int, list[AccumulationInput]] = {service: [] for service in free}
    for transfer in transfers:
        service = transfer.destination
        gas[service] = gas.get(service, 0) + transfer.gas
        inputs.setdefault(service, []).append(transfer)
    for report in reports:
        specification = report.specification
        for digest in report.digests:
            service = digest.service
            gas[service] = gas.get(service, 0) + digest.accumulate_gas
            operand = Operand(
                specification.package_hash,
                specification.segment_root,
                report.authorizer_hash,
                digest.payload_hash,
                digest.accumulate_gas,
                digest.result,
                report.auth_trace,
            )
            inputs.setdefault(service, []).append(operand)
    return gas, inputs


def _merge_chain(prior: Chain, outcomes: Mapping[int, Outcome]) -> Chain:
    """Privileges, staging set and queues after a round (equation 12.19).

    Each part follows the service that owned it before the round; who holds a privilege follows the
    manager first.
    """
    if all(outcome.chain is prior for outcome in outcomes.values()):
        return prior

    def after(service: int) -> Chain:
        outcome = outcomes.get(service)
        return prior if outcome is None else outcome.chain

    owners = prior.privileges
    managed = after(owners.manager).privileges
    return Chain(
        staging=after(owners.delegator).staging,
        queues=tuple(after(assigner).queues[core] for core, assigner in enumerate(owners.assigners)),
        privileges=Privileges(
            manager=managed.manager,
            assigners=tuple(
                _owned(assigner, managed.assigners[core], after(assigner).privileges.assigners[core])
                for core, assigner in enumerate(owners.assigners)
            ),
            delegator=_owned(
                owners.delegator, managed.delegator, after(owners.delegator).privileges.delegator
            ),
            registrar=_owned(
                owners.registrar, managed.registrar, after(owners.registrar).privileges.registrar
            ),
            always_accumulate=managed.always_accumulate,
        ),
    )


def _owned(prior: int, by_manager: int, by_owner: int) -> int:
    """Function R (equation 12.20)."""
    return by_owner if by_manager == prior else by_manager


def _statistics(
    reports: Sequence[WorkReport], gas_used: Mapping[int, int]
) -> dict[int, tuple[int, int]]:
    """Work items and gas of every service that had any (equation 12.30)."""
    counts: dict[int, int] = {}
    for report in reports:
        for digest in report.digests:
            counts[digest.service] = counts.get(digest.service, 0) + 1
    services = sorted(counts.keys() | gas_used.keys())
    pairs = {s: (counts.get(s, 0), gas_used.get(s, 0)) for s in services}
    return {service: pair for service, pair in pairs.items() if pair != (0, 0)}
