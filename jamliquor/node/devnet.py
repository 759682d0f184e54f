"""A development network: all validators in one process, and every choice decided by a seed.

What a network would carry goes through the same pools as on a node, and every block through a node's
importer before anybody sees it. Beside the main line the network can leave slots empty, build on an
older block as if the newest had come too late, hold disputes, and send blocks that must be refused.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple

from jamliquor.author import block as blocks
from jamliquor.author import sealing, statements, tickets
from jamliquor.author.assembly import Pools, Size, assemble
from jamliquor.author.draws import Draws
from jamliquor.author.genesis import Genesis, genesis
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.author.outlook import Outlook, outlook
from jamliquor.author.pools import NotPooled
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.crypto.key_derivation import trivial_seed
from jamliquor.node.devnet_work import PROFILES, Workload, services
from jamliquor.node.node import Node
from jamliquor.node.outcome import Verdict
from jamliquor.node.settings import DEFAULTS
from jamliquor.params import FULL, TINY, ChainParams
from jamliquor.pvm.engine import Engine, NativeEngine
from jamliquor.state import keys
from jamliquor.stf.reports import report_hash
from jamliquor.store.memory import MemoryStore
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import Disputes, TicketEnvelope
from jamliquor.types.header import Header

MIN_VALIDATORS: Final = 3
_KEPT_SLOTS: Final = 64
_MAX_FORK_DEPTH: Final = 2
_MIN_GUARANTORS: Final = 2


class Options(NamedTuple):
    """What a development network is to do.

    Attributes:
        tickets: to submit in an epoch; None for as many as win it.
        fork_rate: of slots whose block builds on an older one than the best.
        skip_rate: of slots that stay empty.
        fallback_rate: of epochs whose contest gets too few tickets.
        dispute_rate: of blocks that carry a dispute.
        refused_rate: of blocks that come with a copy that must be refused.
        work: one of :data:`~jamliquor.node.devnet_work.PROFILES`.
        start: slot of the genesis.
    """

    validators: int = TINY.validator_count
    seed: int = 0
    tickets: int | None = None
    fork_rate: float = 0.0
    skip_rate: float = 0.0
    fallback_rate: float = 0.0
    dispute_rate: float = 0.0
    refused_rate: float = 0.0
    work: str = PROFILES[1]
    start: int = 0


class Kind(enum.StrEnum):
    """What happened in a slot; there may be several."""

    BLOCK = "block"
    FORK = "fork"
    REFUSED = "refused"
    SKIPPED = "skipped"


class Happening(NamedTuple):
    """One thing that happened.

    Attributes:
        octets: of the block, None for a slot that was skipped.
        author: index of the validator.
        reason: why a slot was skipped or a block refused.
        root: of the state after the block.
        contest: tickets in the accumulator after it.
        work: reports that the block brought, and reports on the cores after it.
    """

    kind: Kind
    slot: int
    octets: bytes | None = None
    hash: bytes = b""
    parent: bytes = b""
    author: int = 0
    ticketed: bool = False
    reason: str = ""
    root: bytes = b""
    contest: int = 0
    work: tuple[int, int] = (0, 0)
    preimages: int = 0
    offenders: int = 0


def parameters(validators: int) -> ChainParams:
    """Parameters for a number of validators: tiny for 6, full for 1023, like tiny for others.

    Raises:
        ValueError: too few or too many.
    """
    for known in (TINY, FULL):
        if validators == known.validator_count:
            return known
    if not MIN_VALIDATORS <= validators <= FULL.validator_count:
        raise ValueError(f"a network has {MIN_VALIDATORS} to {FULL.validator_count} validators")
    cores = max(1, validators // 3)
    return replace(TINY, name=f"tiny-{validators}", validator_count=validators, core_count=cores)


class Devnet:
    """A network that makes one slot after the other.

    Attributes:
        genesis: of the chain.
        node: that imported everything, with its head.
        slot: the last one that was made.
    """

    def __init__(self, options: Options, engine: Engine | None = None) -> None:
        self.options = options
        self.params = parameters(options.validators)
        self._draws = Draws(options.seed)
        engine = NativeEngine() if engine is None else engine
        seeds = [trivial_seed(index) for index in range(options.validators)]
        self._secrets = [ValidatorSecret.from_seed(seed) for seed in seeds]
        self.keyring = Keyring(self._secrets)
        self.genesis = self._genesis()
        self.node = _node(self.params, engine, self.genesis)
        self.slot = options.start
        self._workload = Workload(engine, self._draws, options.work)
        self._pools = Pools()
        self._proved: dict[tuple[tickets.Contest, tickets.Candidate], TicketEnvelope] = {}

    def _genesis(self) -> Genesis:
        begun = services()
        entropy = tuple([self._draws.octets(32, "entropy", index) for index in range(4)])
        return genesis(
            self.params,
            [secret.keys() for secret in self._secrets],
            begun.genesis,
            slot=self.options.start,
            entropy=entropy,
            authorizer=begun.authorizer,
        )

    def run(self, slots: int) -> Iterator[Happening]:
        """What happens in that many slots."""
        for _ in range(slots):
            yield from self.advance()

    def advance(self) -> list[Happening]:
        """What happens in the next slot."""
        self.slot += 1
        slot, draws = self.slot, self._draws
        if draws.chance(self.options.skip_rate, "skip", slot):
            return [Happening(Kind.SKIPPED, slot, reason="the seed left it empty")]
        head = self.node.head_record
        parent = self._fork_parent(head) if draws.chance(self.options.fork_rate, "fork", slot) else head
        made = self._make(parent, slot)
        if made is None:
            return [Happening(Kind.SKIPPED, slot, reason="it belongs to an offender")]
        found = []
        if draws.chance(self.options.refused_rate, "refused", slot):
            found.append(self._refused(made))
        kind = Kind.BLOCK if parent.hash == head.hash else Kind.FORK
        return [*found, self._take(made, kind)]

    def _fork_parent(self, head: BlockRecord) -> BlockRecord:
        """An ancestor of the head, one or two blocks back, as far as there are any."""
        back = 1 + self._draws.below(_MAX_FORK_DEPTH, "depth", self.slot)
        for _ in range(back):
            parent = self.node.store.record(head.parent)
            if parent is None or parent.hash not in self.node.tree:
                break
            head = parent
        return head

    def _make(self, parent: BlockRecord, slot: int) -> Block | None:
        """The block at a slot on a parent; None if nobody may make it."""
        prior = self.node.state_of(parent.hash)
        assert prior is not None, "states above the finalised block are kept"
        ahead = outlook(prior, slot)
        if sealing.claim(ahead, self.keyring) is None:
            return None
        pools = self._pools if parent.hash == self.node.head else Pools()
        self._fill(pools, ahead, parent.hash)
        size = Size.FULL if pools is self._pools else Size.SMALL
        ahead, extrinsic = assemble(pools, prior, parent.hash, slot, size=size)
        claimed = sealing.claim(ahead, self.keyring)
        assert claimed is not None, "disputes never change who may seal a slot"
        return blocks.build(prior, parent.hash, extrinsic, claimed)

    def _take(self, block: Block, kind: Kind) -> Happening:
        octets = codec(Block, self.params).encode(block)
        outcome = self.node.receive(octets, "devnet")[0]
        if outcome.verdict is not Verdict.IMPORTED:
            raise AssertionError(f"our own block was {outcome.verdict}: {outcome.reason}")
        state = self.node.state_of(outcome.hash)
        record = self.node.store.record(outcome.hash)
        assert state is not None and record is not None, "it was imported just now"
        pending = state.component(keys.PENDING_REPORTS)
        extrinsic = block.extrinsic
        return Happening(
            kind,
            block.header.slot,
            octets,
            outcome.hash,
            block.header.parent,
            block.header.author_index,
            record.ticketed,
            root=record.state_root,
            contest=len(state.component(keys.SAFROLE).accumulator),
            work=(len(extrinsic.guarantees), sum(entry is not None for entry in pending)),
            preimages=len(extrinsic.preimages),
            offenders=len(block.header.offenders_mark),
        )

    def _refused(self, block: Block) -> Happening:
        """A copy of a block with a fault, sent before the block itself."""
        header = self._spoilt(block.header)
        octets = codec(Block, self.params).encode(Block(header, block.extrinsic))
        outcome = self.node.receive(octets, "devnet")[0]
        if outcome.verdict is not Verdict.REFUSED:
            raise AssertionError(f"a spoilt block was {outcome.verdict}")
        return Happening(
            Kind.REFUSED,
            header.slot,
            octets,
            outcome.hash,
            header.parent,
            header.author_index,
            reason=outcome.code,
        )

    def _spoilt(self, header: Header) -> Header:
        """A header with one octet, or its author, changed; the seal stays as it was."""
        faults = (
            header._replace(parent_state_root=_spoilt(header.parent_state_root)),
            header._replace(extrinsic_hash=_spoilt(header.extrinsic_hash)),
            header._replace(entropy_source=_spoilt(header.entropy_source)),
            header._replace(seal=_spoilt(header.seal)),
            header._replace(author_index=(header.author_index + 1) % self.params.validator_count),
        )
        return self._draws.choice(faults, "fault", self.slot)

    def _fill(self, pools: Pools, ahead: Outlook, parent: bytes) -> None:
        """Put into the pools what the validators would have sent by now; some of it they know."""
        for lot in self._disputes(ahead):
            pools.disputes.add(ahead, lot)
        for envelope in self._tickets(ahead):
            with suppress(NotPooled):
                pools.tickets.add(ahead, envelope, own=True)
        for assurance in statements.gather_assurances(ahead, parent, self.keyring):
            pools.assurances.add(ahead, parent, assurance)
        for preimage in self._workload.preimages(ahead):
            with suppress(NotPooled):
                pools.preimages.add(ahead, preimage)
        if pools is not self._pools:
            return
        for core in range(self.params.core_count):
            report = self._workload.report(ahead, parent, core)
            if report is None:
                continue
            guarantee = statements.gather_guarantee(ahead, report, self.keyring)
            if len(guarantee.credentials) >= _MIN_GUARANTORS:
                with suppress(NotPooled):
                    pools.guarantees.add(ahead, guarantee)

    def _tickets(self, ahead: Outlook) -> Iterator[TicketEnvelope]:
        """The best tickets left, as many as a block takes and the epoch is to have."""
        params = self.params
        wanted = params.epoch_length if self.options.tickets is None else self.options.tickets
        epoch = params.epoch_of(ahead.slot)[0]
        if self._draws.chance(self.options.fallback_rate, "fallback", epoch):
            wanted = min(wanted, params.epoch_length // 2)
        room = min(wanted - len(ahead.rotated.tickets), params.max_block_tickets)
        if room <= 0 or ahead.slot % params.epoch_length >= params.ticket_submission_end:
            return
        running = tickets.contest(ahead)
        self._proved = {known: proof for known, proof in self._proved.items() if known[0] == running}
        ours = tickets.candidates(params, running, self.keyring)
        for candidate in tickets.worthwhile(ahead, ours)[:room]:
            known = (running, candidate)
            if known not in self._proved:
                self._proved[known] = tickets.prove(running, self.keyring, candidate)
            yield self._proved[known]

    def _disputes(self, ahead: Outlook) -> Iterator[Disputes]:
        """A verdict on a report that waits for its data, or on one that nobody knows.

        Good verdicts prove somebody guilty; they stay away while that would leave too few validators
        to make reports available.
        """
        if not self._draws.chance(self.options.dispute_rate, "dispute", ahead.slot):
            return
        pending = [each for each in ahead.judged.pending if each is not None]
        hashed = blake2b(self._draws.octets(32, "report", ahead.slot))
        if pending:
            chosen = self._draws.choice(pending, "disputed", ahead.slot)
            hashed = report_hash(self.params, chosen.report)
        offenders = ahead.judged.records.offenders
        bearable = self.params.validator_count - self.params.super_majority
        good = len(offenders) < bearable and self._draws.chance(0.5, "verdict", ahead.slot)
        positive = self.params.super_majority if good else self.params.one_third
        verdict = statements.gather_verdict(ahead, hashed, positive, self.keyring)
        faults = []
        if good:
            innocent = [each for each in self._secrets if each.ed25519.public not in offenders]
            guilty = self._draws.choice(innocent, "guilty", ahead.slot)
            faults.append(statements.fault(guilty.ed25519, hashed, False))
        yield Disputes((verdict,), (), tuple(faults))


def _spoilt(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


def _node(params: ChainParams, engine: Engine, begun: Genesis) -> Node:
    store = MemoryStore(params)
    encoded = codec(Header, params).encode(begun.header)
    slot: int = begun.header.slot
    first = BlockRecord(begun.hash, bytes(32), slot, 0, begun.state.root, False, encoded)
    store.initialise(first, begun.state.items())
    settings = DEFAULTS._replace(keep_blocks=_KEPT_SLOTS)
    return Node(params, engine, store, settings=settings, genesis=begun.hash)
