"""Work for a development network: packages for the example services, computed as guarantors do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from jamliquor.author import work
from jamliquor.author.draws import Draws
from jamliquor.author.genesis import GenesisService
from jamliquor.author.outlook import Outlook
from jamliquor.crypto.hashing import blake2b
from jamliquor.data.services import NAMES, service_code
from jamliquor.pvm.engine import Engine
from jamliquor.state import keys
from jamliquor.state.accounts import Accounts
from jamliquor.stf import preimages
from jamliquor.stf.history import with_parent_state_root
from jamliquor.types.extrinsic import Preimage
from jamliquor.types.work import RefinementContext, WorkItem, WorkPackage, WorkReport

PROFILES: Final = ("none", "mixed", *(name.replace("_", "-") for name in NAMES))
"""What the network may work at; ``mixed`` is all services."""

_FIRST_SERVICE: Final = 1000
SERVICES: Final = {name: _FIRST_SERVICE + index for index, name in enumerate(NAMES)}
"""Identifiers of the example services."""

_AUTHORIZER_HOST: Final = 0
_BALANCE: Final = 10**9
_REFINE_GAS: Final = 1_000_000
_ACCUMULATE_GAS: Final = 200_000
_TRANSFER_GAS: Final = 20_000
_MAX_ITEMS: Final = 3
_KEYS: Final = 24
_BLOBS: Final = 16


class Services(NamedTuple):
    """What a development genesis begins with.

    Attributes:
        authorizer: what fills the cores' pools.
    """

    genesis: tuple[GenesisService, ...]
    authorizer: bytes


def services() -> Services:
    """The example services, and the host of the authorizer."""
    code = service_code("authorizer")
    accounts = [GenesisService(_AUTHORIZER_HOST, code, _BALANCE)]
    accounts += [GenesisService(SERVICES[name], service_code(name), _BALANCE) for name in NAMES]
    return Services(tuple(accounts), work.authorizer(blake2b(code), b""))


class Workload:
    """Packages and preimages that a seed decides.

    Args:
        profile: one of :data:`PROFILES`.
        rate: of cores that get work, of those that are asked about.
        items: that a package has at most.
    """

    def __init__(
        self,
        engine: Engine,
        draws: Draws,
        profile: str,
        rate: float = 0.7,
        items: int = _MAX_ITEMS,
    ) -> None:
        self._engine = engine
        self._draws = draws
        self._rate = rate
        self._items = items
        self._auth_code = blake2b(service_code("authorizer"))
        names = NAMES if profile == "mixed" else (profile.replace("-", "_"),)
        self._names = () if profile == "none" else names

    def report(self, ahead: Outlook, parent: bytes, core: int) -> WorkReport | None:
        """A report for a core, for a block on ``parent``; None where nobody asks for work."""
        slot = ahead.slot
        if not self._names or not self._draws.chance(self._rate, "work", slot, core):
            return None
        count = 1 + self._draws.below(self._items, "items", slot, core)
        items = tuple([self._item(ahead, core, at) for at in range(count)])
        context = _context(ahead, parent)
        # No two packages are alike, whatever their items are.
        token = self._draws.octets(8, "token", slot, core)
        package = WorkPackage(_AUTHORIZER_HOST, self._auth_code, context, token, b"", items)
        accounts = Accounts(ahead.params, ahead.prior.get)
        return work.compute(ahead.params, self._engine, package, core, accounts=accounts).report

    def preimages(self, ahead: Outlook) -> Iterator[Preimage]:
        """The preimages that are waited for."""
        service = SERVICES["preimages"]
        for number in range(_BLOBS):
            blob = self._blob(number)
            if preimages.is_providable(ahead.prior.get, preimages.provision(service, blob)):
                yield Preimage(service, blob)

    def _item(self, ahead: Outlook, core: int, at: int) -> WorkItem:
        place = (ahead.slot, core, at)
        name = self._draws.choice(self._names, "service", *place)
        account = ahead.prior.account(SERVICES[name])
        assert account is not None, "the genesis has every example service"
        payload = getattr(self, f"_{name}")(*place)
        return WorkItem(
            SERVICES[name], account.code_hash, _REFINE_GAS, _ACCUMULATE_GAS, 0, payload, (), ()
        )

    def _echo(self, *place: int) -> bytes:
        return self._draws.octets(self._draws.below(200, "length", *place), "echo", *place)

    def _key_value(self, *place: int) -> bytes:
        commands = []
        for number in range(1 + self._draws.below(4, "commands", *place)):
            each = (*place, number)
            key = b"key %d" % self._draws.below(_KEYS, "key", *each)
            if self._draws.chance(0.2, "delete", *each):
                commands.append(bytes((2, len(key))) + key)
                continue
            value = self._draws.octets(1 + self._draws.below(300, "size", *each), "value", *each)
            length = len(value).to_bytes(2, "little")
            commands.append(bytes((1, len(key))) + length + key + value)
        return b"".join(commands)

    def _preimages(self, *place: int) -> bytes:
        blob = self._blob(self._draws.below(_BLOBS, "blob", *place))
        command = 2 if self._draws.chance(0.3, "forget", *place) else 1
        return bytes((command,)) + blake2b(blob) + len(blob).to_bytes(4, "little")

    def _transfers(self, *place: int) -> bytes:
        receiver = SERVICES[self._draws.choice(NAMES, "receiver", *place)]
        amount = 1 + self._draws.below(1000, "amount", *place)
        numbers = amount.to_bytes(8, "little") + _TRANSFER_GAS.to_bytes(8, "little")
        return receiver.to_bytes(4, "little") + numbers + b"for your trouble"

    def _blob(self, number: int) -> bytes:
        return self._draws.octets(40 + 37 * number, "blob", number)


def _context(ahead: Outlook, parent: bytes) -> RefinementContext:
    """The chain as of the parent."""
    recent = with_parent_state_root(ahead.prior.component(keys.RECENT_HISTORY), ahead.prior.root)
    anchor = recent.blocks[-1]
    slot = ahead.prior.component(keys.TIME)
    return RefinementContext(parent, anchor.state_root, anchor.accumulation_root, parent, slot, ())
