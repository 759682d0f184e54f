"""Chain archives of a maker's blocks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jamliquor.store.archive import ArchiveWriter
from tests.support.maker import Made, Maker, own_genesis


def write_archive(path: Path, maker: Maker, blocks: Iterable[Made]) -> Path:
    """An archive with the maker's own genesis and some of its blocks."""
    first = own_genesis(maker.params)
    with ArchiveWriter(path, maker.params, first.header, first.state.root) as archive:
        archive.entries(first.state.items())
        for made in blocks:
            archive.block(made.encoded)
    return path
