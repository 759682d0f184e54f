"""Chain archives of a maker's blocks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jamliquor.store.archive import ArchiveWriter
from tests.support.maker import Made, Maker, own_genesis


def write_archive(path: Path, maker: Maker, blocks: Iterable[Made]) -> Path:
    """An archive with the maker's first state and some of its blocks."""
    header, state = own_genesis(maker.params).header, maker.first_state
    with ArchiveWriter(path, maker.params, header, state.root) as archive:
        archive.entries(state.items())
        for made in blocks:
            archive.block(made.encoded)
    return path
