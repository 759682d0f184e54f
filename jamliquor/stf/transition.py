"""The state transition: the chapters in the order of the paper's dependency graph (section 4.2.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from jamliquor.codec import codec
from jamliquor.crypto import bandersnatch
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.pvm.host.context import Chain
from jamliquor.pvm.invocations import AccumulateInvocation
from jamliquor.state import keys
from jamliquor.state.foresight import Foresight
from jamliquor.state.state import COMPONENT_TYPES, State
from jamliquor.stf import (
    accumulation,
    assurances,
    authorization,
    disputes,
    header,
    history,
    preimages,
    reports,
    safrole,
    statistics,
)
from jamliquor.stf.laps import Laps, no_lap
from jamliquor.stf.lookahead import Look, Lookahead
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.accumulation import AccumulationInput
from jamliquor.types.block import Block
from jamliquor.types.header import Ticket
from jamliquor.types.state import (
    AuthorizationPools,
    RecentHistory,
    RequestTimes,
    SafroleState,
    ServiceAccount,
    Statistics,
)
from jamliquor.types.work import WorkReport

_ENCODED: Final = (Block, WorkReport, ServiceAccount, RequestTimes, AccumulationInput, bytes)


class Step(NamedTuple):
    """What every chapter may read: the prior state, the block, and what the host lends.

    Attributes:
        encoded: the block's header as octets.
        engine: runs the code of services.
        is_ancestor: whether a header of that hash and slot precedes the block; None skips the rule
            (section 11.4).
        observe: called with what each host call of a service did, or None.
        parallel: whether signatures may be verified by a thread meanwhile.
        laps: measures the parts, or None.
        lookahead: what the blocks before found out about this one's reads; None reads as it comes.
    """

    params: ChainParams
    prior: State
    block: Block
    encoded: header.EncodedHeader
    engine: Engine
    is_ancestor: Callable[[bytes, int], bool] | None = None
    observe: Any = None
    parallel: bool = False
    laps: Laps | None = None
    lookahead: Lookahead | None = None


def prepare(params: ChainParams) -> None:
    """Make what the first block would otherwise wait for: codecs, tables of points."""
    bandersnatch.prepare()
    for kind in (*COMPONENT_TYPES.values(), *header.ENCODED, *_ENCODED):
        codec(kind, params)


def transition(step: Step) -> State:
    """The state after a block on top of its parent's (equation 4.1).

    Raises:
        InvalidBlock: a rule of the protocol is broken.
        HostError: this machine failed; the block is not judged.
    """
    params, prior, (head, extrinsic), encoded = step[:4]
    lap = no_lap if step.laps is None else step.laps.mark
    checks = SignatureChecks()
    hashes = reports.report_hashes(params, extrinsic.guarantees)

    header.check_extrinsic(params, head, extrinsic, hashes)
    lap("header")
    safrole.check_slot(prior.component(keys.TIME), head.slot)
    header.check_parent_state_root(head, prior.root)
    recent = history.with_parent_state_root(prior.component(keys.RECENT_HISTORY), prior.root)
    lap("history")
    judged = _disputes(step, checks)
    lap("disputes")
    rotated = _safrole(step, judged)
    lap("safrole")
    header.check_markers(head, rotated, judged.offenders_mark)
    header.demand_seal(params, head, encoded.unsigned, rotated, checks)
    lap("header")
    tickets = _tickets(step, rotated, checks)
    lap("safrole")
    assured = _assurances(step, judged, checks)
    lap("assurances")
    reported = _reports(step, judged, rotated, assured, recent, hashes, checks)
    lap("reports")
    provisions = preimages.check(extrinsic.preimages, prior.get)
    lap("preimages")
    free = prior.component(keys.PRIVILEGES).always_accumulate
    checks.start(parallel=step.parallel, seal_first=bool(assured.available or free))
    lap("signatures")

    try:
        posterior = _posterior(step, recent, judged, rotated, tickets, assured, reported, provisions)
    finally:
        # A bad signature is what condemns the block, whatever its reports have led to.
        checks.join()
        lap("signatures, waiting")
    if step.lookahead is not None:
        found = [guarantee.report for guarantee in extrinsic.guarantees]
        look = look_on(params, step.engine, posterior)
        step.lookahead.begin(posterior.foresight, [found], look)
        lap("looking ahead")
    return posterior


def _posterior(
    step: Step,
    recent: RecentHistory,
    judged: disputes.Judged,
    rotated: safrole.Rotated,
    tickets: tuple[Ticket, ...],
    assured: assurances.AssurancesOutcome,
    reported: reports.ReportsOutcome,
    provisions: Sequence[preimages.Provision],
) -> State:
    """Accumulation and what follows from it: the part that signatures may be verified beside."""
    prior, head = step.prior, step.block.header
    lap = no_lap if step.laps is None else step.laps.mark
    accumulated = _accumulation(step, rotated, assured)
    lap("accumulation")
    entries = accumulated.changes
    entries |= preimages.integrate(
        provisions, lambda key: entries[key] if key in entries else prior.get(key), head.slot
    )
    lap("preimages")
    safrole_state = SafroleState(rotated.pending, rotated.ring_root, rotated.sealing_keys, tickets)
    changed: dict[int, Any] = {
        keys.AUTHORIZATION_POOLS: _authorization(step, accumulated),
        keys.RECENT_HISTORY: _history(step, recent, reported, accumulated),
        keys.SAFROLE: safrole_state,
        keys.DISPUTES: judged.records,
        keys.ENTROPY: rotated.entropy,
        keys.ACTIVE_VALIDATORS: rotated.active,
        keys.PREVIOUS_VALIDATORS: rotated.previous,
        keys.PENDING_REPORTS: reported.pending,
        keys.TIME: head.slot,
        keys.STATISTICS: _statistics(step, rotated, assured, reported, accumulated),
        keys.AUTHORIZATION_QUEUES: accumulated.authorization_queues,
        keys.STAGING_VALIDATORS: accumulated.staging,
        keys.PRIVILEGES: accumulated.privileges,
        keys.ACCUMULATION_QUEUE: accumulated.ready_queue,
        keys.ACCUMULATION_HISTORY: accumulated.history,
        keys.ACCUMULATION_OUTPUTS: accumulated.outputs,
    }
    lap("statistics and the rest")
    return prior.child(changed, entries, lap)


def _disputes(step: Step, checks: SignatureChecks) -> disputes.Judged:
    prior = disputes.DisputesPrior.of(step.prior.component)
    return disputes.judge(step.params, prior, step.block.extrinsic.disputes, checks)


def _safrole(step: Step, judged: disputes.Judged) -> safrole.Rotated:
    prior = safrole.SafrolePrior.of(step.prior.component)
    head = step.block.header
    output = header.entropy_output(head)
    return safrole.rotate(step.params, prior, head.slot, output, judged.records.offenders)


def _tickets(step: Step, rotated: safrole.Rotated, checks: SignatureChecks) -> tuple[Ticket, ...]:
    return safrole.accumulate_tickets(
        step.params,
        step.prior.component(keys.SAFROLE).accumulator,
        rotated,
        step.block.extrinsic.tickets,
        checks,
    )


def _assurances(
    step: Step, judged: disputes.Judged, checks: SignatureChecks
) -> assurances.AssurancesOutcome:
    head, extrinsic = step.block
    return assurances.process_assurances(
        step.params,
        extrinsic.assurances,
        slot=head.slot,
        parent=head.parent,
        pending=judged.pending,
        validators=step.prior.component(keys.ACTIVE_VALIDATORS),
        checks=checks,
    )


def _reports(
    step: Step,
    judged: disputes.Judged,
    rotated: safrole.Rotated,
    assured: assurances.AssurancesOutcome,
    recent: RecentHistory,
    hashes: Sequence[bytes],
    checks: SignatureChecks,
) -> reports.ReportsOutcome:
    component = step.prior.component
    state = reports.ReportingState(
        slot=step.block.header.slot,
        pending_before=component(keys.PENDING_REPORTS),
        pending=assured.pending,
        current_validators=rotated.active,
        previous_validators=rotated.previous,
        entropy=rotated.entropy,
        offenders=judged.records.offenders,
        recent_blocks=recent.blocks,
        pools=component(keys.AUTHORIZATION_POOLS),
        ready=component(keys.ACCUMULATION_QUEUE),
        accumulated=component(keys.ACCUMULATION_HISTORY),
        account=step.prior.account,
        ancestry=step.is_ancestor,
    )
    guarantees = step.block.extrinsic.guarantees
    return reports.process_guarantees(step.params, guarantees, hashes, state, checks)


def _accumulation(
    step: Step, rotated: safrole.Rotated, assured: assurances.AssurancesOutcome
) -> accumulation.AccumulationResult:
    component = step.prior.component

    def coming(reports: Sequence[WorkReport]) -> None:
        assert step.lookahead is not None, "asked for only then"
        look = look_on(step.params, step.engine, step.prior)
        step.lookahead.finish(step.prior.foresight, step.prior.trie.warm, reports, look)

    return accumulation.accumulate(
        step.params,
        step.engine,
        slot=step.block.header.slot,
        prior_slot=component(keys.TIME),
        entropy=rotated.entropy[0],
        available=assured.available,
        ready_queue=component(keys.ACCUMULATION_QUEUE),
        history=component(keys.ACCUMULATION_HISTORY),
        privileges=component(keys.PRIVILEGES),
        staging=component(keys.STAGING_VALIDATORS),
        authorization_queues=component(keys.AUTHORIZATION_QUEUES),
        get=step.prior.trie.get,
        has=step.prior.trie.__contains__,
        trace=step.observe,
        lap=None if step.laps is None else step.laps.mark,
        coming=None if step.lookahead is None else coming,
    )


def look_on(params: ChainParams, engine: Engine, state: State) -> Look:
    """Runs the services of reports on what memory knows of a state."""
    component = state.component
    chain = Chain(
        component(keys.STAGING_VALIDATORS),
        component(keys.AUTHORIZATION_QUEUES),
        component(keys.PRIVILEGES),
    )
    slot, entropy = component(keys.TIME), component(keys.ENTROPY)[0]
    left = accumulation.FORESEEN_GAS

    def look(foresight: Foresight, reports: Sequence[WorkReport]) -> None:
        nonlocal left
        invocation = AccumulateInvocation(params, engine, slot, entropy)
        left = accumulation.foresee(invocation, chain, reports, state.get, foresight, gas=left)

    return look


def _history(
    step: Step,
    recent: RecentHistory,
    reported: reports.ReportsOutcome,
    accumulated: accumulation.AccumulationResult,
) -> RecentHistory:
    root = history.accumulation_root(accumulated.outputs)
    return history.append(step.params, recent, step.encoded.hash, root, reported.reported)


def _authorization(step: Step, accumulated: accumulation.AccumulationResult) -> AuthorizationPools:
    head, extrinsic = step.block
    return authorization.rotate_pools(
        step.params,
        step.prior.component(keys.AUTHORIZATION_POOLS),
        authorization.entering_authorizers(accumulated.authorization_queues, head.slot),
        authorization.used_authorizers(extrinsic.guarantees),
    )


def _statistics(
    step: Step,
    rotated: safrole.Rotated,
    assured: assurances.AssurancesOutcome,
    reported: reports.ReportsOutcome,
    accumulated: accumulation.AccumulationResult,
) -> Statistics:
    head, extrinsic = step.block
    return statistics.update_statistics(
        step.params,
        step.prior.component(keys.STATISTICS),
        prior_slot=step.prior.component(keys.TIME),
        slot=head.slot,
        author_index=head.author_index,
        extrinsic=extrinsic,
        validators=rotated.active,
        reporters=reported.reporters,
        available=assured.available,
        popularity=assured.popularity,
        accumulated=accumulated.statistics,
    )
