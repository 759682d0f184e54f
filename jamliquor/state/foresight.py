"""Reading ahead: entries that will be asked for are read several at a time.

A state in a database answers one lookup after the other, and each waits for the disk. Whoever can
tell beforehand what will be looked up, even if not for sure, saves most of the waiting. Nothing
depends on it: what was read lies in a cache.
"""

from __future__ import annotations

import functools
from typing import Final

from jamliquor._native import check, ffi, lib
from jamliquor.state.trie import Trie

__all__ = ["Foresight"]

# What stands for an entry that is absent in memory; lengths of values count from the next number on.
_ABSENT: Final = 1

_USUAL_BYTES: Final = 1024

_new_bytes = functools.partial(
    ffi.new_allocator(should_clear_after_alloc=False), ffi.typeof("uint8_t[]")
)


class Foresight:
    """Answers lookups of a trie from memory alone, and has what it cannot answer read together."""

    __slots__ = ("_asked", "_handle", "_noted")

    def __init__(self, trie: Trie) -> None:
        out = ffi.new("struct JamForesight **")
        check(lib.jam_foresight_new(trie.handle, out))
        self._handle = ffi.gc(out[0], lib.jam_foresight_free)
        self._noted: list[bytes] = []
        self._asked: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        """The value of an entry, or None where there is none or memory does not know."""
        self._asked.append(key)
        capacity = _USUAL_BYTES
        while True:
            out = _new_bytes(capacity)
            found = check(lib.jam_foresight_get(self._handle, key, len(key), out, capacity))
            length = found - _ABSENT - 1
            if length <= capacity:
                return bytes(ffi.buffer(out, length)) if found > _ABSENT else None
            capacity = length

    def note(self, key: bytes) -> None:
        """Ask for an entry without looking at it; it is read from :meth:`start` on."""
        self._noted.append(key)
        self._asked.append(key)

    def take_asked(self) -> bytes:
        """The keys that were asked for or noted since this was last called, one after the other."""
        asked, self._asked = b"".join(self._asked), []
        return asked

    def start(self) -> None:
        """Begin to read what was asked for so far and is not in memory."""
        noted, self._noted = b"".join(self._noted), []
        check(lib.jam_foresight_start(self._handle, noted, len(noted)))

    def wait(self) -> None:
        """Wait until everything that was asked for is in memory."""
        if self._noted:
            self.start()
        check(lib.jam_foresight_wait(self._handle))
