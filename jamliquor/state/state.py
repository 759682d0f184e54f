"""The state of the chain as an immutable value: components that decode on demand, entries, a root."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jamliquor.codec import Codec, codec
from jamliquor.errors import DecodeError
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.state.foresight import Foresight
from jamliquor.state.trie import Trie
from jamliquor.types import state as components

COMPONENT_TYPES: dict[int, Any] = {
    keys.AUTHORIZATION_POOLS: components.AuthorizationPools,
    keys.AUTHORIZATION_QUEUES: components.AuthorizationQueues,
    keys.RECENT_HISTORY: components.RecentHistory,
    keys.SAFROLE: components.SafroleState,
    keys.DISPUTES: components.DisputeRecords,
    keys.ENTROPY: components.Entropy,
    keys.STAGING_VALIDATORS: components.ValidatorSet,
    keys.ACTIVE_VALIDATORS: components.ValidatorSet,
    keys.PREVIOUS_VALIDATORS: components.ValidatorSet,
    keys.PENDING_REPORTS: components.PendingReports,
    keys.TIME: components.Slot,
    keys.PRIVILEGES: components.Privileges,
    keys.STATISTICS: components.Statistics,
    keys.ACCUMULATION_QUEUE: components.ReadyQueue,
    keys.ACCUMULATION_HISTORY: components.AccumulationHistory,
    keys.ACCUMULATION_OUTPUTS: components.AccumulationOutputs,
}
"""What each component of appendix D.1 decodes to, by its index."""

_COMPONENT_KEYS = {index: keys.component(index) for index in COMPONENT_TYPES}


class State:
    """One state of one chain. Children share what did not change; nothing is ever modified.

    A component is decoded when it is first asked for; a child takes over its parent's decoded
    components, so along a chain each is decoded once and then passed on.
    """

    __slots__ = ("_changes", "_decoded", "params", "trie")

    def __init__(
        self,
        params: ChainParams,
        trie: Trie,
        decoded: dict[int, Any] | None = None,
        changes: dict[bytes, bytes | None] | None = None,
    ) -> None:
        self.params = params
        self.trie = trie
        self._changes: dict[bytes, bytes | None] = {} if changes is None else changes
        self._decoded: dict[int, Any] = {} if decoded is None else decoded

    @classmethod
    def from_entries(cls, params: ChainParams, entries: Iterable[tuple[bytes, bytes]]) -> State:
        """A state from its entries: 31-octet keys (appendix D.1) and their values."""
        return cls(params, Trie.from_entries(entries))

    @property
    def root(self) -> bytes:
        """The Merkle root, 32 octets (appendix D.2)."""
        return self.trie.root

    def get(self, key: bytes) -> bytes | None:
        """The value of an entry by its state key, or None."""
        return self.trie.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries in key order."""
        return self.trie.items()

    def foresight(self) -> Foresight | None:
        """What reads entries ahead, or None where that would save nothing."""
        return Foresight(self.trie) if self.trie.is_cold else None

    def component(self, index: int) -> Any:
        """A decoded component by its index in appendix D.1; its type is in :data:`COMPONENT_TYPES`.

        Raises:
            DecodeError: the entry is missing or malformed, so this is no state of this chain.
        """
        value = self._decoded.get(index)
        if value is None:
            data = self.trie.get(_COMPONENT_KEYS[index])
            name = keys.describe(_COMPONENT_KEYS[index])
            if data is None:
                raise DecodeError("the state has no such entry", path=name)
            try:
                value = self._codec(index).decode(data)
            except DecodeError as error:
                joint = "." if error.path and not error.path.startswith("[") else ""
                path = f"{name}{joint}{error.path}"
                raise DecodeError(error.reason, path=path, offset=error.offset) from None
            self._decoded[index] = value
        return value

    def account(self, service: int) -> components.ServiceAccount | None:
        """The record of a service, or None if there is no such service."""
        data = self.trie.get(keys.service(service))
        return None if data is None else codec(components.ServiceAccount, self.params).decode(data)

    def child(
        self,
        changed: Mapping[int, Any],
        entries: Mapping[bytes, bytes | None],
        lap: Callable[[str], None] = lambda _: None,
    ) -> State:
        """The state in which some components have new values and some entries are set or removed.

        A component whose value is what it was is not encoded again. ``lap`` is told when encoding and
        when the trie's part ends.
        """
        decoded = dict(self._decoded)
        changes = dict(entries)
        for index, value in changed.items():
            before = decoded.get(index)
            # Parts of an equal value are mostly the very objects they were, so comparing is quick.
            if before is not value and before != value:
                decoded[index] = value
                changes[_COMPONENT_KEYS[index]] = self._codec(index).encode(value)
        lap("encode components")
        trie = self.trie.apply(changes)
        lap("trie")
        return State(self.params, trie, decoded, changes)

    def rehoused(self, trie: Trie) -> State:
        """The same state with its entries held elsewhere; what was decoded stays decoded.

        Raises:
            ValueError: the trie holds another state.
        """
        if trie != self.trie:
            raise ValueError("a state can only move to a trie of the same root")
        return State(self.params, trie, self._decoded)

    def take_changes(self) -> dict[bytes, bytes | None]:
        """The encoded entries that were set, or removed, to make this state from its parent.

        For whoever stores the state: they are handed out once, then the state forgets them.
        """
        changes, self._changes = self._changes, {}
        return changes

    def _codec(self, index: int) -> Codec[Any]:
        return codec(COMPONENT_TYPES[index], self.params)
