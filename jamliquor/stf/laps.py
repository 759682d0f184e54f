"""Where the time of a block goes: marks between the parts of an import, with a clock from outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

__all__ = ["Laps", "no_lap"]


class Laps:
    """Adds up the time by parts.

    Attributes:
        mark: names the part that ends now. A function of its own, because a block has a hundred marks.
        times: seconds of each part so far, in the order in which they first ended.
        blocks: how many blocks were begun.

    Args:
        clock: gives seconds, such as :func:`time.perf_counter`.
    """

    __slots__ = ("_restart", "blocks", "mark", "times")

    def __init__(self, clock: Callable[[], float]) -> None:
        last = clock()
        times: dict[str, float] = defaultdict(float)

        def mark(part: str) -> None:
            nonlocal last
            now = clock()
            times[part] += now - last
            last = now

        def restart() -> None:
            nonlocal last
            last = clock()

        self._restart = restart
        self.mark: Callable[[str], None] = mark
        self.blocks = 0
        self.times = times

    def begin(self) -> None:
        """A block begins: what has passed since the last part belongs to none."""
        self.blocks += 1
        self._restart()


def no_lap(part: str) -> None:
    """Stands for :attr:`Laps.mark` where nobody wants to know."""
