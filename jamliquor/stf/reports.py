"""Guarantees: which work reports a block may put on which cores (sections 11.4 and 11.5)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import ReportsError
from jamliquor.params import ChainParams
from jamliquor.stf.guarantors import Assignment, current_assignment, previous_assignment
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Guarantee, Guarantees
from jamliquor.types.state import (
    AccumulationHistory,
    AuthorizationPools,
    Entropy,
    PendingReport,
    PendingReports,
    ReadyQueue,
    RecentBlock,
    ServiceAccount,
    ValidatorSet,
)
from jamliquor.types.work import RefinementContext, WorkReport

__all__ = [
    "ReportingState",
    "ReportsOutcome",
    "guarantee_message",
    "process_guarantees",
    "report_hash",
    "report_hashes",
]

Ancestry = Callable[[bytes, int], bool]
"""Whether the header of a hash and slot is an ancestor of the block."""


class ReportingState(NamedTuple):
    """What the guarantees of a block are judged by.

    Attributes:
        slot: τ′, the block's slot.
        pending_before: ρ, the pending reports before the block.
        pending: ρ‡, the pending reports after disputes and assurances.
        current_validators: κ′.
        previous_validators: λ′.
        entropy: η′.
        offenders: ψ′_o, Ed25519 keys.
        recent_blocks: the blocks of β†, in which the parent has its state root.
        pools: α, the authorizers of each core.
        ready: ω, the queue of reports before the block.
        accumulated: ξ, the packages accumulated before the block.
        account: the record of a service in δ, None when there is no such service.
        ancestry: who the block's ancestors are; None when that is not known, which skips the rule.
    """

    slot: int
    pending_before: PendingReports
    pending: PendingReports
    current_validators: ValidatorSet
    previous_validators: ValidatorSet
    entropy: Entropy
    offenders: frozenset[bytes]
    recent_blocks: tuple[RecentBlock, ...]
    pools: AuthorizationPools
    ready: ReadyQueue
    accumulated: AccumulationHistory
    account: Callable[[int], ServiceAccount | None]
    ancestry: Ancestry | None


class ReportsOutcome(NamedTuple):
    """What the guarantees of a block come to.

    Attributes:
        pending: ρ′, with the new reports.
        reporters: G, the Ed25519 keys of the guarantors (previous validators' included).
        reported: segment root by work-package hash, for the recent history.
    """

    pending: PendingReports
    reporters: frozenset[bytes]
    reported: dict[bytes, bytes]


def process_guarantees(
    params: ChainParams,
    guarantees: Guarantees,
    hashes: Sequence[bytes],
    state: ReportingState,
    checks: SignatureChecks,
) -> ReportsOutcome:
    """Check the guarantees and put their reports on the cores.

    Args:
        guarantees: the extrinsic, one guarantee a core at most.
        hashes: :func:`report_hash` of each guarantee's report; the extrinsic's hash needs them too.
        state: what the guarantees are judged by.
        checks: receives the signatures that must hold.

    Raises:
        ReportsError: the code names the broken rule; a rule the test vectors do not name has one of
            ``too_many_guarantees``, ``too_many_work_results``, ``unordered_dependencies`` and
            ``lookup_anchor_not_ancestor``. A bad signature is ``bad_signature``.
    """
    if not guarantees:
        return ReportsOutcome(state.pending, frozenset(), {})
    _check_cores(params, guarantees)
    reporters: set[bytes] = set()
    for guarantee, hashed in zip(guarantees, hashes, strict=True):
        report = guarantee.report
        _check_limits(params, report)
        reporters.update(_check_credentials(params, guarantee, hashed, state, checks))
        _check_core(report, state)
        _check_services(params, report, state.account)
        _check_context(params, report, state)
    reports = [guarantee.report for guarantee in guarantees]
    packages = _packages(reports, state)
    for report in reports:
        _check_dependencies(report, packages, state.recent_blocks)
    pending = list(state.pending)
    for report in reports:
        pending[report.core] = PendingReport(report, state.slot)
    return ReportsOutcome(tuple(pending), frozenset(reporters), packages)


def report_hash(params: ChainParams, report: WorkReport) -> bytes:
    """The hash, 32 octets, that guarantors sign and verdicts name."""
    return blake2b(codec(WorkReport, params).encode(report))


def report_hashes(params: ChainParams, guarantees: Guarantees) -> tuple[bytes, ...]:
    """The :func:`report_hash` of each guaranteed report, in their order."""
    return tuple([report_hash(params, guarantee.report) for guarantee in guarantees])


def guarantee_message(hashed: bytes) -> bytes:
    """What a guarantor signs, given the :func:`report_hash` (section 11.4)."""
    return b"jam_guarantee" + hashed


def _check_cores(params: ChainParams, guarantees: Guarantees) -> None:
    last = -1
    for guarantee in guarantees:
        core = guarantee.report.core
        if core >= params.core_count:
            raise ReportsError("bad_core_index", core=core)
        if core <= last:
            raise ReportsError("out_of_order_guarantee", core=core, after=last)
        last = core


def _check_limits(params: ChainParams, report: WorkReport) -> None:
    """The limits of a report in itself (section 11.1.1)."""
    core = report.core
    digests = len(report.digests)
    if not digests:
        raise ReportsError("missing_work_results", core=core)
    if digests > params.max_work_items:
        raise ReportsError("too_many_work_results", core=core, results=digests)
    prerequisites, lookup = report.context.prerequisites, report.segment_root_lookup
    if prerequisites or lookup:
        dependencies = len(prerequisites) + len(lookup)
        if dependencies > params.max_report_dependencies:
            raise ReportsError("too_many_dependencies", core=core, dependencies=dependencies)
        # They are a set and a dictionary: any other order is not their encoding (appendix C.1.6).
        if not (_ascending(prerequisites) and _ascending([package for package, _ in lookup])):
            raise ReportsError("unordered_dependencies", core=core)
    size = len(report.auth_trace)
    for digest in report.digests:
        if isinstance(digest.result, bytes):
            size += len(digest.result)
    if size > params.max_report_variable_size:
        raise ReportsError("work_report_too_big", core=core, size=size)


def _ascending(hashes: Sequence[bytes]) -> bool:
    return all(before < after for before, after in itertools.pairwise(hashes))


def _check_credentials(
    params: ChainParams,
    guarantee: Guarantee,
    hashed: bytes,
    state: ReportingState,
    checks: SignatureChecks,
) -> list[bytes]:
    """The Ed25519 keys of the guarantors, whose signatures are demanded (section 11.4)."""
    core, credentials = guarantee.report.core, guarantee.credentials
    if len(credentials) < 2:
        raise ReportsError("insufficient_guarantees", core=core, credentials=len(credentials))
    if len(credentials) > 3:
        raise ReportsError("too_many_guarantees", core=core, credentials=len(credentials))
    assignment = _assignment(params, guarantee, state)
    message = guarantee_message(hashed)
    keys = []
    last = -1
    for validator, signature in credentials:
        if validator <= last:
            raise ReportsError("not_sorted_or_unique_guarantors", core=core, validator=validator)
        last = validator
        if validator >= params.validator_count:
            raise ReportsError("bad_validator_index", core=core, validator=validator)
        if assignment.cores[validator] != core:
            raise ReportsError("wrong_assignment", core=core, validator=validator)
        key = assignment.key(validator, state.offenders)
        if key is None:
            raise ReportsError("banned_validator", core=core, validator=validator)
        keys.append(key)
        error = ReportsError("bad_signature", core=core, validator=validator)
        checks.ed25519(key, message, signature, error)
    return keys


def _assignment(params: ChainParams, guarantee: Guarantee, state: ReportingState) -> Assignment:
    """The guarantors of the rotation that a guarantee was made in: this one or the last."""
    rotation = state.slot // params.rotation_period
    if guarantee.slot > state.slot:
        raise ReportsError("future_report_slot", slot=guarantee.slot, now=state.slot)
    if guarantee.slot < (rotation - 1) * params.rotation_period:
        raise ReportsError("report_epoch_before_last", slot=guarantee.slot, now=state.slot)
    if guarantee.slot // params.rotation_period == rotation:
        return current_assignment(params, state.slot, state.entropy, state.current_validators)
    return previous_assignment(
        params, state.slot, state.entropy, state.current_validators, state.previous_validators
    )


def _check_core(report: WorkReport, state: ReportingState) -> None:
    """The core is free and the authorizer in its pool (section 11.4)."""
    core = report.core
    if state.pending[core] is not None:
        raise ReportsError("core_engaged", core=core)
    if report.authorizer_hash not in state.pools[core]:
        raise ReportsError("core_unauthorized", core=core, authorizer=report.authorizer_hash)


def _check_services(
    params: ChainParams, report: WorkReport, account: Callable[[int], ServiceAccount | None]
) -> None:
    """The services exist with the code that was run, and the gas is within limits (section 11.4)."""
    core = report.core
    gas = 0
    for digest in report.digests:
        service = account(digest.service)
        if service is None:
            raise ReportsError("bad_service_id", core=core, service=digest.service)
        if digest.code_hash != service.code_hash:
            raise ReportsError("bad_code_hash", core=core, service=digest.service)
        if digest.accumulate_gas < service.min_item_gas:
            raise ReportsError("service_item_gas_too_low", core=core, service=digest.service)
        gas += digest.accumulate_gas
    if gas > params.report_accumulation_gas:
        raise ReportsError("work_report_gas_too_high", core=core, gas=gas)


def _check_context(params: ChainParams, report: WorkReport, state: ReportingState) -> None:
    """The anchor is a recent block as it was, the lookup anchor an ancestor (section 11.4.1)."""
    context, core = report.context, report.core
    _check_anchor(context, core, state.recent_blocks)
    if context.lookup_anchor_slot < state.slot - params.max_lookup_anchor_age:
        raise ReportsError("lookup_anchor_not_recent", core=core, slot=context.lookup_anchor_slot)
    if state.ancestry is not None and not state.ancestry(
        context.lookup_anchor, context.lookup_anchor_slot
    ):
        raise ReportsError(
            "lookup_anchor_not_ancestor",
            core=core,
            header=context.lookup_anchor,
            slot=context.lookup_anchor_slot,
        )


def _check_anchor(context: RefinementContext, core: int, blocks: Iterable[RecentBlock]) -> None:
    for block in blocks:
        if block.header_hash == context.anchor:
            break
    else:
        raise ReportsError("anchor_not_recent", core=core, anchor=context.anchor)
    if block.state_root != context.anchor_state_root:
        raise ReportsError("bad_state_root", core=core, anchor=context.anchor)
    if block.accumulation_root != context.anchor_accumulation_root:
        raise ReportsError("bad_beefy_mmr_root", core=core, anchor=context.anchor)


def _packages(reports: Sequence[WorkReport], state: ReportingState) -> dict[bytes, bytes]:
    """Segment root by package, of packages that are new to block and pipeline (section 11.4.1)."""
    packages: dict[bytes, bytes] = {}
    for report in reports:
        specification = report.specification
        if specification.package_hash in packages:
            raise ReportsError("duplicate_package", package=specification.package_hash)
        packages[specification.package_hash] = specification.segment_root
    new = packages.keys()
    for known in _pipeline(state):
        if not new.isdisjoint(known):
            raise ReportsError("duplicate_package", package=min(new & known))
    return packages


def _pipeline(state: ReportingState) -> Iterator[Set[bytes]]:
    """The packages of recent blocks, accumulated, ready, and pending before the block."""
    for block in state.recent_blocks:
        yield block.reported.keys()
    yield from state.accumulated
    for slot in state.ready:
        if slot:
            yield {entry.report.specification.package_hash for entry in slot}
    yield {
        entry.report.specification.package_hash for entry in state.pending_before if entry is not None
    }


def _check_dependencies(
    report: WorkReport, packages: Mapping[bytes, bytes], blocks: Sequence[RecentBlock]
) -> None:
    """Packages that a report builds on are of this block or recent (section 11.4.1)."""
    for package in report.context.prerequisites:
        if _segment_root(package, packages, blocks) is None:
            raise ReportsError("dependency_missing", core=report.core, package=package)
    for package, root in report.segment_root_lookup:
        if _segment_root(package, packages, blocks) != root:
            raise ReportsError("segment_root_lookup_invalid", core=report.core, package=package)


def _segment_root(
    package: bytes, packages: Mapping[bytes, bytes], blocks: Sequence[RecentBlock]
) -> bytes | None:
    """The segment root that this block or a recent one reported for a package."""
    root = packages.get(package)
    for block in blocks:
        if root is not None:
            break
        root = block.reported.get(package)
    return root
