"""What host calls work on: the contexts of the invocations (appendix B)."""

from __future__ import annotations

from typing import Final, NamedTuple

from jamliquor.codec.runtime import encode_natural
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.pvm.host.fetch import FetchSource
from jamliquor.pvm.machine import Machine
from jamliquor.state.accounts import AccountsView, Draft
from jamliquor.types.accumulation import DeferredTransfer
from jamliquor.types.state import AuthorizationQueues, Privileges, ServiceAccount, ValidatorSet

__all__ = [
    "AccumulateContext",
    "Chain",
    "GeneralContext",
    "Outcome",
    "RefineContext",
    "first_free_index",
]

_RESERVED_ABOVE: Final = 2**8
_INDICES: Final = 2**32


class GeneralContext:
    """The part every invocation has: parameters, what ``fetch`` shows, accounts to look at.

    Attributes:
        service: the service that runs; None for an authorizer.
        accounts: None for an authorizer, which sees no accounts.
    """

    __slots__ = ("accounts", "params", "service", "source")

    def __init__(
        self,
        params: ChainParams,
        source: FetchSource,
        service: int | None = None,
        accounts: AccountsView | None = None,
    ) -> None:
        self.params = params
        self.source = source
        self.service = service
        self.accounts = accounts


class RefineContext(GeneralContext):
    """A refinement: inner machines by index, and exported segments.

    Attributes:
        slot: slot of the lookup anchor, at which preimages are looked up.
        engine: makes the inner machines.
        export_offset: segments that the work items before exported.
    """

    __slots__ = ("engine", "export_offset", "exports", "machines", "slot")

    def __init__(
        self,
        params: ChainParams,
        source: FetchSource,
        service: int,
        accounts: AccountsView,
        *,
        slot: int,
        engine: Engine,
        export_offset: int,
    ) -> None:
        super().__init__(params, source, service, accounts)
        self.slot = slot
        self.engine = engine
        self.export_offset = export_offset
        self.machines: dict[int, Machine] = {}
        self.exports: list[bytes] = []


class Chain(NamedTuple):
    """The state beside accounts that accumulation may change (equation 12.16).

    Attributes:
        staging: the validators of the epoch after the next.
        queues: the authorization queues, by core.
    """

    staging: ValidatorSet
    queues: AuthorizationQueues
    privileges: Privileges


class Outcome(NamedTuple):
    """What the accumulation of one service came to (equation 12.23).

    Attributes:
        records: account records by service; None removes one.
        entries: entries of the state by key; None removes one.
        created: the new services.
        provisions: preimages for services, by service and hash.
    """

    records: dict[int, ServiceAccount | None]
    entries: dict[bytes, bytes | None]
    created: tuple[int, ...]
    chain: Chain
    transfers: tuple[DeferredTransfer, ...]
    yielded: bytes | None
    gas_used: int
    provisions: dict[tuple[int, bytes], bytes]


class _Saved(NamedTuple):
    """What the exceptional dimension holds beside the accounts; the lists only grow."""

    chain: Chain
    next_index: int | None
    transfer_count: int
    created_count: int
    provision_count: int
    yielded: bytes | None


class AccumulateContext:
    """The regular and the exceptional dimension of one service's accumulation (appendix B.4).

    The attributes are the regular dimension; :meth:`checkpoint` makes the exceptional one equal to
    it, :meth:`outcome` collapses the two. Neither copies what did not change.

    Attributes:
        is_manager: whether the service was the manager when its accumulation began.
    """

    __slots__ = (
        "_next_index",
        "_saved",
        "accounts",
        "chain",
        "created",
        "entropy",
        "is_manager",
        "params",
        "provisions",
        "service",
        "slot",
        "source",
        "transfers",
        "yielded",
    )

    def __init__(
        self,
        params: ChainParams,
        source: FetchSource,
        *,
        service: int,
        accounts: Draft,
        chain: Chain,
        slot: int,
        entropy: bytes,
    ) -> None:
        self.params = params
        self.source = source
        self.service = service
        self.accounts = accounts
        self.chain = chain
        self.is_manager = service == chain.privileges.manager
        self.slot = slot
        self.entropy = entropy
        self.transfers: list[DeferredTransfer] = []
        self.created: list[int] = []
        self.provisions: dict[tuple[int, bytes], bytes] = {}
        self.yielded: bytes | None = None
        self._next_index: int | None = None
        self.checkpoint()

    @property
    def account(self) -> ServiceAccount:
        """The record of the service that accumulates; it cannot go away meanwhile."""
        account = self.accounts.account(self.service)
        assert account is not None, "the accumulating service exists"
        return account

    @account.setter
    def account(self, account: ServiceAccount) -> None:
        self.accounts.set_account(self.service, account)

    @property
    def next_index(self) -> int:
        """The index that the next new service gets; found out when first needed."""
        if self._next_index is None:
            seed = blake2b(encode_natural(self.service) + self.entropy + encode_natural(self.slot))
            first = int.from_bytes(seed[:4], "little") % self._index_span
            self._next_index = first_free_index(
                self.accounts, self.params, first + self.params.min_public_service
            )
        return self._next_index

    def take_index(self) -> int:
        """The index for a new service; the one after is 42 higher, or the first free beyond."""
        taken = self.next_index
        lowest = self.params.min_public_service
        candidate = lowest + (taken - lowest + 42) % self._index_span
        self._next_index = first_free_index(self.accounts, self.params, candidate)
        return taken

    @property
    def _index_span(self) -> int:
        return _INDICES - self.params.min_public_service - _RESERVED_ABOVE

    def checkpoint(self) -> None:
        """Make the exceptional dimension equal to the regular one."""
        self.accounts.checkpoint()
        self._saved = _Saved(
            self.chain,
            self._next_index,
            len(self.transfers),
            len(self.created),
            len(self.provisions),
            self.yielded,
        )

    def outcome(self, gas_used: int, output: bytes | None) -> Outcome:
        """Function C: collapse the context to the dimension that counts.

        Args:
            output: what the guest returned; None if it panicked or ran out of gas.
        """
        if output is None:
            self._rollback()
        else:
            if len(output) == 32:
                self.yielded = output
            self.accounts.checkpoint()
        created = []
        for service in self.created:
            if self.accounts.existed(service):
                # Ejected and made anew: the union of equation 12.19 keeps it as it was.
                self.accounts.discard(service)
            else:
                created.append(service)
        return Outcome(
            self.accounts.records,
            self.accounts.entries,
            tuple(created),
            self.chain,
            tuple(self.transfers),
            self.yielded,
            gas_used,
            self.provisions,
        )

    def _rollback(self) -> None:
        saved = self._saved
        self.accounts.rollback()
        self.chain = saved.chain
        self._next_index = saved.next_index
        del self.transfers[saved.transfer_count :]
        del self.created[saved.created_count :]
        for key in list(self.provisions)[saved.provision_count :]:
            del self.provisions[key]
        self.yielded = saved.yielded


def first_free_index(accounts: Draft, params: ChainParams, candidate: int) -> int:
    """Function check (equation B.14): the first index from ``candidate`` on without a service.

    Services made in this accumulation do not count, as the paper has it.
    """
    lowest = params.min_public_service
    while accounts.existed(candidate):
        candidate = (candidate - lowest + 1) % (_INDICES - _RESERVED_ABOVE - lowest) + lowest
    return candidate
