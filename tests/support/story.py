"""One long chain with forks in which everything happens that the public chains leave out.

Seven epochs of the tiny chain. Validators 0 to 5 begin; 0 and 1 are found guilty in epoch 0, so their
slots of epoch 2 stay empty; 6 to 11 are designated in epoch 1 and take over in epoch 3. Epochs 1 and 4
are sealed with tickets, epoch 5 is skipped.
"""

from __future__ import annotations

from typing import NamedTuple

from jamliquor.author import statements
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.stf.reports import report_hash
from jamliquor.types.extrinsic import Culprit, Disputes, Fault
from jamliquor.types.state import ValidatorSet
from jamliquor.types.work import WorkReport
from tests.support.maker import SERVICE, Made, Maker, secrets, validator_keys
from tests.support.scripted_service import call, script

PREIMAGE = b"a preimage that was asked for"
OFFENDERS = (0, 1)
LATE_OFFENDER = 6


class Story(NamedTuple):
    """The maker with all blocks, the last block of the main line, and those of the forks."""

    maker: Maker
    head: Made
    forks: tuple[Made, ...]


def tell(seed: int = 0) -> Story:
    """Make the chain; a few seconds, most of them for two dozen ring proofs."""
    maker = Maker(seed=seed)
    forks: list[Made] = []
    head = _first_epoch(maker, forks)
    head = _second_epoch(maker, head, forks)
    head = _third_epoch(maker, head, forks)
    head = _fourth_epoch(maker, head, forks)
    head = _fifth_epoch(maker, head, forks)
    head = _last_epoch(maker, head)
    return Story(maker, head, tuple(forks))


def _first_epoch(maker: Maker, forks: list[Made]) -> Made:
    """Slots 1 to 11, fallback: 12 tickets, work, a preimage, a bad and a wonky verdict."""
    wish = script(
        call("write", b"key", 3, b"value", 5),
        call("solicit", blake2b(PREIMAGE), len(PREIMAGE)),
        call("yield", b"y" * 32),
    )
    asked = maker.guarantee(maker.root, maker.report(maker.root, 0, wish), 1)
    idle = maker.guarantee(maker.root, maker.report(maker.root, 1), 1)
    head = maker.make(maker.root, 1, ticket_count=3, guarantees=[asked, idle])
    forks.append(maker.line(head.hash, [2, 3])[-1])
    head = maker.make(head.hash, 2, ticket_count=3)
    bad, wonky = maker.report(head.hash, 0), maker.report(head.hash, 1)
    offered = [maker.guarantee(head.hash, report, 4) for report in (bad, wonky)]
    head = maker.make(head.hash, 4, ticket_count=3, guarantees=offered, preimages=[(SERVICE, PREIMAGE)])
    forks.append(maker.line(head.hash, [5, 6, 8])[-1])
    condemned = _disputes(maker, head, bad=bad, wonky=wonky)
    head = maker.make(head.hash, 6, ticket_count=3, disputes=condemned)
    # A fork that leaves the epoch without the tickets' mark, and one that skips an epoch.
    forks.append(maker.line(head.hash, [9, maker.sealable(head.hash, 12)])[-1])
    forks.append(maker.make(head.hash, maker.sealable(head.hash, 24)))
    return maker.make(head.hash, 11)


def _second_epoch(maker: Maker, head: Made, forks: list[Made]) -> Made:
    """Slots 12 to 23, tickets: new validators are designated, a good verdict of the epoch before."""
    keys = codec(ValidatorSet, maker.params).encode(validator_keys(6))
    head = maker.make(head.hash, 12, ticket_count=1)
    order = maker.report(head.hash, 1, script(call("designate", keys)))
    head = maker.make(head.hash, 13, guarantees=[maker.guarantee(head.hash, order, 13)])
    forks.append(maker.line(head.hash, [16, 17])[-1])
    return maker.line(head.hash, [14, 18, 22])[-1]


def _third_epoch(maker: Maker, head: Made, forks: list[Made]) -> Made:
    """Slots 24 to 35, fallback: two validators are gone, so reports time out."""
    head = maker.make(head.hash, maker.sealable(head.hash, 24))
    lost = maker.report(head.hash, 0)
    head = maker.make(head.hash, guarantees=[maker.guarantee(head.hash, lost)])
    while head.slot < 33:
        head = maker.make(head.hash)
    forks.append(maker.line(head.hash, [36, 40])[-1])
    return head


def _fourth_epoch(maker: Maker, head: Made, forks: list[Made]) -> Made:
    """Slots 36 to 47, fallback, the new validators: 12 tickets, reports that build on each other."""
    head = maker.make(head.hash, 36, ticket_count=3)
    first = maker.report(head.hash, 0)
    second = maker.report(head.hash, 1, prerequisites=[first.specification.package_hash])
    offered = [maker.guarantee(head.hash, report, 37) for report in (first, second)]
    head = maker.make(head.hash, 37, ticket_count=3, guarantees=offered)
    # Only the second is available at first, and waits in the queue.
    ahead = maker.outlook(head.hash, 38)
    only = statements.gather_assurances(ahead, head.hash, maker.keyring, [1])
    head = maker.make(head.hash, 38, ticket_count=3, assurances=only)
    forks.append(maker.make(head.hash, 41))
    head = maker.make(head.hash, 40, ticket_count=3)
    good = _disputes(maker, head, good=first)
    head = maker.make(head.hash, 42, disputes=good)
    return maker.make(head.hash, 46)


def _fifth_epoch(maker: Maker, head: Made, forks: list[Made]) -> Made:
    """Slots 48 to 59, tickets: a report of the rotation before."""
    head = maker.make(head.hash, 48)
    report = maker.report(head.hash, 0, anchor_age=2)
    # Made by the guarantors of the last rotation of the epoch before.
    late = maker.guarantee(head.hash, report, 49, at=47)
    head = maker.make(head.hash, 49, guarantees=[late])
    forks.append(maker.line(head.hash, [50, 51, 59])[-1])
    return maker.line(head.hash, [51, 53, 58])[-1]


def _last_epoch(maker: Maker, head: Made) -> Made:
    """Slots 72 to 83, fallback, after an epoch without a block."""
    head = maker.make(head.hash, maker.sealable(head.hash, 74))
    report = maker.report(head.hash, 0, script(call("write", b"key", 3, 0, 0)))
    head = maker.make(head.hash, guarantees=[maker.guarantee(head.hash, report)])
    return maker.make(maker.make(head.hash).hash)


def _disputes(
    maker: Maker,
    head: Made,
    *,
    bad: WorkReport | None = None,
    wonky: WorkReport | None = None,
    good: WorkReport | None = None,
) -> Disputes:
    """Verdicts on reports, with the offenders whom they prove guilty."""
    ahead = maker.outlook(head.hash)
    verdicts = []
    culprits: list[Culprit] = []
    faults: list[Fault] = []
    for report, positive in (
        (bad, 0),
        (wonky, maker.params.one_third),
        (good, maker.params.super_majority),
    ):
        if report is None:
            continue
        hashed = report_hash(maker.params, report)
        verdicts.append(statements.gather_verdict(ahead, hashed, positive, maker.keyring))
        if report is bad:
            guilty = [secrets()[index].ed25519 for index in OFFENDERS]
            culprits += [statements.culprit(key, hashed) for key in guilty]
        elif report is good:
            faults.append(statements.fault(secrets()[LATE_OFFENDER].ed25519, hashed, False))
    return Disputes(
        tuple(sorted(verdicts)),
        tuple(sorted(culprits, key=lambda proof: proof.key)),
        tuple(sorted(faults, key=lambda proof: proof.key)),
    )
