"""What a guarantor commits to: segments, their paged proofs, the erasure root (section 14.4).

Chunks are made and committed to; sending and keeping them is left to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from jamliquor.codec import Hash, codec
from jamliquor.crypto import erasure
from jamliquor.crypto.hashing import blake2b
from jamliquor.params import ChainParams
from jamliquor.state.merklization import (
    constant_depth_tree,
    subtree_page,
    subtree_path,
    well_balanced_tree,
)
from jamliquor.types.work import AvailabilitySpecification

__all__ = [
    "bundle_hashes",
    "paged_proofs",
    "segment_hashes",
    "segments_root",
    "specification",
]

_PAGE_EXPONENT: Final = 6
"""A page of proofs serves 2^6 segments."""


class _Page(NamedTuple):
    """Path and hashes, each behind its length, as a proof segment holds them."""

    path: tuple[Hash, ...]
    hashes: tuple[Hash, ...]


def segments_root(segments: Sequence[bytes]) -> bytes:
    """The commitment to exported segments: a constant-depth tree's root, 32 octets."""
    return constant_depth_tree(segments)


def paged_proofs(params: ChainParams, segments: Sequence[bytes]) -> list[bytes]:
    """Function P: a segment of hashes and their path for every 64 exported segments.

    Args:
        segments: of W_G octets each.
    """
    pages = range(-(-len(segments) >> _PAGE_EXPONENT))
    page_codec = codec(_Page, params)
    proofs = []
    for page in pages:
        path = subtree_path(segments, page, _PAGE_EXPONENT)
        hashes = subtree_page(segments, page, _PAGE_EXPONENT)
        encoded = page_codec.encode(_Page(tuple(path), tuple(hashes)))
        proofs.append(erasure.padded(encoded, params.segment_size))
    return proofs


def bundle_hashes(params: ChainParams, bundle: bytes) -> list[bytes]:
    """The hash of each validator's chunk of the padded bundle, 32 octets each.

    Takes three times the bundle's size in memory, beside the bundle, while it works.
    """
    chunks = erasure.encode(params, erasure.padded(bundle, params.erasure_piece_size))
    return [blake2b(chunk) for chunk in chunks]


def segment_hashes(params: ChainParams, segments: Sequence[bytes]) -> list[bytes]:
    """The root over each validator's chunks of the segments and of their paged proofs.

    Without segments each is the zero hash. Takes three times the segments' size in memory.
    """
    encoded = [
        memoryview(erasure.encode_joined(params, segment))
        for segment in (*segments, *paged_proofs(params, segments))
    ]
    width = 2 * params.segment_pieces
    return [
        well_balanced_tree([bytes(chunks[at : at + width]) for chunks in encoded])
        for at in range(0, width * params.validator_count, width)
    ]


def specification(
    params: ChainParams, package_hash: bytes, bundle: bytes, segments: Sequence[bytes]
) -> AvailabilitySpecification:
    """The availability specification of a work package (section 14.4.1).

    Args:
        package_hash: 32 octets.
        bundle: the auditable bundle: package, extrinsic data, imported segments and their proofs.
        segments: what the package exports, W_G octets each.
    """
    leaves = _leaves(bundle_hashes(params, bundle), segment_hashes(params, segments))
    return AvailabilitySpecification(
        package_hash=package_hash,
        bundle_length=len(bundle),
        erasure_root=well_balanced_tree(list(leaves)),
        segment_root=segments_root(segments),
        segment_count=len(segments),
    )


def _leaves(bundle: Sequence[bytes], segments: Sequence[bytes]) -> Iterator[bytes]:
    """What each validator's chunks come to: the erasure root stands above these."""
    return (pair[0] + pair[1] for pair in zip(bundle, segments, strict=True))
