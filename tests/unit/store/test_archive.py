"""Chain archives: written, read, cut short, damaged."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import StoreError
from jamliquor.params import TINY
from jamliquor.store.archive import MAGIC, ArchiveReader, ArchiveWriter
from tests.support.traces import BLOCK, minimal_state

STATE = minimal_state()
ENTRIES = [(bytes([index]) * 31, bytes(index) * 500) for index in range(1, 200)]
BLOCKS = [b"first block", b"", b"x" * 70_000]


def write(path: Path, blocks: list[bytes] = BLOCKS) -> bytes:
    with ArchiveWriter(path, TINY, BLOCK.header, STATE.state_root) as archive:
        archive.entries(ENTRIES)
        for block in blocks:
            archive.block(block)
    return path.read_bytes()


def reader(octets: bytes) -> ArchiveReader:
    return ArchiveReader(io.BytesIO(octets), Path("test.jam"))


def read(octets: bytes) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    opened = reader(octets)
    return list(opened.entries()), list(opened.blocks())


def test_round_trip(tmp_path: Path) -> None:
    octets = write(tmp_path / "a.jam")
    opened = reader(octets)
    assert opened.params is TINY and opened.header == BLOCK.header
    assert opened.state_root == STATE.state_root
    assert read(octets) == (ENTRIES, BLOCKS)
    assert list(reader(octets).blocks()) == BLOCKS, "entries may be passed over"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.jam"]


def test_without_blocks(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.jam", [])) == (ENTRIES, [])


def test_an_archive_that_is_not_finished_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.jam").write_bytes(b"old")
    with (
        pytest.raises(RuntimeError),
        ArchiveWriter(tmp_path / "a.jam", TINY, BLOCK.header, STATE.state_root) as archive,
    ):
        archive.block(b"x")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.jam"]
    assert (tmp_path / "a.jam").read_bytes() == b"old"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/a\.jam: cannot be written"):
        write(tmp_path / "nowhere" / "a.jam")


def test_every_cut_is_told(tmp_path: Path) -> None:
    octets = write(tmp_path / "a.jam", [b"block"])
    for length in [*range(0, 600, 7), *range(len(octets) - 40, len(octets))]:
        with pytest.raises(BadInput):
            read(octets[:length])


def test_every_flipped_bit_is_told(tmp_path: Path) -> None:
    octets = write(tmp_path / "a.jam", [b"block"])
    for at in [*range(0, 700, 3), *range(len(octets) - 40, len(octets))]:
        changed = bytearray(octets)
        changed[at] ^= 1 << at % 8
        with pytest.raises(BadInput, match=r"test\.jam"):
            read(bytes(changed))


@pytest.mark.parametrize("octets", [b"", b"jamchn\0\2", b"PK\3\4" * 10, MAGIC + b"\2\0\0\0\0"])
def test_other_files(octets: bytes) -> None:
    with pytest.raises(BadInput):
        reader(octets)
