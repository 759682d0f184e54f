"""What became of a block that the node received."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Verdict(enum.StrEnum):
    """What the node did with a block."""

    IMPORTED = "imported"
    KNOWN = "known"
    HELD = "held"
    REFUSED = "refused"
    DROPPED = "dropped"


class Outcome(NamedTuple):
    """One block's fate.

    Attributes:
        code: short name of the reason, empty for an imported block.
        reason: the same in words.
        root: the state root after an imported block.
        waited_for: hash of the missing parent, for a block that is held or dropped for want of it.
        milliseconds: from its octets to its being stored, for an imported block.
    """

    hash: bytes
    slot: int
    verdict: Verdict
    source: str = ""
    code: str = ""
    reason: str = ""
    root: bytes | None = None
    waited_for: bytes | None = None
    milliseconds: float = 0.0

    @property
    def line(self) -> str:
        """Verdict, hash, slot, and a reason where there is one."""
        return f"{self.verdict} 0x{self.hash.hex()} {self.slot} {self.reason}".rstrip()
