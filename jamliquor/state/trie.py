"""The state trie: an immutable map from state keys to values with its Merkle root (appendix D)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jamliquor._native import check, ffi, lib, take_buffer

__all__ = ["KEY_BYTES", "Trie", "encode_change"]

KEY_BYTES: Final = 31
"""Length of a state key in bytes."""

_REMOVED = b"\xff\xff\xff\xff"
_HEAD_BYTES = 4 + KEY_BYTES
_LAST_KEY = b"\xff" * KEY_BYTES

# Batches of a long load are cut at this size, so that loading needs little more than the trie.
_LOAD_BYTES = 1 << 20

# A lookup offers a buffer of this size and comes back only for larger values.
_USUAL_BYTES = 1024

_new_bytes = functools.partial(
    ffi.new_allocator(should_clear_after_alloc=False), ffi.typeof("uint8_t[]")
)


class Trie:
    """A map from 31-byte state keys to values of any size below 2^31 - 1 bytes.

    A trie never changes: :meth:`apply` returns another one that shares everything both have in
    common. Tries may be used by several threads at once. Two tries are equal when their roots are.

    The entries lie in memory, or in a database: then a trie holds what changed since the state there.

    Wrong key lengths raise :class:`ValueError` in every method. A trie that lies in a database raises
    :class:`~jamliquor.errors.HostError` where entries cannot be read.
    """

    __slots__ = ("_handle", "_root")

    def __init__(self, handle: Any) -> None:
        """Own a native handle; use :meth:`empty` or :meth:`from_entries` to make a trie."""
        self._handle = ffi.gc(handle, lib.jam_trie_free)
        root = ffi.new("uint8_t[32]")
        check(lib.jam_trie_root(self._handle, root, 32))
        self._root = bytes(root)

    @classmethod
    def empty(cls) -> Trie:
        """The trie without entries; its root is the zero hash."""
        out = ffi.new("struct JamTrie **")
        check(lib.jam_trie_new(out))
        return cls(out[0])

    @classmethod
    def from_entries(cls, entries: Iterable[tuple[bytes, bytes]]) -> Trie:
        """The trie of these entries, read in bounded portions.

        Raises:
            ValueError: a key occurs twice.
        """
        trie = cls.empty()
        portion: list[bytes] = []
        count = size = 0
        for key, value in entries:
            change = encode_change(key, value)
            portion.append(change)
            count += 1
            size += len(change)
            if size >= _LOAD_BYTES:
                trie = trie._applied(portion)
                portion.clear()
                size = 0
        trie = trie._applied(portion)
        if len(trie) != count:
            raise ValueError("entries name a key twice")
        return trie

    @property
    def root(self) -> bytes:
        """The state root: function M of appendix D, 32 bytes."""
        return self._root

    @property
    def value_bytes(self) -> int:
        """Bytes of all values together."""
        return int(lib.jam_trie_value_bytes(self._handle))

    @property
    def memory(self) -> int:
        """Approximate bytes of native memory, as if this trie shared nothing with others."""
        return int(lib.jam_trie_memory(self._handle))

    @property
    def handle(self) -> Any:
        """The native handle, for the other door to the core (``store/_db.py``)."""
        return self._handle

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None when it is absent."""
        capacity = _USUAL_BYTES
        out = _new_bytes(capacity)
        result = lib.jam_trie_get(self._handle, key, len(key), out, capacity)
        if result > capacity + 1:
            capacity = result - 1
            out = _new_bytes(capacity)
            result = lib.jam_trie_get(self._handle, key, len(key), out, capacity)
        if result <= 0:
            check(result)
            return None
        return bytes(ffi.buffer(out, result - 1))

    def __contains__(self, key: bytes) -> bool:
        return bool(check(lib.jam_trie_has(self._handle, key, len(key))))

    @property
    def is_cold(self) -> bool:
        """Whether lookups lately had to be read from disk so often that reading ahead pays."""
        return bool(check(lib.jam_trie_cold(self._handle)))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of some keys in their order, None for absent ones, in one native call."""
        for key in keys:
            _check_key(key)
        joined = b"".join(keys)
        out = ffi.new("struct JamBuffer **")
        check(lib.jam_trie_get_many(self._handle, joined, len(joined), out))
        return [value for _, value in _decode(take_buffer(out[0]))]

    def warm(self, keys: bytes) -> None:
        """Go where lookups of keys will, which stand one after the other, as far as memory has it."""
        check(lib.jam_trie_warm(self._handle, keys, len(keys)))

    def apply(self, changes: Mapping[bytes, bytes | None]) -> Trie:
        """The trie with these changes: a value is put, None removes the key if it is present."""
        return self._applied([encode_change(key, value) for key, value in changes.items()])

    def items(self, start: bytes = b"", limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Entries in key order from ``start`` on, which may be shorter than a key.

        At most ``limit`` entries; they are fetched in portions of some 64 KiB.
        """
        entries = self._range(_padded(start), b"", limit)
        return itertools.islice(entries, limit)

    def items_with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Entries in key order whose key begins with ``prefix``, fetched like :meth:`items`."""
        return self._range(_padded(prefix), prefix, None)

    def changed_keys(self, other: Trie) -> list[bytes]:
        """Keys in order whose values differ between two tries, or that only one of them has.

        The cost follows the difference, not the size, where the tries share structure or content.
        """
        out = ffi.new("struct JamBuffer **")
        check(lib.jam_trie_diff(self._handle, other._handle, out))
        keys = take_buffer(out[0])
        return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]

    def __len__(self) -> int:
        return int(lib.jam_trie_len(self._handle))

    def __eq__(self, other: object) -> bool:
        return self._root == other._root if isinstance(other, Trie) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._root)

    def __repr__(self) -> str:
        return f"<Trie of {len(self)} entries, root 0x{self._root.hex()}>"

    def _applied(self, changes: list[bytes]) -> Trie:
        batch = b"".join(changes)
        out = ffi.new("struct JamTrie **")
        check(lib.jam_trie_apply(self._handle, batch, len(batch), out))
        return Trie(out[0])

    def _range(self, start: bytes, prefix: bytes, limit: int | None) -> Iterator[tuple[bytes, bytes]]:
        count = 0xFFFFFFFF if limit is None else limit
        out = ffi.new("struct JamBuffer **")
        while True:
            check(lib.jam_trie_range(self._handle, start, len(start), prefix, len(prefix), count, out))
            portion = take_buffer(out[0])
            if not portion:
                return
            key = start
            for key, value in _decode(portion):
                assert value is not None, "a listing names present keys only"
                yield key, value
            if key == _LAST_KEY:
                return
            start = (int.from_bytes(key, "big") + 1).to_bytes(KEY_BYTES, "big")


def _check_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a state key has {KEY_BYTES} bytes, not {len(key)}")


def _padded(start: bytes) -> bytes:
    if len(start) > KEY_BYTES:
        raise ValueError(f"a state key has {KEY_BYTES} bytes, its beginning not {len(start)}")
    return start.ljust(KEY_BYTES, b"\0")


def encode_change(key: bytes, value: bytes | None) -> bytes:
    """One change in the native batch encoding.

    Raises:
        ValueError: a wrong key length.
    """
    _check_key(key)
    if value is None:
        return _REMOVED + key
    return len(value).to_bytes(4, "little") + key + value


def _decode(batch: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """The entries of a native batch."""
    at = 0
    while at < len(batch):
        head = at + _HEAD_BYTES
        size = batch[at : at + 4]
        if size == _REMOVED:
            yield batch[at + 4 : head], None
            at = head
        else:
            end = head + int.from_bytes(size, "little")
            yield batch[at + 4 : head], batch[head:end]
            at = end
