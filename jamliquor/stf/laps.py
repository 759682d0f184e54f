"""Where the time of a block goes: marks between the parts of an import, with a clock from outside."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Laps", "no_lap"]


class Laps:
    """Adds up the time by parts. Calling it names the part that ends now.

    Attributes:
        times: seconds of each part so far, in the order in which they first ended.
        blocks: how many blocks were begun.

    Args:
        clock: gives seconds, such as :func:`time.perf_counter`.
    """

    __slots__ = ("_clock", "_last", "blocks", "times")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self.blocks = 0
        self.times: dict[str, float] = {}

    def begin(self) -> None:
        """A block begins: what has passed since the last part belongs to none."""
        self.blocks += 1
        self._last = self._clock()

    def __call__(self, part: str) -> None:
        now = self._clock()
        self.times[part] = self.times.get(part, 0.0) + now - self._last
        self._last = now


def no_lap(part: str) -> None:
    """Stands for :class:`Laps` where nobody wants to know."""
