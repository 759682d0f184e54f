"""What waits to be put into blocks, from whoever sent it: validated on entry, bounded, kept fresh.

Every pool follows the same rules. What enters was judged by the rules that will judge the block, on the
best state known then; what is refused raises :class:`NotPooled`. A pool holds at most ``limit`` items;
when it is full, the policy in its docstring says what goes. Choosing for a block judges again, drops
what the chain has made useless, and gives what the block may carry, in the order it has to have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from jamliquor.author.outlook import NO_DISPUTES, Outlook
from jamliquor.crypto import BadSignature, bandersnatch
from jamliquor.errors import InvalidBlock, JamliquorError
from jamliquor.state import keys
from jamliquor.stf import assurances, disputes, preimages, reports, safrole
from jamliquor.stf.history import with_parent_state_root
from jamliquor.stf.signatures import SignatureChecks
from jamliquor.types.extrinsic import (
    Assurance,
    Assurances,
    Disputes,
    Guarantee,
    Guarantees,
    Preimage,
    Preimages,
    TicketEnvelope,
    Tickets,
)
from jamliquor.types.state import PendingReports

__all__ = [
    "AssurancePool",
    "Counts",
    "DisputePool",
    "GuaranteePool",
    "NotPooled",
    "PreimagePool",
    "TicketPool",
]

PROOFS_A_SLOT: Final = 32
"""Ring proofs verified in one slot at most: a flood of false ones costs a tenth of a second."""


class NotPooled(JamliquorError):
    """Something was not taken into a pool.

    Attributes:
        code: the broken rule, or ``known``, ``full``, ``too_large``, ``busy``, ``useless``.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


@dataclass(slots=True)
class Counts:
    """What a pool did since it was made.

    Attributes:
        evicted: left because there was no room.
        stale: left because the chain made them useless.
    """

    accepted: int = 0
    refused: int = 0
    evicted: int = 0
    stale: int = 0


