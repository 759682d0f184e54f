"""Recent history: the last blocks and the log of accumulation outputs (section 7)."""

from __future__ import annotations

from collections.abc import Iterable

from jamliquor.crypto.hashing import keccak
from jamliquor.params import ChainParams
from jamliquor.state.merklization import mmr_append, mmr_super_peak, well_balanced_tree
from jamliquor.types.extrinsic import Guarantees
from jamliquor.types.state import AccumulationOutput, RecentBlock, RecentHistory

_NO_STATE_ROOT = bytes(32)


def with_parent_state_root(history: RecentHistory, root: bytes) -> RecentHistory:
    """The history once the parent's posterior state root is known: beta-dagger (equation 7.5)."""
    if not history.blocks:
        return history
    parent = history.blocks[-1]._replace(state_root=root)
    return history._replace(blocks=(*history.blocks[:-1], parent))


def accumulation_root(outputs: Iterable[AccumulationOutput]) -> bytes:
    """Keccak root, 32 octets, of what a block's accumulation yielded, in its order (section 7)."""
    leaves = [output.service.to_bytes(4, "little") + output.hash for output in outputs]
    return well_balanced_tree(leaves, keccak)


def reported_packages(guarantees: Guarantees) -> dict[bytes, bytes]:
    """Hash of each guaranteed work package and the root of the segments it exports (equation 7.8)."""
    specifications = [guarantee.report.specification for guarantee in guarantees]
    return {found.package_hash: found.segment_root for found in specifications}


def append(
    params: ChainParams,
    history: RecentHistory,
    header_hash: bytes,
    root: bytes,
    reported: dict[bytes, bytes],
) -> RecentHistory:
    """The history with the block itself, and the belt with its outputs (equations 7.7 and 7.8).

    Args:
        history: what :func:`with_parent_state_root` gave.
        header_hash: hash of the block's header.
        root: what :func:`accumulation_root` gives.
        reported: what :func:`reported_packages` gives.
    """
    belt = mmr_append(history.belt, root, keccak)
    # The block's own state root is not known yet; the next block fills it in.
    block = RecentBlock(header_hash, mmr_super_peak(belt), _NO_STATE_ROOT, reported)
    return RecentHistory((*history.blocks, block)[-params.recent_history_length :], belt)
