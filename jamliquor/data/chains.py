"""Chains that come with the package, and what importing them must come to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from jamliquor.store.archive import ArchiveReader

__all__ = ["DEVNET_TINY", "BundledChain", "open_archive"]


class BundledChain(NamedTuple):
    """A chain archive in this folder.

    Attributes:
        made_by: the arguments of ``jamliquor`` that made it, but for ``--out``.
        blocks: how many must be accepted.
        refused: slot and reason of those that must be refused.
        head: hash of the best block after all of them.
        state_root: root of the state after it.
    """

    file: str
    made_by: tuple[str, ...]
    blocks: int
    refused: tuple[str, ...]
    head: bytes
    state_root: bytes

    @property
    def frames(self) -> int:
        """Blocks in the archive."""
        return self.blocks + len(self.refused)


DEVNET_TINY: Final = BundledChain(
    file="devnet-tiny.jam",
    made_by=(
        *("devnet", "--fast", "--slots", "95", "--seed", "3"),
        *("--fork-rate", "0.06", "--skip-rate", "0.06", "--fallback-rate", "0.25"),
        *("--dispute-rate", "0.03", "--refused-rate", "0.03"),
    ),
    blocks=90,
    refused=("4: bad_extrinsic_hash", "82: bad_parent_state_root"),
    head=bytes.fromhex("a0409c7a1fb8f633f1e6405b890d1b41d64d5c418057e5775d0499e0b5b7b18a"),
    state_root=bytes.fromhex("4793557724cf85e8c502602d7cbb5a69496ab7235f5cb22e69038ac60a5e869c"),
)
"""Eight epochs of six validators, made by a development network."""


@contextmanager
def open_archive(chain: BundledChain) -> Iterator[ArchiveReader]:
    """A bundled chain's archive, as long as the context lasts.

    Raises:
        BadInput: the installation is damaged.
    """
    with (resources.files(__package__) / chain.file).open("rb") as file:
        yield ArchiveReader(cast(BinaryIO, file), Path(chain.file))
