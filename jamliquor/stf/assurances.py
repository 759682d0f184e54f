"""Availability assurances: which reports became available, which timed out (section 11.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import AssurancesError
from jamliquor.params import ChainParams
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import Assurances
from jamliquor.types.state import PendingReports, ValidatorSet
from jamliquor.types.work import WorkReport

__all__ = ["AssurancesOutcome", "assurance_message", "process_assurances"]


class AssurancesOutcome(NamedTuple):
    """What the assurances of a block come to.

    Attributes:
        pending: ρ‡, without the reports that became available or timed out.
        available: R, the reports that became available, by core.
        popularity: how many validators assured each core, for its statistics.
    """

    pending: PendingReports
    available: tuple[WorkReport, ...]
    popularity: tuple[int, ...]


def process_assurances(
    params: ChainParams,
    assurances: Assurances,
    *,
    slot: int,
    parent: bytes,
    pending: PendingReports,
    validators: ValidatorSet,
    checks: SignatureChecks,
) -> AssurancesOutcome:
    """Check the assurances and take the reports that are available or stale out of ``pending``.

    A report that times out in this very block may still be assured and become available.

    Args:
        slot: the block's slot.
        parent: hash of the parent's header, 32 octets.
        pending: ρ†, the pending reports after the disputes.
        validators: κ, the *prior* validators.
        checks: receives the signatures that must hold.

    Raises:
        AssurancesError: ``bad_attestation_parent``, ``bad_validator_index``,
            ``not_sorted_or_unique_assurers`` or ``core_not_engaged``; with a signature,
            ``bad_signature``.
    """
    if assurances:
        _check_order(params, assurances, parent)
        _check_engaged(assurances, pending)
        _demand_signatures(assurances, validators, checks)
        popularity = _popularity(params.core_count, (a.availabilities for a in assurances))
    else:
        popularity = (0,) * params.core_count
    stale = slot - params.assurance_timeout
    threshold = params.super_majority
    available, freed = [], []
    for core, entry in enumerate(pending):
        if entry is None:
            continue
        if popularity[core] >= threshold:
            available.append(entry.report)
            freed.append(core)
        elif entry.slot <= stale:
            freed.append(core)
    if freed:
        remaining = list(pending)
        for core in freed:
            remaining[core] = None
        pending = tuple(remaining)
    return AssurancesOutcome(pending, tuple(available), popularity)


def assurance_message(parent: bytes, availabilities: bytes) -> bytes:
    """What an assurer signs: the parent's hash and its bits, one a core (section 11.2.1)."""
    return b"jam_available" + blake2b(parent + availabilities)


def _check_order(params: ChainParams, assurances: Assurances, parent: bytes) -> None:
    last = -1
    for anchor, _, validator, _ in assurances:
        if anchor != parent:
            raise AssurancesError("bad_attestation_parent", validator=validator, anchor=anchor)
        if validator >= params.validator_count:
            raise AssurancesError("bad_validator_index", validator=validator)
        if validator <= last:
            raise AssurancesError("not_sorted_or_unique_assurers", validator=validator, after=last)
        last = validator


def _check_engaged(assurances: Assurances, pending: PendingReports) -> None:
    idle = sum([1 << core for core, entry in enumerate(pending) if entry is None])
    for assurance in assurances:
        wrong = int.from_bytes(assurance.availabilities, "little") & idle
        if wrong:
            core = (wrong & -wrong).bit_length() - 1
            raise AssurancesError("core_not_engaged", validator=assurance.validator, core=core)


def _demand_signatures(
    assurances: Assurances, validators: ValidatorSet, checks: SignatureChecks
) -> None:
    for parent, bits, validator, signature in assurances:
        checks.ed25519(
            validators[validator].ed25519,
            assurance_message(parent, bits),
            signature,
            AssurancesError("bad_signature", validator=validator),
        )


def _popularity(cores: int, bitfields: Iterable[bytes]) -> tuple[int, ...]:
    """How many of the bit fields have each core's bit.

    ``planes[k]`` holds bit k of every core's count, so one field is added for all cores at once: at
    341 cores and 1023 fields, some two long operations a field instead of 341 short ones.
    """
    planes: list[int] = []
    for bits in bitfields:
        carry = int.from_bytes(bits, "little")
        for k, plane in enumerate(planes):
            planes[k] = plane ^ carry
            carry &= plane
            if not carry:
                break
        if carry:
            planes.append(carry)
    return tuple(
        [sum((plane >> core & 1) << k for k, plane in enumerate(planes)) for core in range(cores)]
    )