class _Pool:
    """What all pools share: a limit and counters."""

    __slots__ = ("counts", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts = Counts()

    def _refuse(self, code: str, detail: str = "") -> NotPooled:
        self.counts.refused += 1
        return NotPooled(code, detail)

    def _condemn(self, error: InvalidBlock) -> NotPooled:
        return self._refuse(error.code, str(error))


class TicketPool(_Pool):
    """Tickets of the running contest. When full, the one with the highest identifier goes.

    A change of the contest empties it. Only proofs are expensive: what a ticket claims to be is looked
    at first, and in one slot at most ``proofs_a_slot`` proofs are verified; then it is ``busy``.
    """

    __slots__ = ("_contest", "_held", "_proofs_a_slot", "_slot", "_verified")

    def __init__(self, limit: int = 1024, *, proofs_a_slot: int = PROOFS_A_SLOT) -> None:
        super().__init__(limit)
        self._proofs_a_slot = proofs_a_slot
        self._contest: tuple[bytes, bytes] | None = None
        self._held: dict[bytes, TicketEnvelope] = {}
        self._slot = -1
        self._verified = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._held

    def add(self, ahead: Outlook, envelope: TicketEnvelope, *, own: bool = False) -> None:
        """Take a ticket for the contest of ``ahead``.

        Args:
            own: we proved it ourselves: it is not verified again.

        Raises:
            NotPooled: codes as for blocks, or ``known``, ``useless``, ``full``, ``busy``.
        """
        self._follow(ahead)
        params = ahead.params
        if ahead.slot % params.epoch_length >= params.ticket_submission_end:
            raise self._refuse("unexpected_ticket", "the contest is over")
        if envelope.attempt >= params.tickets_per_validator:
            raise self._refuse("bad_ticket_attempt", str(envelope.attempt))
        try:
            identifier = bandersnatch.output(envelope.proof)
        except BadSignature:
            raise self._refuse("bad_ticket_proof", "not 784 octets") from None
        if identifier in self._held:
            raise self._refuse("known")
        if not self._survives(ahead, identifier):
            raise self._refuse("useless", "better tickets are in")
        if len(self._held) >= self.limit and identifier > max(self._held):
            raise self._refuse("full", "better tickets wait")
        if not own:
            self._verify(ahead, envelope)
        self._held[identifier] = envelope
        self.counts.accepted += 1
        if len(self._held) > self.limit:
            del self._held[max(self._held)]
            self.counts.evicted += 1

    def choose(self, ahead: Outlook, limit: int | None = None) -> Tickets:
        """The best tickets that survive into the accumulator, as many as a block may carry."""
        self._follow(ahead)
        params = ahead.params
        if ahead.slot % params.epoch_length >= params.ticket_submission_end:
            self._drop(list(self._held))
            return ()
        useless = [each for each in self._held if not self._survives(ahead, each)]
        self._drop(useless)
        count = params.max_block_tickets if limit is None else min(limit, params.max_block_tickets)
        # The better ones may push the worse of the same block out of the accumulator.
        running = [ticket.id for ticket in ahead.rotated.tickets]
        chosen = sorted(self._held)[:count]
        best = sorted([*running, *chosen])[: params.epoch_length]
        return tuple([self._held[each] for each in chosen if each <= best[-1]])

    def _survives(self, ahead: Outlook, identifier: bytes) -> bool:
        """Whether a ticket is new and among the best."""
        known = {ticket.id for ticket in ahead.prior.component(keys.SAFROLE).accumulator}
        running = ahead.rotated.tickets
        if identifier in known or any(ticket.id == identifier for ticket in running):
            return False
        return len(running) < ahead.params.epoch_length or identifier < running[-1].id

    def _verify(self, ahead: Outlook, envelope: TicketEnvelope) -> None:
        if ahead.slot != self._slot:
            self._slot, self._verified = ahead.slot, 0
        if self._verified >= self._proofs_a_slot:
            raise self._refuse("busy", f"{self._verified} proofs were verified in this slot")
        self._verified += 1
        checks = SignatureChecks()
        safrole.demand_proofs(ahead.params, ahead.rotated, [envelope], checks)
        try:
            checks.verify()
        except InvalidBlock as error:
            raise self._condemn(error) from None

    def _follow(self, ahead: Outlook) -> None:
        contest = (ahead.rotated.ring_root, ahead.rotated.entropy[2])
        if contest != self._contest:
            self._contest = contest
            self._drop(list(self._held))

    def _drop(self, identifiers: Iterable[bytes]) -> None:
        for each in identifiers:
            del self._held[each]
            self.counts.stale += 1


class PreimagePool(_Pool):
    """Preimages that services wait for. When full, by number or by octets, the newcomer is refused:
    each is wanted by somebody who pays for it, and none is worth more than another.
    """

    __slots__ = ("_held", "_max_octets", "octets")

    def __init__(self, limit: int = 256, max_octets: int = 8 << 20) -> None:
        super().__init__(limit)
        self._max_octets = max_octets
        self._held: set[Preimage] = set()
        self.octets = 0

    def __len__(self) -> int:
        return len(self._held)

    def add(self, ahead: Outlook, preimage: Preimage) -> None:
        """Take a preimage that its service waits for.

        Raises:
            NotPooled: ``preimage_unneeded``, ``known`` or ``full``.
        """
        size = len(preimage.data)
        if preimage in self._held:
            raise self._refuse("known")
        if len(self._held) >= self.limit or self.octets + size > self._max_octets:
            raise self._refuse("full", f"{len(self)} preimages of {self.octets} octets wait")
        item = preimages.provision(preimage.service, preimage.data)
        if not preimages.is_providable(ahead.prior.get, item):
            raise self._refuse("preimage_unneeded", f"service {preimage.service} waits for none")
        self._held.add(preimage)
        self.octets += size
        self.counts.accepted += 1

    def choose(self, ahead: Outlook, max_octets: int = 1 << 20) -> Preimages:
        """Preimages that are still wanted, sorted, of at most ``max_octets`` together."""
        chosen: list[Preimage] = []
        left = max_octets
        for preimage in sorted(self._held):
            item = preimages.provision(preimage.service, preimage.data)
            if not preimages.is_providable(ahead.prior.get, item):
                self._held.remove(preimage)
                self.octets -= len(preimage.data)
                self.counts.stale += 1
            elif len(preimage.data) <= left or not chosen:
                chosen.append(preimage)
                left -= len(preimage.data)
        return tuple(chosen)


class AssurancePool(_Pool):
    """Assurances by the block they build on, one a validator, the latest. They are of use for one
    block, so when there are more than ``limit`` blocks, those of the oldest go.
    """

    __slots__ = ("_held",)

    def __init__(self, limit: int = 4) -> None:
        super().__init__(limit)
        self._held: dict[bytes, dict[int, Assurance]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def add(self, ahead: Outlook, parent: bytes, assurance: Assurance) -> None:
        """Take an assurance for a block on ``parent``, whose state ``ahead`` looks out from.

        Raises:
            NotPooled: codes as for blocks.
        """
        checks = SignatureChecks()
        try:
            _assured(ahead, parent, (assurance,), checks)
            checks.verify()
        except InvalidBlock as error:
            raise self._condemn(error) from None
        if parent not in self._held:
            while len(self._held) >= self.limit:
                self.counts.evicted += len(self._held.pop(next(iter(self._held))))
            self._held[parent] = {}
        self._held[parent][assurance.validator] = assurance
        self.counts.accepted += 1

    def choose(self, ahead: Outlook, parent: bytes) -> Assurances:
        """The assurances for a block on ``parent``; one of a core that is idle now is left out."""
        held = self._held.get(parent, {})
        every = tuple([held[validator] for validator in sorted(held)])
        if _is_assured(ahead, parent, every):
            return every
        # Disputes of the block freed a core.
        chosen = tuple([each for each in every if _is_assured(ahead, parent, (each,))])
        self.counts.stale += len(every) - len(chosen)
        return chosen


class _Known(NamedTuple):
    guarantee: Guarantee
    hashed: bytes


class GuaranteePool(_Pool):
    """Guarantees by the hash of their report; of two for one report, the one with more signatures
    stays. When full, the one with the oldest slot goes, and among these the one with the highest hash.
    """

    __slots__ = ("_held",)

    def __init__(self, limit: int = 1024) -> None:
        super().__init__(limit)
        self._held: dict[bytes, _Known] = {}

    def __len__(self) -> int:
        return len(self._held)

    def add(
        self, ahead: Outlook, guarantee: Guarantee, is_ancestor: reports.Ancestry | None = None
    ) -> None:
        """Take a guarantee that the block may carry, if its core were free and what it builds on there.

        Raises:
            NotPooled: codes as for blocks, or ``known``.
        """
        hashed = reports.report_hash(ahead.params, guarantee.report)
        held = self._held.get(hashed)
        if held is not None and len(held.guarantee.credentials) >= len(guarantee.credentials):
            raise self._refuse("known")
        checks = SignatureChecks()
        state = _reporting(ahead, ahead.judged.pending, is_ancestor)
        try:
            error = _judged(ahead, state, [_Known(guarantee, hashed)], checks)
            if error is not None and error.code not in _PASSING:
                raise error
            checks.verify()
        except InvalidBlock as invalid:
            raise self._condemn(invalid) from None
        self._held[hashed] = _Known(guarantee, hashed)
        self.counts.accepted += 1
        if len(self._held) > self.limit:
            oldest = min(known.guarantee.slot for known in self._held.values())
            worst = max(h for h, known in self._held.items() if known.guarantee.slot == oldest)
            del self._held[worst]
            self.counts.evicted += 1

    def choose(
        self,
        ahead: Outlook,
        pending: PendingReports,
        is_ancestor: reports.Ancestry | None = None,
        limit: int | None = None,
    ) -> Guarantees:
        """One guarantee for each free core that has one: most signatures first, then the oldest.

        Args:
            pending: what holds the cores after disputes and assurances of the block.
            limit: how many at most.
        """
        state = _reporting(ahead, pending, is_ancestor)
        fit, later = self._candidates(ahead, state)
        chosen: dict[int, _Known] = {}
        packages: set[bytes] = set()
        for known in (*fit, *later):
            report = known.guarantee.report
            package = report.specification.package_hash
            if len(chosen) != limit and report.core not in chosen and package not in packages:
                chosen[report.core] = known
                packages.add(package)
        while chosen:
            ordered = [chosen[core] for core in sorted(chosen)]
            error = _judged(ahead, state, ordered, SignatureChecks())
            if error is None:
                return tuple([known.guarantee for known in ordered])
            # What it builds on did not get into this block.
            del chosen[error.fields.get("core", max(chosen))]  # type: ignore[arg-type]
        return ()

    def _candidates(
        self, ahead: Outlook, state: reports.ReportingState
    ) -> tuple[list[_Known], list[_Known]]:
        """Those that stand alone, and those that build on others; what can no longer be is dropped."""
        fit, later = [], []
        order = sorted(
            self._held.values(),
            key=lambda each: (-len(each.guarantee.credentials), each.guarantee.slot, each.hashed),
        )
        for known in order:
            error = _judged(ahead, state, [known], SignatureChecks())
            if error is None:
                fit.append(known)
            elif error.code == "dependency_missing":
                later.append(known)
            elif error.code not in _PASSING:
                del self._held[known.hashed]
                self.counts.stale += 1
        return fit, later


_PASSING: Final = frozenset({"core_engaged", "dependency_missing"})
"""What may be otherwise in the next block; found after the guarantors' signatures were demanded."""


class DisputePool(_Pool):
    """Verdicts with the offences that belong to them, each lot valid by itself. When full, the
    newcomer is refused: disputes are few, and every one has to be settled.
    """

    __slots__ = ("_held",)

    def __init__(self, limit: int = 64) -> None:
        super().__init__(limit)
        self._held: list[Disputes] = []

    def __len__(self) -> int:
        return len(self._held)

    def add(self, ahead: Outlook, lot: Disputes) -> None:
        """Take a lot that would be valid in a block by itself.

        Raises:
            NotPooled: codes as for blocks, or ``known``, ``full``.
        """
        if lot in self._held:
            raise self._refuse("known")
        if len(self._held) >= self.limit:
            raise self._refuse("full", f"{len(self)} lots wait")
        checks = SignatureChecks()
        try:
            _dispute(ahead, lot, checks)
            checks.verify()
        except InvalidBlock as error:
            raise self._condemn(error) from None
        self._held.append(lot)
        self.counts.accepted += 1

    def choose(self, ahead: Outlook) -> Disputes:
        """All lots that are still valid and go together.

        Args:
            ahead: the outlook of a block without disputes.
        """
        chosen = NO_DISPUTES
        for lot in list(self._held):
            try:
                _dispute(ahead, lot, SignatureChecks())
            except InvalidBlock:
                self._held.remove(lot)
                self.counts.stale += 1
                continue
            joined = _joined(chosen, lot)
            try:
                _dispute(ahead, joined, SignatureChecks())
            except InvalidBlock:
                continue
            chosen = joined
        return chosen


def _joined(first: Disputes, second: Disputes) -> Disputes:
    return Disputes(
        tuple(sorted([*first.verdicts, *second.verdicts], key=lambda each: each.report_hash)),
        tuple(sorted([*first.culprits, *second.culprits], key=lambda each: each.key)),
        tuple(sorted([*first.faults, *second.faults], key=lambda each: each.key)),
    )


def _dispute(ahead: Outlook, lot: Disputes, checks: SignatureChecks) -> None:
    prior = disputes.DisputesPrior.of(ahead.prior.component)
    disputes.judge(ahead.params, prior, lot, checks)


def _assured(
    ahead: Outlook, parent: bytes, items: Assurances, checks: SignatureChecks
) -> assurances.AssurancesOutcome:
    return assurances.process_assurances(
        ahead.params,
        items,
        slot=ahead.slot,
        parent=parent,
        pending=ahead.judged.pending,
        validators=ahead.prior.component(keys.ACTIVE_VALIDATORS),
        checks=checks,
    )


def _is_assured(ahead: Outlook, parent: bytes, items: Assurances) -> bool:
    try:
        _assured(ahead, parent, items, SignatureChecks())
    except InvalidBlock:
        return False
    return True


def pending_after(ahead: Outlook, parent: bytes, items: Assurances) -> PendingReports:
    """The reports that hold the cores after the block's disputes and these assurances.

    Raises:
        AssurancesError: they are not valid together.
    """
    return _assured(ahead, parent, items, SignatureChecks()).pending


def _reporting(
    ahead: Outlook, pending: PendingReports, is_ancestor: Callable[[bytes, int], bool] | None
) -> reports.ReportingState:
    component, rotated = ahead.prior.component, ahead.rotated
    recent = with_parent_state_root(component(keys.RECENT_HISTORY), ahead.prior.root)
    return reports.ReportingState(
        slot=ahead.slot,
        pending_before=component(keys.PENDING_REPORTS),
        pending=pending,
        current_validators=rotated.active,
        previous_validators=rotated.previous,
        entropy=rotated.entropy,
        offenders=ahead.judged.records.offenders,
        recent_blocks=recent.blocks,
        pools=component(keys.AUTHORIZATION_POOLS),
        ready=component(keys.ACCUMULATION_QUEUE),
        accumulated=component(keys.ACCUMULATION_HISTORY),
        account=ahead.prior.account,
        ancestry=is_ancestor,
    )


def _judged(
    ahead: Outlook, state: reports.ReportingState, items: list[_Known], checks: SignatureChecks
) -> InvalidBlock | None:
    """What is wrong with guarantees but their signatures, or None."""
    guarantees = tuple([item.guarantee for item in items])
    hashes = [item.hashed for item in items]
    try:
        reports.process_guarantees(ahead.params, guarantees, hashes, state, checks)
    except InvalidBlock as error:
        return error
    return None
