"""Which block to finalise while no GRANDPA votes decide it: none, or one far enough below the head."""

from __future__ import annotations

from typing import NamedTuple

from jamliquor.chain.tree import BlockTree


class Finality(NamedTuple):
    """A rule of finality.

    Attributes:
        depth: generations below the best block at which a block becomes final; None means that
            somebody finalises by hand.
    """

    depth: int | None = None

    @classmethod
    def parse(cls, text: str) -> Finality:
        """The rule that a command names: ``manual`` or ``depth:N``.

        Raises:
            ValueError: neither.
        """
        if text == "manual":
            return cls(None)
        name, _, number = text.partition(":")
        if name != "depth" or not number.isdecimal():
            raise ValueError(f"{text!r} is neither manual nor depth:N")
        return cls(int(number))

    def __str__(self) -> str:
        return "manual" if self.depth is None else f"depth:{self.depth}"

    def due(self, tree: BlockTree, head: bytes) -> bytes | None:
        """The block that becomes final now that ``head`` is the best one, or None."""
        if self.depth is None or head == tree.root.hash:
            return None
        found = tree.ancestor(head, self.depth)
        return None if found == tree.root.hash else found
