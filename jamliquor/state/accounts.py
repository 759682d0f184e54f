"""Service accounts while a block changes them: overlays over the opaque entries of the state.

Storage, preimages and requests live under 31-octet keys that cannot be listed, so an overlay is two
dictionaries: account records by service, and entries by state key. Records are immutable values,
which makes keeping an earlier one free. Footprints (items, octets) are fields of the record; whoever
changes an entry updates them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from jamliquor.codec import codec
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.types.state import RequestTimes, ServiceAccount

__all__ = [
    "REQUEST_OCTETS",
    "STORAGE_OCTETS",
    "Accounts",
    "AccountsView",
    "Draft",
    "credited",
    "threshold",
    "with_footprint",
]

STORAGE_OCTETS: Final = 34
"""What a storage item adds to a footprint beside its key and value (equation 9.8)."""

REQUEST_OCTETS: Final = 81
"""What a request adds to a footprint beside the length asked for (equation 9.8)."""

_MAX_LENGTH: Final = 1 << 32
_MAX_BALANCE: Final = 2**64 - 1
_UNKNOWN: Final = b"\0unknown"

Record = ServiceAccount | None
Entry = bytes | None


def threshold(params: ChainParams, account: ServiceAccount) -> int:
    """The least balance an account must keep for its footprint (equation 9.8)."""
    needed = (
        params.base_deposit
        + params.item_deposit * account.items
        + params.octet_deposit * account.octets
        - account.deposit_offset
    )
    return max(0, needed)


def with_footprint(account: ServiceAccount, items: int, octets: int) -> ServiceAccount:
    """An account with another footprint."""
    return ServiceAccount(*account[:5], octets, account.deposit_offset, items, *account[8:])


def credited(account: ServiceAccount, amount: int) -> ServiceAccount:
    """An account with more balance.

    The sum of all balances never grows, so only a made-up state can take one past 2^64 - 1, where it
    stays.
    """
    return account._replace(balance=min(account.balance + amount, _MAX_BALANCE))


class AccountsView:
    """Reading accounts and their items, whatever lies beneath."""

    __slots__ = ("_times", "params")

    def __init__(self, params: ChainParams) -> None:
        self.params = params
        self._times = codec(RequestTimes, params)

    def account(self, service: int) -> Record:
        """The record of a service, or None if there is no such service (any integer may be asked)."""
        raise NotImplementedError

    def entry(self, key: bytes) -> Entry:
        """The value under a state key, or None."""
        raise NotImplementedError

    def storage(self, service: int, key: bytes) -> Entry:
        """A storage item of a service."""
        return self.entry(keys.storage(service, key))

    def preimage(self, service: int, preimage_hash: bytes) -> Entry:
        """A preimage a service holds, by its hash."""
        return self.entry(keys.preimage(service, preimage_hash))

    def request(self, service: int, preimage_hash: bytes, length: int) -> RequestTimes | None:
        """The slots of a request (section 9.2.2), or None if there is none.

        A length of 2^32 or more has no request.
        """
        if length >= _MAX_LENGTH:
            return None
        value = self.entry(keys.request(service, length, preimage_hash))
        return None if value is None else self._times.decode(value)

    def code_blob(self, service: int) -> Entry:
        """The preimage of a service's code hash: metadata behind its length, then the code."""
        account = self.account(service)
        return None if account is None else self.preimage(service, account.code_hash)

    def historical_lookup(self, service: int, slot: int, preimage_hash: bytes) -> Entry:
        """A preimage, if it was available at ``slot`` (equation 9.7)."""
        value = self.preimage(service, preimage_hash)
        if value is None:
            return None
        times = self.request(service, preimage_hash, len(value))
        return value if times is not None and _available(times, slot) else None


def _available(times: RequestTimes, slot: int) -> bool:
    """Function I of equation 9.7."""
    match times:
        case (since,):
            return since <= slot
        case (since, until):
            return since <= slot < until
        case (since, until, again):
            return since <= slot < until or again <= slot
    return False


