"""How a node is to behave; one frozen value."""

from __future__ import annotations

from typing import NamedTuple

from jamliquor.chain import queue, tree
from jamliquor.chain.finality import Finality

DEFAULT_FINALITY = "depth:32"


class Settings(NamedTuple):
    """Settings of a node.

    Attributes:
        finality: which blocks become final while no votes decide it.
        audit: ``assume``: every block counts as audited, until auditing exists.
        keep_blocks: how many slots behind the finalised block bodies are kept; None keeps all.
        storage_budget: octets on disk above which the oldest bodies go; None sets no bound.
        snapshot_every: blocks by which the base moves on between two snapshots that the node takes of
            itself; None takes none.
        keep_snapshots: how many of those are kept.
        sync_blocks: blocks after which the disk is waited for, at the latest.
        sync_octets: octets of blocks after which it is, at the latest.
        sync_seconds: seconds after which it is, at the latest, when a block comes.
        max_unfinalised: blocks above the finalised one that the node holds at most.
        max_waiting: blocks that may wait for a parent, and again for their slot.
        max_waiting_octets: octets that they may have together.
    """

    finality: Finality = Finality.parse(DEFAULT_FINALITY)
    audit: str = "assume"
    keep_blocks: int | None = None
    storage_budget: int | None = None
    snapshot_every: int | None = None
    keep_snapshots: int = 1
    sync_blocks: int = 16
    sync_octets: int = 4 << 20
    sync_seconds: float = 30.0
    max_unfinalised: int = tree.DEFAULT_MAX_BLOCKS
    max_waiting: int = queue.DEFAULT_MAX_BLOCKS
    max_waiting_octets: int = queue.DEFAULT_MAX_OCTETS

    def is_sync_due(self, blocks: int, octets: int, seconds: float) -> bool:
        """Whether the disk is to be waited for, with so much stored since it was last."""
        return blocks >= self.sync_blocks or octets >= self.sync_octets or seconds >= self.sync_seconds

    def __str__(self) -> str:
        """``name=value`` for what a person sets, for the event log."""
        shown = {
            "finality": self.finality,
            "audit": self.audit,
            "keep-blocks": "all" if self.keep_blocks is None else self.keep_blocks,
            "storage-budget": "none" if self.storage_budget is None else self.storage_budget,
            "snapshot-every": "never" if self.snapshot_every is None else self.snapshot_every,
        }
        return " ".join(f"{name}={value}" for name, value in shown.items())


DEFAULTS = Settings()
"""What holds where nobody says otherwise."""
