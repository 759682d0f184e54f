"""The part of a state that one block touches: what it looks up and what it changes.

:class:`RecordingTrie` stands in for a trie while a block is imported and notes every key.
:func:`partial_of` then encodes these entries, together with the hashes of all that lies beside them,
so that :func:`open_partial` gives a trie with the same root on which the same block can be imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jamliquor._native import check, ffi, lib, take_buffer
from jamliquor.errors import HostError, WitnessIncomplete
from jamliquor.state import keys
from jamliquor.state.trie import Trie, encode_change

__all__ = ["PartialTrie", "RecordingTrie", "open_partial", "partial_of"]

_NEED_VALUE: Final = 1
_NEED_REMOVAL: Final = 2


class RecordingTrie(Trie):
    """A trie that notes what is looked up in it and what changes are applied to it.

    Attributes:
        read: keys that were looked up.
        changed: the last change of each key that was changed.
    """

    __slots__ = ("changed", "read")

    def __init__(self, trie: Trie) -> None:
        out = ffi.new("struct JamTrie **")
        check(lib.jam_trie_apply(trie.handle, b"", 0, out))
        super().__init__(out[0])
        self.read: set[bytes] = set()
        self.changed: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """See :class:`Trie`."""
        self.read.add(bytes(key))
        return super().get(key)

    def __contains__(self, key: bytes) -> bool:
        self.read.add(bytes(key))
        return super().__contains__(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`Trie`."""
        self.read.update(map(bytes, keys))
        return super().get_many(keys)

    def apply(self, changes: Mapping[bytes, bytes | None]) -> Trie:
        """See :class:`Trie`."""
        self.changed.update(changes)
        return super().apply(changes)

    def items(self, start: bytes = b"", limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Not recorded: a block does not list entries."""
        raise NotImplementedError("a block does not list entries")


class PartialTrie(Trie):
    """A trie of which only a part is known; it can be changed once.

    Where what is not known would be needed, every method raises
    :class:`~jamliquor.errors.WitnessIncomplete`.
    """

    __slots__ = ()

    def get(self, key: bytes) -> bytes | None:
        """See :class:`Trie`."""
        try:
            return super().get(key)
        except HostError:
            raise _missing(key) from None

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`Trie`."""
        return [self.get(key) for key in keys]

    def apply(self, changes: Mapping[bytes, bytes | None]) -> Trie:
        """See :class:`Trie`."""
        batch = b"".join(encode_change(key, value) for key, value in changes.items())
        out = ffi.new("struct JamTrie **")
        try:
            check(lib.jam_partial_apply(self.handle, batch, len(batch), out))
        except HostError:
            for key in sorted(changes):
                self.get(key)
            removed = sorted(key for key, value in changes.items() if value is None)
            told = ", ".join(map(_name, removed))
            raise WitnessIncomplete(f"the witness lacks what stands beside {told}") from None
        return PartialTrie(out[0])


def partial_of(trie: Trie, read: set[bytes], changed: Mapping[bytes, bytes | None]) -> bytes:
    """Encode the part of a trie that some keys touch.

    Args:
        read: keys whose values will be looked up.
        changed: changes that will be applied.

    Raises:
        HostError: an entry or a node cannot be read.
    """
    needs = bytearray()
    for key in sorted(read | changed.keys()):
        removed = key in changed and changed[key] is None
        needs += key
        needs.append(_NEED_VALUE * (key in read) | _NEED_REMOVAL * removed)
    out = ffi.new("struct JamBuffer **")
    check(lib.jam_partial_make(trie.handle, bytes(needs), len(needs), out))
    return take_buffer(out[0])


def open_partial(octets: bytes) -> PartialTrie:
    """The trie that :func:`partial_of` encoded. Its root says which trie it is a part of.

    Raises:
        ValueError: malformed octets.
    """
    out = ffi.new("struct JamTrie **")
    check(lib.jam_partial_open(octets, len(octets), out))
    return PartialTrie(out[0])


def _missing(key: bytes) -> WitnessIncomplete:
    return WitnessIncomplete(f"the witness lacks {_name(key)}")


def _name(key: bytes) -> str:
    return f"key 0x{key.hex()} ({keys.describe(key)})"
