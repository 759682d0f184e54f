"""Makes chains that no vector has: any block on any known block, signed with keys that everybody knows.

A maker imports what it makes, so that the next block can be built on it; what it makes is valid unless
it is altered afterwards. The same calls with the same seed make the same blocks.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from jamliquor.author import block as blocks
from jamliquor.author import sealing, statements, tickets
from jamliquor.author.genesis import Genesis, GenesisService, genesis
from jamliquor.author.keys import Keyring, ValidatorSecret
from jamliquor.author.outlook import NO_DISPUTES, Outlook, outlook
from jamliquor.chain.importer import Importer
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.crypto.key_derivation import trivial_seed
from jamliquor.errors import InvalidBlock
from jamliquor.params import TINY, ChainParams
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.stf.history import with_parent_state_root
from jamliquor.types.block import Block
from jamliquor.types.extrinsic import (
    Assurances,
    Disputes,
    Extrinsic,
    Guarantee,
    Preimage,
    TicketEnvelope,
)
from jamliquor.types.header import Header
from jamliquor.types.state import Privileges, ValidatorKeys
from jamliquor.types.work import (
    AvailabilitySpecification,
    RefinementContext,
    WorkDigest,
    WorkError,
    WorkReport,
)
from tests.support import scripted_service

SERVICE = 1000
"""A scripted service with a large balance and every privilege."""

KEPT_STATES = 1024
HELD_KEYS = 12
"""Validators whose secrets makers hold: those of the genesis, and others to designate."""

AUTHORIZER = b"\xaa" * 32


@functools.cache
def secrets() -> tuple[ValidatorSecret, ...]:
    """The secrets of the first development accounts (JIP-5)."""
    return tuple(ValidatorSecret.from_seed(trivial_seed(index)) for index in range(HELD_KEYS))


def validator_keys(first: int = 0, count: int = TINY.validator_count) -> tuple[ValidatorKeys, ...]:
    """Public keys of ``count`` held validators from ``first``."""
    return tuple(secret.keys() for secret in secrets()[first : first + count])


def own_genesis(params: ChainParams = TINY) -> Genesis:
    """A tiny genesis of our own: six validators and one scripted service."""
    service = GenesisService(SERVICE, scripted_service.code(), balance=10**12)
    privileges = Privileges(SERVICE, (SERVICE,) * params.core_count, SERVICE, SERVICE, {})
    return genesis(
        params,
        validator_keys(),
        [service],
        entropy=tuple(blake2b(bytes([index])) for index in range(4)),
        authorizer=AUTHORIZER,
        privileges=privileges,
    )


class Made(NamedTuple):
    """A block that was made and imported.

    Attributes:
        hash: of its header.
        state: the state after it.
    """

    block: Block
    encoded: bytes
    hash: bytes
    parent: bytes
    slot: int
    state: State

    @property
    def root(self) -> bytes:
        """The root of the state after it."""
        return self.state.root


class Maker:
    """Keys, an importer, and everything made so far.

    Args:
        start: header hash and state to build on; by default a genesis of our own.
        seed: what hashes of work packages and the like are drawn from.
    """

    def __init__(
        self,
        params: ChainParams = TINY,
        *,
        start: tuple[bytes, State] | None = None,
        seed: int = 0,
    ) -> None:
        self.params = params
        self.keyring = Keyring(secrets())
        self.root: bytes
        if start is None:
            first = own_genesis(params)
            start = (first.hash, first.state)
        self.root, self.first_state = start
        self.importer = self.new_importer(kept_states=KEPT_STATES)
        self.made: dict[bytes, Made] = {}
        self._seed = seed
        self._drawn = 0
        self._envelopes: dict[tuple[tickets.Contest, tickets.Candidate], TicketEnvelope] = {}

    def new_importer(self, **options: Any) -> Importer:
        """Another importer that knows nothing but where this maker started."""
        importer = Importer(self.params, NativeEngine(), **options)
        importer.start(self.root, self.first_state)
        return importer

    def state(self, parent: bytes) -> State:
        """The state after a block."""
        found = self.importer.state_of(parent)
        assert found is not None, "the maker keeps all states of a test"
        return found

    def slot(self, parent: bytes) -> int:
        """The slot of a block."""
        return int(self.state(parent).component(keys.TIME))

    def outlook(
        self, parent: bytes, slot: int | None = None, disputes: Disputes = NO_DISPUTES
    ) -> Outlook:
        """What a block on ``parent`` will be judged by; without a slot, at the next one."""
        slot = self.slot(parent) + 1 if slot is None else slot
        return outlook(self.state(parent), slot, disputes)

    def sealable(self, parent: bytes, slot: int) -> int:
        """The first slot from ``slot`` on that somebody may seal; those of offenders are skipped."""
        for later in range(slot, slot + self.params.epoch_length):
            if sealing.claim(self.outlook(parent, later), self.keyring) is not None:
                return later
        raise AssertionError("a whole epoch that nobody may seal")

    def make(
        self,
        parent: bytes,
        slot: int | None = None,
        *,
        ticket_count: int = 0,
        guarantees: Sequence[Guarantee] = (),
        assurances: Assurances | None = None,
        preimages: Iterable[tuple[int, bytes]] = (),
        disputes: Disputes = NO_DISPUTES,
    ) -> Made:
        """Make a block and import it.

        Args:
            parent: hash of the block to build on.
            slot: by default the next one that somebody may seal.
            ticket_count: how many tickets to submit, the best that are left.
            assurances: by default everybody assures every pending report.
        """
        if slot is None:
            slot = self.sealable(parent, self.slot(parent) + 1)
        ahead = self.outlook(parent, slot, disputes)
        if assurances is None:
            assurances = statements.gather_assurances(ahead, parent, self.keyring)
        extrinsic = Extrinsic(
            tickets=self.tickets(ahead, ticket_count),
            preimages=tuple(sorted(Preimage(*item) for item in preimages)),
            guarantees=tuple(sorted(guarantees, key=lambda item: item.report.core)),
            assurances=assurances,
            disputes=disputes,
        )
        claimed = sealing.claim(ahead, self.keyring)
        assert claimed is not None, f"nobody may seal slot {slot}"
        return self.take(blocks.build(ahead.prior, parent, extrinsic, claimed))

    def take(self, block: Block) -> Made:
        """Import a block and keep what was made."""
        encoded = codec(Block, self.params).encode(block)
        imported = self.importer.import_block(encoded)
        header = block.header
        made = Made(block, encoded, imported.hash, header.parent, header.slot, imported.state)
        self.made[made.hash] = made
        return made

    def line(self, parent: bytes, slots: Iterable[int]) -> list[Made]:
        """Empty blocks, each on the one before."""
        made = []
        for slot in slots:
            made.append(self.make(parent, slot))
            parent = made[-1].hash
        return made

    def path(self, head: bytes) -> list[Made]:
        """The blocks from the start to ``head``."""
        found = []
        while head != self.root:
            found.append(self.made[head])
            head = self.made[head].parent
        return found[::-1]

    def tickets(self, ahead: Outlook, count: int) -> tuple[TicketEnvelope, ...]:
        """Envelopes of the best tickets that are not in the accumulator; each is proved once."""
        if not count:
            return ()
        running = tickets.contest(ahead)
        ours = tickets.candidates(self.params, running, self.keyring)
        chosen = tickets.worthwhile(ahead, ours)[:count]
        return tuple(self._envelope(running, candidate) for candidate in chosen)

    def _envelope(self, running: tickets.Contest, candidate: tickets.Candidate) -> TicketEnvelope:
        known = self._envelopes.get((running, candidate))
        if known is None:
            known = tickets.prove(running, self.keyring, candidate)
            self._envelopes[running, candidate] = known
        return known

    def draw(self) -> bytes:
        """32 octets that were not drawn before."""
        self._drawn += 1
        return blake2b(b"maker" + self._seed.to_bytes(8, "little") + self._drawn.to_bytes(8, "little"))

    def report(
        self,
        parent: bytes,
        core: int,
        *results: bytes | WorkError,
        anchor_age: int = 0,
        lookup_anchor: tuple[bytes, int] | None = None,
        prerequisites: Iterable[bytes] = (),
        service: int = SERVICE,
    ) -> WorkReport:
        """A report that a block on ``parent`` may guarantee.

        Args:
            results: of its work items; by default one that does nothing.
            anchor_age: blocks from the parent back to the anchor.
            lookup_anchor: hash and slot; by default those of the anchor.
        """
        prior = self.state(parent)
        account = prior.account(service)
        assert account is not None
        recent = with_parent_state_root(prior.component(keys.RECENT_HISTORY), prior.root).blocks
        anchor = recent[-1 - anchor_age]
        if lookup_anchor is None:
            lookup_anchor = (anchor.header_hash, self.slot(anchor.header_hash))
        context = RefinementContext(
            anchor.header_hash,
            anchor.state_root,
            anchor.accumulation_root,
            *lookup_anchor,
            tuple(sorted(prerequisites)),
        )
        digests = tuple(
            WorkDigest(
                service, account.code_hash, self.draw(), scripted_service.GAS, result, 1, 0, 0, 0, 0
            )
            for result in results or (scripted_service.script(),)
        )
        return WorkReport(
            specification=AvailabilitySpecification(self.draw(), 1024, self.draw(), self.draw(), 0),
            context=context,
            core=core,
            authorizer_hash=prior.component(keys.AUTHORIZATION_POOLS)[core][0],
            auth_gas_used=1,
            auth_trace=b"",
            segment_root_lookup=(),
            digests=digests,
        )

    def guarantee(
        self, parent: bytes, report: WorkReport, slot: int | None = None, *, at: int | None = None
    ) -> Guarantee:
        """The report with its guarantors' signatures, for a block on ``parent``.

        Args:
            slot: the block's slot; by default the next that somebody may seal.
            at: the slot of the guarantee; by default the block's.
        """
        if slot is None:
            slot = self.sealable(parent, self.slot(parent) + 1)
        return statements.gather_guarantee(self.outlook(parent, slot), report, self.keyring, at)

    def altered(self, block: Block, **changes: Any) -> Block:
        """A block with other values in header or extrinsic, and a new seal by the same author.

        The extrinsic hash follows a changed extrinsic unless it is given. The entropy signature is
        made anew for another slot; ``seal`` and ``entropy_source`` stay as they are given. Where
        nobody may seal the slot, the author seals as if it were the old one.
        """
        header = {name: value for name, value in changes.items() if name in Header._fields}
        extrinsic = block.extrinsic._replace(
            **{name: value for name, value in changes.items() if name not in header}
        )
        if extrinsic != block.extrinsic:
            header.setdefault("extrinsic_hash", blocks.commitment(self.params, extrinsic))
        return Block(self._resealed(block.header, header), extrinsic)

    def refusal(self, block: Block) -> str:
        """Chapter and code of the error that refuses a block, as ``chapter.code``."""
        with pytest.raises(InvalidBlock) as caught:
            self.importer.import_block(block)
        return f"{caught.value.chapter}.{caught.value.code}"

    def _resealed(self, original: Header, changes: Mapping[str, Any]) -> Header:
        claimed = sealing.claim(self.outlook(original.parent, original.slot), self.keyring)
        assert claimed is not None, "the block was never sealed rightly"
        slot = changes.get("slot", original.slot)
        if slot > self.slot(original.parent):
            claimed = sealing.claim(self.outlook(original.parent, slot), self.keyring) or claimed
        header = original._replace(
            author_index=claimed.author_index, entropy_source=sealing.entropy_signature(claimed)
        )._replace(**changes)
        if "seal" in changes:
            return header
        return header._replace(seal=sealing.seal(self.params, claimed, header))
