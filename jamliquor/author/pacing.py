"""When to make the next ring proof: time is an argument, in seconds of any clock that goes forward.

Proofs take at most a set share of one core, end before the contest does, and stay clear of the moments
at which blocks have to be made. When not all of them can be made under these rules, the later ones are
dropped: candidates come best first, so what is lost is worth least.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = ["DEFAULT_SHARE", "Pace", "Pacer"]

DEFAULT_SHARE: Final = 0.3
"""Of one core, over the time from the first proof on."""

_WEIGHT: Final = 0.5
_MARGIN: Final = 1.5
"""What a proof may take, in times of what they took lately."""


class Pace(NamedTuple):
    """What is to be done.

    Attributes:
        start: when the next proof may begin; None if none is to be made.
        keep: how many of those left can still be made.
    """

    start: float | None
    keep: int


class Pacer:
    """Paces the proofs of one contest after the other.

    Args:
        share: of one core that proving may take.
        guess: seconds that the first proof may take.
    """

    __slots__ = ("_expected", "_free_at", "_share")

    def __init__(self, share: float = DEFAULT_SHARE, guess: float = 1.0) -> None:
        if not 0 < share <= 1:
            raise ValueError("the share lies above 0 and is at most 1")
        self._share = share
        self._expected = guess
        self._free_at = float("-inf")

    @property
    def expected(self) -> float:
        """Seconds that the next proof will take, judged by those before."""
        return self._expected

    def proved(self, began: float, ended: float, cpu: float) -> None:
        """Take a proof into account.

        Args:
            cpu: seconds of processor time it took; on a busy machine fewer than passed.
        """
        passed = max(ended - began, 1e-6)
        # A machine that became slower is believed at once, a faster one only after a while.
        self._expected = max(passed, self._expected + _WEIGHT * (passed - self._expected))
        self._free_at = began + max(cpu, 1e-6) / self._share

    def plan(
        self, now: float, deadline: float, left: int, busy: Iterable[tuple[float, float]] = ()
    ) -> Pace:
        """When the next of ``left`` proofs may begin, and how many of them can be made.

        Args:
            deadline: when the contest ends for us: proofs that end later are of no use.
            busy: spans of time, begin and end, that are kept free for blocks; in any order.
        """
        if left <= 0:
            return Pace(None, 0)
        need = self._expected * _MARGIN
        start = max(now, self._free_at)
        for begin, end in sorted(busy):
            if start + need <= begin:
                break
            start = max(start, end)
        if start + need > deadline:
            return Pace(None, 0)
        # Each proof after it begins when the share allows, at the earliest.
        further = (deadline - need - start) / max(need, self._expected / self._share)
        return Pace(start, min(left, 1 + int(further)))
