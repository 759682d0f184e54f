"""What validators sign beside blocks: guarantees, assurances, judgments, and proofs of offences.

Single statements are made by one key for one validator. The functions that gather make the statements
of all our keys, for a node or a test that holds more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jamliquor.author.keys import Keyring
from jamliquor.author.outlook import Outlook
from jamliquor.crypto import ed25519
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.stf.assurances import assurance_message
from jamliquor.stf.disputes import JUDGMENT_CONTEXTS
from jamliquor.stf.guarantors import Assignment, current_assignment, previous_assignment
from jamliquor.stf.reports import guarantee_message, report_hash
from jamliquor.types.extrinsic import (
    Assurance,
    Assurances,
    Credential,
    Culprit,
    Fault,
    Guarantee,
    Judgment,
    Verdict,
)
from jamliquor.types.state import ValidatorKeys
from jamliquor.types.work import WorkReport

__all__ = [
    "assignment",
    "assurance",
    "credential",
    "culprit",
    "fault",
    "gather_assurances",
    "gather_guarantee",
    "gather_verdict",
    "judgment",
]

_MAX_CREDENTIALS = 3


def credential(key: ed25519.SecretKey, validator: int, hashed: bytes) -> Credential:
    """A guarantor's signature under the report of a hash, 32 octets (section 11.4)."""
    return Credential(validator, key.sign(guarantee_message(hashed)))


def assurance(
    params: ChainParams, key: ed25519.SecretKey, validator: int, parent: bytes, cores: Iterable[int]
) -> Assurance:
    """An assurance, for a block on ``parent``, that a share of each core's report is held
    (section 11.2.1)."""
    bits = sum(1 << core for core in set(cores)).to_bytes((params.core_count + 7) // 8, "little")
    return Assurance(parent, bits, validator, key.sign(assurance_message(parent, bits)))


def judgment(key: ed25519.SecretKey, validator: int, hashed: bytes, valid: bool) -> Judgment:
    """A vote on the report of a hash (section 10.2)."""
    return Judgment(valid, validator, key.sign(JUDGMENT_CONTEXTS[valid] + hashed))


def culprit(key: ed25519.SecretKey, hashed: bytes) -> Culprit:
    """Proof that the key's owner guaranteed the report of a hash (section 10.2)."""
    return Culprit(hashed, key.public, key.sign(guarantee_message(hashed)))


def fault(key: ed25519.SecretKey, hashed: bytes, valid: bool) -> Fault:
    """Proof that the key's owner judged the report of a hash ``valid`` or not (section 10.2)."""
    return Fault(hashed, valid, key.public, key.sign(JUDGMENT_CONTEXTS[valid] + hashed))


def assignment(ahead: Outlook, slot: int) -> Assignment:
    """The guarantors of ``slot``, which lies in the block's rotation or the one before
    (section 11.3)."""
    params, rotated = ahead.params, ahead.rotated
    if slot // params.rotation_period == ahead.slot // params.rotation_period:
        return current_assignment(params, ahead.slot, rotated.entropy, rotated.active)
    return previous_assignment(params, ahead.slot, rotated.entropy, rotated.active, rotated.previous)


def gather_guarantee(
    ahead: Outlook, report: WorkReport, keyring: Keyring, slot: int | None = None
) -> Guarantee:
    """A report with the signatures of our guarantors, offenders excepted; three at most.

    Args:
        slot: the slot that the guarantee was made in; by default the block's.
    """
    slot = ahead.slot if slot is None else slot
    assigned = assignment(ahead, slot)
    hashed = report_hash(ahead.params, report)
    offenders = ahead.judged.records.offenders
    credentials = []
    for validator, core in enumerate(assigned.cores):
        public = assigned.key(validator, offenders) if core == report.core else None
        key = None if public is None else keyring.ed25519(public)
        if key is not None:
            credentials.append(credential(key, validator, hashed))
    return Guarantee(report, slot, tuple(credentials[:_MAX_CREDENTIALS]))


def gather_assurances(
    ahead: Outlook, parent: bytes, keyring: Keyring, cores: Iterable[int] | None = None
) -> Assurances:
    """Assurances of all our active validators for a block on ``parent`` (section 11.2.1).

    Args:
        cores: whose reports are assured; by default all that hold one. None of them, no assurances.
    """
    engaged = [core for core, entry in enumerate(ahead.judged.pending) if entry is not None]
    chosen = engaged if cores is None else list(cores)
    if not chosen:
        return ()
    # An epoch's first block is still assured by the validators of the epoch before.
    active: Sequence[ValidatorKeys] = ahead.prior.component(keys.ACTIVE_VALIDATORS)
    held = [(index, keyring.ed25519(each.ed25519)) for index, each in enumerate(active)]
    return tuple(
        [assurance(ahead.params, key, index, parent, chosen) for index, key in held if key is not None]
    )


def gather_verdict(
    ahead: Outlook, hashed: bytes, positive: int, keyring: Keyring, *, last_epoch: bool = False
) -> Verdict:
    """A verdict by our validators, as many as one needs; the first ``positive`` of them for the report.

    Args:
        hashed: the report's hash, 32 octets.
        last_epoch: whether the validators of the epoch before judge.
    """
    params, component = ahead.params, ahead.prior.component
    epoch = params.epoch_of(component(keys.TIME))[0]
    judges = component(keys.PREVIOUS_VALIDATORS if last_epoch else keys.ACTIVE_VALIDATORS)
    held = [(index, keyring.ed25519(each.ed25519)) for index, each in enumerate(judges)]
    ours = [(index, key) for index, key in held if key is not None][: params.super_majority]
    votes = [judgment(key, index, hashed, at < positive) for at, (index, key) in enumerate(ours)]
    return Verdict(hashed, epoch - last_epoch, tuple(votes))
