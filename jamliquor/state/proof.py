"""Proofs that a state holds certain entries, and no others, between two keys.

A proof is what a state request answers (JAMNP-S, CE 129): entries, and the *boundary nodes* on the
paths from the root to two keys, each 64 octets as functions B and L of appendix D make them, parents
first. Whoever knows the root can check it; the state is not needed. The proof of one key is that of
the range from the key to itself.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

from jamliquor._native import check, ffi, lib, take_buffer
from jamliquor.codec import runtime
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import ProofError
from jamliquor.state.trie import KEY_BYTES, Trie

__all__ = [
    "NODE_BYTES",
    "Entry",
    "RangeProof",
    "prove",
    "prove_key",
    "state_response",
    "verify",
    "verify_key",
]

NODE_BYTES: Final = 64
"""Length of an encoded node."""

Entry = tuple[bytes, bytes]

_KEY_BITS: Final = KEY_BYTES * 8
_ZERO: Final = bytes(32)
_EMBEDDED_MAX: Final = 32
_EMBEDDED: Final = 0b10
_REGULAR: Final = 0b11


class RangeProof(NamedTuple):
    """All entries of a state from one key to another, both included.

    Attributes:
        first, last: the keys, 31 octets; they need not be present.
        nodes: boundary nodes on the paths to both, parents first.
        entries: keys and values, sorted by key.
    """

    first: bytes
    last: bytes
    nodes: tuple[bytes, ...]
    entries: tuple[Entry, ...]


def prove(trie: Trie, first: bytes, last: bytes) -> RangeProof:
    """The proof of all entries between two keys, both included.

    Raises:
        ValueError: a key does not have 31 octets, or ``last`` precedes ``first``.
        HostError: a node cannot be read.
    """
    _check_range(first, last)
    entries = []
    for key, value in trie.items(first):
        if key > last:
            break
        entries.append((key, value))
    return RangeProof(first, last, _boundary(trie, first, last), tuple(entries))


def prove_key(trie: Trie, key: bytes) -> RangeProof:
    """The proof of a key's value, or of its absence."""
    return prove(trie, key, key)


def state_response(trie: Trie, first: bytes, last: bytes, max_octets: int) -> RangeProof:
    """What a state request is answered with (JAMNP-S, CE 129).

    At most ``max_octets`` as they are sent, unless that is too little for one entry. The proof's own
    last key is that of the last entry sent; without entries it is ``first``, and nothing is shown of
    what follows.

    Raises:
        ValueError, HostError: as :func:`prove`.
    """
    _check_range(first, last)
    found: list[Entry] = []
    size = 0
    for key, value in trie.items(first):
        if key > last or (found and size + _sent_octets((key, value)) > max_octets):
            break
        found.append((key, value))
        size += _sent_octets(found[-1])
    while True:
        end = found[-1][0] if found else first
        nodes = _boundary(trie, first, end)
        if len(found) <= 1 or size + NODE_BYTES * len(nodes) <= max_octets:
            return RangeProof(first, end, nodes, tuple(found))
        size -= _sent_octets(found.pop())


def verify(root: bytes, proof: RangeProof) -> None:
    """Check that a state with this root has exactly these entries in the proof's range.

    Raises:
        ProofError: it is not shown.
    """
    if len(proof.first) != KEY_BYTES or len(proof.last) != KEY_BYTES or proof.first > proof.last:
        raise ProofError("the range is none")
    keys = [key for key, _ in proof.entries]
    if any(len(key) != KEY_BYTES or not proof.first <= key <= proof.last for key in keys):
        raise ProofError("an entry lies outside the range")
    if any(a >= b for a, b in itertools.pairwise(keys)):
        raise ProofError("the entries are not sorted")
    _Verifier(proof).run(root)


def verify_key(root: bytes, proof: RangeProof, key: bytes) -> bytes | None:
    """The value that a proof shows for a key, or None if it shows that there is none.

    Raises:
        ProofError: it shows nothing about that key.
    """
    if not proof.first <= key <= proof.last:
        raise ProofError("the key lies outside the proof's range")
    verify(root, proof)
    return dict(proof.entries).get(key)


