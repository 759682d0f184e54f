"""Commitments to a work package's data, against the paper's formulas written out."""

from __future__ import annotations

from jamliquor.author import availability
from jamliquor.crypto import erasure
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import TINY
from jamliquor.state.merklization import well_balanced_tree

_SEGMENTS = [bytes([number]) * TINY.segment_size for number in range(65)]


def _branch(left: bytes, right: bytes) -> bytes:
    return blake2b(b"node" + left + right)


def test_two_segments_by_hand() -> None:
    segments = _SEGMENTS[:2]
    leaves = [blake2b(b"leaf" + segment) for segment in segments]
    assert availability.segments_root(segments) == _branch(*leaves)
    (page,) = availability.paged_proofs(TINY, segments)
    assert page == b"\0\2" + b"".join(leaves) + bytes(TINY.segment_size - 66)
    bundle = b"bundle"
    specification = availability.specification(TINY, bytes(32), bundle, segments)
    parts = [erasure.encode(TINY, data) for data in (*segments, page)]
    expected = []
    for index, chunk in enumerate(erasure.encode(TINY, bundle + bytes(2))):
        first, second, third = (bytes(part[index]) for part in parts)
        expected.append(blake2b(chunk) + _branch(_branch(first, second), third))
    assert specification.erasure_root == well_balanced_tree(expected)
    assert specification.bundle_length == 6
    assert specification.segment_count == 2


def test_a_page_serves_64_segments() -> None:
    first, second = availability.paged_proofs(TINY, _SEGMENTS)
    leaves = [blake2b(b"leaf" + segment) for segment in _SEGMENTS]
    root = availability.segments_root(_SEGMENTS)
    assert (first[0], first[33], second[0], second[33]) == (1, 64, 1, 1)
    assert second[34:66] == leaves[64]
    left = leaves[:64]
    while len(left) > 1:
        left = [_branch(*left[at : at + 2]) for at in range(0, len(left), 2)]
    assert second[1:33] == left[0]
    assert root == _branch(left[0], first[1:33])


def test_nothing_exported() -> None:
    assert availability.paged_proofs(TINY, []) == []
    assert availability.segment_hashes(TINY, []) == [bytes(32)] * TINY.validator_count
    specification = availability.specification(TINY, bytes(32), b"", [])
    assert specification.segment_root == bytes(32)
