"""The authorer: makes a block in each slot that is ours, in time, once, and valid.

It is driven by :meth:`Author.tick`, which does what is due and says how long nothing will be. A block
is made from the pools, sealed, and judged like anybody's before it counts; then the signer permits it,
the node takes it in, and it leaves. What costs too much time is left out of it; a slot that cannot be
served passes, with a reason in the event log.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from jamliquor.author import block as blocks
from jamliquor.author import sealing
from jamliquor.author.assembly import Pools, Size, assemble
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.author.outlook import Outlook, outlook
from jamliquor.chain import events
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto import ring
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import InvalidBlock, JamliquorError, StoreError
from jamliquor.node.inbox import Item
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.prover import Prover
from jamliquor.node.signer import NotSigned, Signer
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.stf import safrole
from jamliquor.stf.header import encode as encode_header
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Assurance, Disputes, Guarantee, Preimage, TicketEnvelope

__all__ = ["Author", "AuthorSettings", "ClockWrong", "NotAValidator", "check_clock", "check_validator"]

_VALIDATOR_SETS: Final = (keys.STAGING_VALIDATORS, keys.ACTIVE_VALIDATORS, keys.PREVIOUS_VALIDATORS)
_MAX_MISSED: Final = 64


class ClockWrong(JamliquorError):
    """The clock of this machine and the chain contradict each other."""


class NotAValidator(JamliquorError):
    """A key belongs to no validator of the chain."""


class AuthorSettings(NamedTuple):
    """How blocks are made; times in seconds.

    Attributes:
        patience: how long after the slot's beginning a block of the slot before is waited for.
        margin: before the slot's end, by which the block has to be out.
        max_pause: age of the best block above which the clock is doubted.
    """

    patience: float = 2.0
    margin: float = 1.0
    max_pause: float = 1800.0


class _Candidate(NamedTuple):
    block: Block
    octets: bytes
    hash: bytes
    unsigned_hash: bytes
    size: Size


def check_clock(node: Node, now: float, settings: AuthorSettings) -> None:
    """Compare the clock with the best block.

    Args:
        now: seconds since the Common Era.

    Raises:
        ClockWrong: the block lies in the future, or so far back that the clock may be ahead. The
            genesis may be as old as it likes.
    """
    record = node.head_record
    age = now - record.slot * node.params.slot_seconds
    if age < 0:
        raise ClockWrong(
            f"the clock is behind: the best block's slot begins in {-age:.0f} s; set the clock"
        )
    if age > settings.max_pause and record.number:
        raise ClockWrong(
            f"the best block is {age:.0f} s old: set the clock if it is ahead, import what is missing, "
            "or allow the pause"
        )


def check_validator(node: Node, secret: ValidatorSecret) -> None:
    """Find a key among the validators of the best state.

    Raises:
        NotAValidator: it is none.
    """
    state = node.state_of(node.head)
    assert state is not None, "the head's state is kept"
    sets = [state.component(index) for index in _VALIDATOR_SETS]
    sets.append(state.component(keys.SAFROLE).pending)
    public = secret.bandersnatch.public
    if not any(public == each.bandersnatch for validators in sets for each in validators):
        raise NotAValidator(f"the key 0x{public.hex()} belongs to no validator of this chain")


class Author:
    """Makes blocks with one validator's keys on one node.

    Args:
        clock: seconds since the Common Era.
        publish: sends an encoded block out; may raise OSError.
        tell: gets lines for people.
    """

    def __init__(
        self,
        node: Node,
        secret: ValidatorSecret,
        signer: Signer,
        pools: Pools,
        prover: Prover,
        *,
        clock: Callable[[], float],
        publish: Callable[[bytes, int, bytes], None],
        tell: Callable[[str], None],
        settings: AuthorSettings = AuthorSettings(),  # noqa: B008 - a value
    ) -> None:
        self._node = node
        self._keyring = Keyring([secret])
        self._signer = signer
        self.pools = pools
        self._prover = prover
        self._clock = clock
        self._publish = publish
        self._tell = tell
        self._settings = settings
        self._params = node.params
        self._handled = int(clock()) // node.params.slot_seconds
        self._outlook: tuple[bytes, int, Outlook] | None = None
        self._prepared: object = None
        # Seconds that a block of each size takes, judged by those before.
        self._cost = {Size.EMPTY: 0.1, Size.SMALL: 0.2, Size.FULL: 0.4}
        self.authored = 0
        self.skipped = 0

    def tick(self) -> float:
        """Do what is due.

        Returns:
            Seconds until something else is due, at most those to the next slot.

        Raises:
            HostError: the node's disk failed.
        """
        now = self._clock()
        slot = int(now) // self._params.slot_seconds
        self._node.tick(slot)
        if slot < self._handled:
            raise ClockWrong(f"the clock went back from slot {self._handled} to slot {slot}; set it")
        if slot > self._handled:
            self._missed(slot)
            waiting = self._slot(now, slot)
            if waiting > 0:
                return waiting
            self._handled = slot
        return self._idle(slot)

    def pool(self, item: Item) -> None:
        """Take what somebody wants in a block, judged for the next slot's block on the best one.

        Raises:
            NotPooled: its pool does not want it.
        """
        ahead = self._ahead(int(self._clock()) // self._params.slot_seconds + 1)
        head = self._node.head
        match item:
            case TicketEnvelope():
                self.pools.tickets.add(ahead, item)
            case Preimage():
                self.pools.preimages.add(ahead, item)
            case Guarantee():
                self.pools.guarantees.add(ahead, item, self._node.ancestry(head))
            case Assurance():
                self.pools.assurances.add(ahead, head, item)
            case Disputes():
                self.pools.disputes.add(ahead, item)

    def _slot(self, now: float, slot: int) -> float:
        """Make the slot's block if it is ours; seconds to wait for a late parent first."""
        head = self._node.head_record
        if head.slot >= slot:
            return 0.0
        ahead = self._ahead(slot)
        claimed = sealing.claim(ahead, self._keyring)
        if claimed is None:
            return 0.0
        begun = slot * self._params.slot_seconds
        patience = begun + self._settings.patience - now
        if head.slot < slot - 1 and patience > 0:
            return patience
        self._make(head, slot, begun)
        return 0.0

    def _missed(self, slot: int) -> None:
        """Record the slots that passed unseen and were ours."""
        first = max(self._handled + 1, self._node.head_record.slot + 1, slot - _MAX_MISSED)
        for passed in range(first, slot):
            if sealing.claim(self._ahead(passed), self._keyring) is not None:
                self._skip(passed, "it passed while the process did not run")
        self._handled = slot - 1

    def _make(self, head: BlockRecord, slot: int, begun: float) -> None:
        deadline = begun + self._params.slot_seconds - self._settings.margin
        began = self._clock()
        reason = "no time was left for it"
        for size in sorted(Size, reverse=True):
            if self._clock() + self._cost[size] > deadline:
                continue
            try:
                candidate = self._candidate(head, slot, size)
            except InvalidBlock as error:
                reason = f"our own block would be refused: {error}"
                self._tell(f"slot {slot}, {size.name.lower()}: {reason}")
                continue
            if candidate is not None and self._clock() <= deadline:
                self._send(candidate, head, slot, began - begun)
                return
        self._skip(slot, reason)

    def _candidate(self, head: BlockRecord, slot: int, size: Size) -> _Candidate | None:
        """A sealed block that our own importer accepts; None if the slot is not ours any more.

        Its seal never leaves this method's caller without the signer's permission.
        """
        began = self._clock()
        prior = self._node.state_of(head.hash)
        assert prior is not None, "the head's state is kept"
        ancestry = self._node.ancestry(head.hash)
        ahead, extrinsic = assemble(self.pools, prior, head.hash, slot, size=size, is_ancestor=ancestry)
        claimed = sealing.claim(ahead, self._keyring)
        if claimed is None:
            return None
        block = blocks.build(prior, head.hash, extrinsic, claimed)
        self._node.preview(block)
        encoded = encode_header(self._params, block.header)
        # The node will judge it once more, and write it.
        took = 2 * (self._clock() - began)
        self._cost[size] = max(took, (self._cost[size] + took) / 2)
        octets = codec(Block, self._params).encode(block)
        return _Candidate(block, octets, encoded.hash, blake2b(encoded.unsigned), size)

    def _send(self, candidate: _Candidate, head: BlockRecord, slot: int, late: float) -> None:
        began = self._clock()
        try:
            self._signer.permit(slot, candidate.unsigned_hash)
        except NotSigned as error:
            self._skip(slot, str(error))
            return
        try:
            outcome = self._node.receive(candidate.octets, "author", now=slot)[0]
        except StoreError as error:
            self._skip(slot, str(error))
            return
        if outcome.verdict is not Verdict.IMPORTED:
            self._skip(slot, f"our own block was {outcome.verdict}: {outcome.reason}")
            return
        try:
            self._publish(candidate.octets, slot, candidate.hash)
        except OSError as error:
            self._tell(f"slot {slot}: the block is kept but could not be sent: {error}")
        self.authored += 1
        took = self._clock() - began + self._cost[candidate.size] / 2
        self._node.note(
            events.Authored(
                candidate.hash,
                head.hash,
                slot,
                len(candidate.octets),
                int(candidate.size),
                max(0, int(took * 1e6)),
                max(0, int(late * 1e6)),
            )
        )
        self._tell(
            f"slot {slot}: block 0x{candidate.hash.hex()[:16]}, {len(candidate.octets)} octets, "
            f"{late:.2f} s after the slot began"
        )

    def _skip(self, slot: int, reason: str) -> None:
        self.skipped += 1
        # The log keeps what it cannot write yet.
        with suppress(StoreError):
            self._node.note(events.Skipped(slot, reason.encode()))
        self._tell(f"slot {slot} is skipped: {reason}")

    def _idle(self, slot: int) -> float:
        """Work that can wait: the next ring, then tickets. Seconds to the next thing that is due."""
        ahead = self._ahead(slot + 1)
        self._prepare(ahead.prior)
        next_slot = (slot + 1) * self._params.slot_seconds
        busy = [(next_slot - 0.2, next_slot + self._settings.patience)]
        busy = busy if sealing.claim(ahead, self._keyring) is not None else []
        more = self._prover.work(ahead, busy)
        until = max(0.0, next_slot - self._clock())
        return until if more is None else min(until, more)

    def _prepare(self, state: State) -> None:
        """Commit to the ring of the staging set when it changes, not in an epoch's first block."""
        staging = state.component(keys.STAGING_VALIDATORS)
        offenders = state.component(keys.DISPUTES).offenders
        wanted = safrole.without_offenders(staging, offenders)
        if wanted == self._prepared:
            return
        self._prepared = wanted
        root = safrole.ring_root(tuple([each.bandersnatch for each in wanted]))
        ring.prepare(root, self._params.validator_count)

    def _ahead(self, slot: int) -> Outlook:
        """The outlook of a block at a slot on the best block."""
        head = self._node.head_record
        slot = max(slot, head.slot + 1)
        if self._outlook is None or self._outlook[:2] != (head.hash, slot):
            state = self._node.state_of(head.hash)
            assert state is not None, "the head's state is kept"
            self._outlook = (head.hash, slot, outlook(state, slot))
        return self._outlook[2]
