"""Trees and mountain ranges of appendix E, over a hash that shows its input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamliquor.crypto.hashing import blake2b, keccak
from jamliquor.state.merklization import (
    constant_depth_tree,
    mmr_append,
    mmr_super_peak,
    subtree_page,
    subtree_path,
    trace,
    well_balanced_tree,
)
from tests.support.vectors import vectors


def shown(data: bytes) -> bytes:
    return b"(" + data + b")"


def _leaves(count: int) -> list[bytes]:
    return [bytes([65 + index]) for index in range(count)]


@pytest.mark.parametrize(
    ("count", "root"),
    [
        (0, bytes(32)),
        (1, b"(A)"),
        (2, b"(nodeAB)"),
        (3, b"(node(nodeAB)C)"),
        (5, b"(node(node(nodeAB)C)(nodeDE))"),
    ],
)
def test_well_balanced_tree(count: int, root: bytes) -> None:
    assert well_balanced_tree(_leaves(count), shown) == root


@pytest.mark.parametrize(
    ("count", "root"),
    [
        (0, bytes(32)),
        (1, b"(leafA)"),
        (2, b"(node(leafA)(leafB))"),
        (3, b"(node(node(leafA)(leafB))(node(leafC)" + bytes(32) + b"))"),
    ],
)
def test_constant_depth_tree(count: int, root: bytes) -> None:
    assert constant_depth_tree(_leaves(count), shown) == root


def test_trace_of_a_lopsided_tree() -> None:
    assert trace(_leaves(3), 1, shown) == [b"C", b"A"]
    assert trace(_leaves(3), 2, shown) == [b"(nodeAB)"]
    assert trace(_leaves(1), 0, shown) == []
    with pytest.raises(IndexError):
        trace(_leaves(3), 3, shown)


@given(st.integers(1, 40), st.integers(0, 6), st.data())
def test_pages_and_paths_prove_the_root(count: int, exponent: int, data: st.DataObject) -> None:
    leaves = _leaves(count)
    page = data.draw(st.integers(0, (count - 1) >> exponent))
    hashes = subtree_page(leaves, page, exponent)
    path = subtree_path(leaves, page, exponent)

    depth = (count - 1).bit_length()
    width = 1 << min(exponent, depth)
    level = hashes + [bytes(32)] * (width - len(hashes))
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [blake2b(b"node" + left + right) for left, right in pairs]
    [node] = level
    for height, opposite in enumerate(reversed(path)):
        pair = opposite + node if page >> height & 1 else node + opposite
        node = blake2b(b"node" + pair)
    assert node == constant_depth_tree(leaves)


def test_pages_that_do_not_exist() -> None:
    for function in (subtree_page, subtree_path):
        with pytest.raises(IndexError):
            function(_leaves(4), 2, 1)


def test_mountain_range_counts_in_binary() -> None:
    peaks: tuple[bytes | None, ...] = ()
    for leaf in _leaves(6):
        peaks = mmr_append(peaks, leaf, shown)
    assert peaks == (None, b"(EF)", b"((AB)(CD))")
    assert mmr_append(peaks, b"G", shown) == (b"G", *peaks[1:])


def test_super_peak() -> None:
    a, b, c = (bytes([letter]) * 32 for letter in b"abc")
    assert mmr_super_peak(()) == mmr_super_peak((None, None)) == bytes(32)
    assert mmr_super_peak((None, a)) == a
    both = keccak(b"peak" + a + b)
    assert mmr_super_peak((a, None, b)) == both
    assert mmr_super_peak((a, b, c)) == keccak(b"peak" + both + c)


@pytest.mark.parametrize("path", vectors("stf/history/*/*.json"))
def test_mountain_range_of_the_history_vectors(path: Path) -> None:
    case = json.loads(path.read_text())

    def peaks(state: str) -> tuple[bytes | None, ...]:
        listed = case[state]["beta"]["mmr"]["peaks"]
        return tuple(peak and bytes.fromhex(peak[2:]) for peak in listed)

    root = bytes.fromhex(case["input"]["accumulate_root"][2:])
    appended = mmr_append(peaks("pre_state"), root, keccak)
    assert appended == peaks("post_state")
    newest = case["post_state"]["beta"]["history"][-1]
    assert mmr_super_peak(appended).hex() == newest["beefy_root"][2:]