class _Verifier:
    """Walks down from the root along the boundary nodes."""

    def __init__(self, proof: RangeProof) -> None:
        self._range = (int.from_bytes(proof.first, "big"), int.from_bytes(proof.last, "big"))
        self._nodes = proof.nodes
        self._used = 0
        self._places: dict[bytes, int] = {}
        self._entries = proof.entries
        for place, node in enumerate(proof.nodes):
            if len(node) != NODE_BYTES:
                raise ProofError(f"boundary node {place} does not have {NODE_BYTES} octets")
            # The first bit of a left child's hash is not part of its parent.
            if self._places.setdefault(_masked(blake2b(node)), place) != place:
                raise ProofError(f"boundary node {place} occurs twice")

    def run(self, root: bytes) -> None:
        whole = (0, len(self._entries))
        if root != _ZERO and (not self._nodes or blake2b(self._nodes[0]) != root):
            raise ProofError("the first boundary node is not the root")
        self._sub_trie(root, 0, 0, whole, -1)
        if self._used != len(self._nodes):
            raise ProofError("a boundary node lies on neither path")

    def _sub_trie(
        self, identity: bytes, depth: int, prefix: int, span: tuple[int, int], parent: int
    ) -> None:
        """Check the sub-trie below a prefix of ``depth`` bits; ``span`` are its entries' indices."""
        first, last = self._range
        low = prefix << (_KEY_BITS - depth)
        high = low | ((1 << (_KEY_BITS - depth)) - 1)
        if high < first or low > last:
            return
        start, end = span
        if _masked(identity) == _masked(_ZERO):
            if start != end:
                raise ProofError(f"no state with that root has {_shown(self._entries[start])}")
            return
        if first < low and high < last:
            found = _root_of(self._entries[start:end], depth)
            if _masked(found) != _masked(identity):
                raise ProofError("entries within the range are missing or different")
            return
        place = self._places.get(_masked(identity))
        if place is None or place <= parent:
            raise ProofError("a boundary node is missing, or stands before its parent")
        self._used += 1
        node = self._nodes[place]
        if node[0] & 0x80:
            self._leaf(node, low, high, span)
            return
        if depth == _KEY_BITS:
            raise ProofError("a path is longer than a key")
        middle = _middle(self._entries, depth, start, end)
        self._sub_trie(node[:32], depth + 1, prefix << 1, (start, middle), place)
        self._sub_trie(node[32:], depth + 1, prefix << 1 | 1, (middle, end), place)

    def _leaf(self, node: bytes, low: int, high: int, span: tuple[int, int]) -> None:
        first, last = self._range
        start, end = span
        key = int.from_bytes(node[1 : 1 + KEY_BYTES], "big")
        if not low <= key <= high:
            raise ProofError("a leaf stands where its key does not belong")
        wanted = 1 if first <= key <= last else 0
        if end - start != wanted:
            raise ProofError("entries within the range are missing or different")
        if wanted and _leaf_node(self._entries[start]) != node:
            raise ProofError(f"no state with that root has {_shown(self._entries[start])}")


def _boundary(trie: Trie, first: bytes, last: bytes) -> tuple[bytes, ...]:
    nodes = _path(trie, first)
    known = set(nodes)
    return (*nodes, *(node for node in _path(trie, last) if node not in known))


def _path(trie: Trie, key: bytes) -> list[bytes]:
    out = ffi.new("struct JamBuffer **")
    check(lib.jam_trie_path(trie.handle, key, len(key), out))
    joined = take_buffer(out[0])
    return [joined[at : at + NODE_BYTES] for at in range(0, len(joined), NODE_BYTES)]


def _sent_octets(entry: Entry) -> int:
    return KEY_BYTES + len(runtime.encode_natural(len(entry[1]))) + len(entry[1])


def _check_range(first: bytes, last: bytes) -> None:
    if len(first) != KEY_BYTES or len(last) != KEY_BYTES:
        raise ValueError(f"a state key has {KEY_BYTES} bytes")
    if last < first:
        raise ValueError("the range ends before it begins")


def _masked(identity: bytes) -> bytes:
    return bytes([identity[0] & 0x7F]) + identity[1:]


def _leaf_node(entry: Entry) -> bytes:
    """Function L."""
    key, value = entry
    if len(value) <= _EMBEDDED_MAX:
        return bytes([_EMBEDDED << 6 | len(value)]) + key + value.ljust(32, b"\0")
    return bytes([_REGULAR << 6]) + key + blake2b(value)


def _root_of(entries: Sequence[Entry], depth: int) -> bytes:
    """Function M of appendix D over sorted entries whose keys agree before ``depth``."""
    if not entries:
        return _ZERO
    if len(entries) == 1:
        return blake2b(_leaf_node(entries[0]))
    middle = _middle(entries, depth, 0, len(entries))
    left = _root_of(entries[:middle], depth + 1)
    right = _root_of(entries[middle:], depth + 1)
    return blake2b(_masked(left) + right)


def _middle(entries: Sequence[Entry], depth: int, start: int, end: int) -> int:
    """Where the entries with a 1 at bit ``depth`` begin; all agree before it."""
    at, bit = depth // 8, 0x80 >> depth % 8
    return bisect.bisect_left(entries, bit, start, end, key=lambda entry: entry[0][at] & bit)


def _shown(entry: Entry) -> str:
    return f"this value under key 0x{entry[0].hex()}"
