"""General Merklization: binary Merkle trees and Merkle mountain ranges (appendix E)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from jamliquor.crypto.hashing import blake2b, keccak

__all__ = [
    "Hasher",
    "constant_depth_tree",
    "mmr_append",
    "mmr_super_peak",
    "subtree_page",
    "subtree_path",
    "trace",
    "well_balanced_tree",
]

Hasher = Callable[[bytes], bytes]
"""A hash function from bytes to 32 bytes."""

_ZERO_HASH: Final = bytes(32)


def well_balanced_tree(leaves: Sequence[bytes], hasher: Hasher = blake2b) -> bytes:
    """The root of the well-balanced tree (appendix E.1.1), 32 bytes.

    The leaves have one length, are not hashed beforehand, and may be none; a single one is hashed.
    """
    if len(leaves) == 1:
        return hasher(leaves[0])
    return _node(leaves, hasher)


def constant_depth_tree(leaves: Sequence[bytes], hasher: Hasher = blake2b) -> bytes:
    """The root of the constant-depth tree (appendix E.1.2), 32 bytes, for leaves of any size."""
    return _node(_constancy(leaves, hasher), hasher)


def trace(leaves: Sequence[bytes], index: int, hasher: Hasher = blake2b) -> list[bytes]:
    """Function T: the nodes opposite to the path from the root to leaf ``index``, root first.

    Raises:
        IndexError: there is no such leaf.
    """
    _check_index(index, len(leaves))
    opposite = []
    while len(leaves) > 1:
        middle = (len(leaves) + 1) // 2
        left, right = leaves[:middle], leaves[middle:]
        if index < middle:
            opposite.append(_node(right, hasher))
            leaves = left
        else:
            opposite.append(_node(left, hasher))
            leaves = right
            index -= middle
    return opposite


def subtree_path(
    leaves: Sequence[bytes], page: int, exponent: int, hasher: Hasher = blake2b
) -> list[bytes]:
    """Function J: the path that justifies page ``page`` of 2^``exponent`` leaves, root first.

    It belongs to the constant-depth tree, with the leaves' hashes given by :func:`subtree_page`.

    Raises:
        IndexError: there is no such page.
    """
    _check_index(page << exponent, len(leaves))
    depth = (len(leaves) - 1).bit_length()
    return trace(_constancy(leaves, hasher), page << exponent, hasher)[: max(0, depth - exponent)]


def subtree_page(
    leaves: Sequence[bytes], page: int, exponent: int, hasher: Hasher = blake2b
) -> list[bytes]:
    """Function L: the hashes of the leaves of page ``page`` of 2^``exponent`` leaves.

    Raises:
        IndexError: there is no such page.
    """
    _check_index(page << exponent, len(leaves))
    chosen = leaves[page << exponent : (page + 1) << exponent]
    return [hasher(b"leaf" + leaf) for leaf in chosen]


def mmr_append(peaks: Sequence[bytes | None], leaf: bytes, hasher: Hasher) -> tuple[bytes | None, ...]:
    """Function A of appendix E.2: the Merkle mountain range with one more leaf (a hash)."""
    appended = list(peaks)
    for height, peak in enumerate(peaks):
        if peak is None:
            appended[height] = leaf
            return tuple(appended)
        appended[height] = None
        leaf = hasher(peak + leaf)
    return (*appended, leaf)


def mmr_super_peak(peaks: Sequence[bytes | None]) -> bytes:
    """The super-peak of a Merkle mountain range (appendix E.2): one Keccak-256 hash of all peaks.

    The zero hash stands for no peak, a single peak for itself.
    """
    present = [peak for peak in peaks if peak is not None]
    if not present:
        return _ZERO_HASH
    commitment = present[0]
    for peak in present[1:]:
        commitment = keccak(b"peak" + commitment + peak)
    return commitment


def _node(leaves: Sequence[bytes], hasher: Hasher) -> bytes:
    """Function N; recursion is as deep as the logarithm of the number of leaves."""
    if not leaves:
        return _ZERO_HASH
    if len(leaves) == 1:
        return leaves[0]
    middle = (len(leaves) + 1) // 2
    return hasher(b"node" + _node(leaves[:middle], hasher) + _node(leaves[middle:], hasher))


def _constancy(leaves: Sequence[bytes], hasher: Hasher) -> list[bytes]:
    """Function C: hashed leaves, padded with the zero hash to a power of two."""
    hashed = [hasher(b"leaf" + leaf) for leaf in leaves]
    width = 1 << max(0, len(leaves) - 1).bit_length()
    return hashed + [_ZERO_HASH] * (width - len(leaves))


def _check_index(index: int, length: int) -> None:
    if not 0 <= index < length:
        raise IndexError(f"no leaf {index} among {length}")