class Accounts(AccountsView):
    """All accounts in the course of one block: the prior state under what was changed since."""

    __slots__ = ("_get", "_has", "_loaded", "entries", "records")

    def __init__(
        self,
        params: ChainParams,
        get: Callable[[bytes], Entry],
        has: Callable[[bytes], bool] | None = None,
    ) -> None:
        super().__init__(params)
        self._get = get
        self._has = has or (lambda key: get(key) is not None)
        self._loaded: dict[int, Record] = {}
        self.records: dict[int, Record] = {}
        self.entries: dict[bytes, Entry] = {}

    def account(self, service: int) -> Record:
        if service in self.records:
            return self.records[service]
        if service in self._loaded:
            return self._loaded[service]
        if not 0 <= service < _MAX_LENGTH:
            return None
        value = self._get(keys.service(service))
        record = None if value is None else codec(ServiceAccount, self.params).decode(value)
        self._loaded[service] = record
        return record

    def entry(self, key: bytes) -> Entry:
        value = self.entries.get(key, _UNKNOWN)
        return self._get(key) if value is _UNKNOWN else value

    def has_preimage(self, service: int, preimage_hash: bytes) -> bool:
        """Whether a service holds a preimage, without looking at it."""
        key = keys.preimage(service, preimage_hash)
        value = self.entries.get(key, _UNKNOWN)
        return self._has(key) if value is _UNKNOWN else value is not None

    def merge(self, records: Mapping[int, Record], entries: Mapping[bytes, Entry]) -> None:
        """Take over what a draft changed."""
        self.records.update(records)
        self.entries.update(entries)

    def remove(self, services: Iterable[int]) -> None:
        """Remove the records of services, also against what their own drafts say."""
        for service in services:
            self.records[service] = None

    def provide(self, service: int, preimage_hash: bytes, data: bytes, slot: int) -> bool:
        """Integrate a preimage if it is still wanted (function I of section 12.2); True if it was."""
        if self.account(service) is None or self.request(service, preimage_hash, len(data)) != ():
            return False
        self.entries[keys.request(service, len(data), preimage_hash)] = self._times.encode((slot,))
        self.entries[keys.preimage(service, preimage_hash)] = data
        return True

    def changes(self) -> dict[bytes, Entry]:
        """Everything changed, as entries of the state; None removes one."""
        changes = dict(self.entries)
        encode = codec(ServiceAccount, self.params).encode
        for service, record in self.records.items():
            changes[keys.service(service)] = None if record is None else encode(record)
        return changes


class Draft(AccountsView):
    """What one service's accumulation makes of the accounts, with a checkpoint to fall back to.

    The accounts beneath do not change meanwhile. Two layers hold the changes up to the checkpoint
    and those after it, so a checkpoint costs what changed since the one before.
    """

    __slots__ = ("_accounts", "_new_entries", "_new_records", "entries", "records")

    def __init__(self, accounts: Accounts) -> None:
        super().__init__(accounts.params)
        self._accounts = accounts
        self._new_records: dict[int, Record] = {}
        self._new_entries: dict[bytes, Entry] = {}
        self.records: dict[int, Record] = {}
        self.entries: dict[bytes, Entry] = {}

    def account(self, service: int) -> Record:
        if service in self._new_records:
            return self._new_records[service]
        if service in self.records:
            return self.records[service]
        return self._accounts.account(service)

    def existed(self, service: int) -> bool:
        """Whether the service exists beneath this draft."""
        return self._accounts.account(service) is not None

    def entry(self, key: bytes) -> Entry:
        value = self._new_entries.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            value = self.entries.get(key, _UNKNOWN)
            if value is _UNKNOWN:
                return self._accounts.entry(key)
        return value

    def set_account(self, service: int, record: Record) -> None:
        """Put or, with None, remove the record of a service."""
        self._new_records[service] = record

    def set_entry(self, key: bytes, value: Entry) -> None:
        """Put or, with None, remove an entry by its state key."""
        self._new_entries[key] = value

    def set_request(
        self, service: int, preimage_hash: bytes, length: int, times: RequestTimes | None
    ) -> None:
        """Put or, with None, remove a request."""
        key = keys.request(service, length, preimage_hash)
        self._new_entries[key] = None if times is None else self._times.encode(times)

    def discard(self, service: int) -> None:
        """Forget, once and for all, what was changed about a service before the checkpoint."""
        self.records.pop(service, None)
        # The service's octets alternate with those of the hash (appendix D.1).
        mark = service.to_bytes(4, "little")
        for key in [key for key in self.entries if key[0:8:2] == mark]:
            del self.entries[key]

    def checkpoint(self) -> None:
        """Make everything so far what :meth:`rollback` returns to."""
        self.records.update(self._new_records)
        self.entries.update(self._new_entries)
        self._new_records.clear()
        self._new_entries.clear()

    def rollback(self) -> None:
        """Forget everything after the last checkpoint."""
        self._new_records.clear()
        self._new_entries.clear()
