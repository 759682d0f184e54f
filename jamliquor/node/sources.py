"""Where blocks come from: archives, trace folders, folders and files of blocks, pipes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from jamliquor.chain.record import BlockRecord
from jamliquor.codec import codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.conformance.cursor import unreadable
from jamliquor.conformance.traces import (
    GENESIS_NAME,
    Trace,
    infer_params,
    read_genesis,
    read_step,
)
from jamliquor.crypto.hashing import blake2b
from jamliquor.node.pipe import STANDARD_INPUT, Wait, open_pipe, open_standard_input, wait_idly
from jamliquor.params import ChainParams
from jamliquor.store.archive import MAGIC, ArchiveReader
from jamliquor.types.header import Header

BLOCK_SUFFIXES = (".bin", ".block")

_DASH = Path("-")

_MAX_BLOCK = 64 << 20


class Genesis(NamedTuple):
    """The beginning of a chain as a source has it.

    Attributes:
        header: the encoded header.
        entries: of the state that it stands for; to be read once.
    """

    params: ChainParams
    header: bytes
    state_root: bytes
    entries: Iterable[tuple[bytes, bytes]]

    def record(self) -> BlockRecord:
        """The record of the first block.

        Raises:
            DecodeError: the header cannot be decoded.
        """
        header = codec(Header, self.params).decode(self.header)
        return BlockRecord(
            blake2b(self.header), header.parent, header.slot, 0, self.state_root, False, self.header
        )


class Sent(NamedTuple):
    """A block of a source.

    Attributes:
        source: where it lies, for people and for the log.
        refused: whether the source itself says that the block is invalid.
    """

    octets: bytes
    source: str
    refused: bool = False


class Source(NamedTuple):
    """Something to import.

    Attributes:
        genesis: None where the source has only blocks.
        blocks: to be read once, after the genesis' entries where they are wanted.
        total: how many blocks there are, or None where only reading them tells.
    """

    path: Path
    genesis: Genesis | None
    blocks: Iterator[Sent]
    total: int | None

    @property
    def genesis_hash(self) -> bytes:
        """Hash of the first header; zero where the source has none."""
        return bytes(32) if self.genesis is None else blake2b(self.genesis.header)


TOLD_BLOCKS: Final = 8
"""Blocks that a node hears of together, before it gets the first of them."""

_TOLD_OCTETS: Final = 1 << 20


def in_groups(blocks: Iterable[Sent]) -> Iterator[list[Sent]]:
    """Blocks in groups that a node can be told of; large ones come one by one.

    Whatever ends the blocks early is raised behind the last of them.
    """
    group: list[Sent] = []
    try:
        for sent in blocks:
            group.append(sent)
            octets = sum(len(one.octets) for one in group)
            if len(group) == TOLD_BLOCKS or octets >= _TOLD_OCTETS:
                yield group
                group = []
    except Exception:
        if group:
            yield group
        raise
    if group:
        yield group


def open_source(path: Path, params: ChainParams | None, wait: Wait = wait_idly) -> Source:
    """Find out what a path names and open it.

    Args:
        params: the parameters of the chain that blocks are wanted for, where they are known.
        wait: called by whoever reads a pipe, before each piece of it.

    Raises:
        BadInput: nothing that can be imported; reading on may raise it too.
    """
    if path == _DASH:
        return _archive(open_standard_input(wait), STANDARD_INPUT)
    if path.is_fifo():
        return _archive(open_pipe(path, wait), path)
    if path.is_dir():
        return _folder(path, params)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise BadInput("does not exist", path, advice="check the name") from None
    except OSError as error:
        raise unreadable(path, error) from None
    if file.read(len(MAGIC)) == MAGIC:
        file.seek(0)
        return _archive(file, path)
    file.close()
    return _files(path, [path], None, params)


def open_genesis(path: Path, params: ChainParams, wanted: bytes) -> Genesis:
    """The genesis that a source has, which must be the one with this header hash.

    Raises:
        BadInput: the source cannot be read, has no genesis, or has another one.
    """
    source = open_source(path, params)
    if source.genesis is None:
        raise BadInput("it has no genesis", path, advice="name an archive or a trace folder")
    found = source.genesis_hash
    if found != wanted:
        raise BadInput(f"of the chain with genesis 0x{found.hex()}, not 0x{wanted.hex()}", path)
    return source.genesis


def read_block(path: Path) -> bytes:
    """The octets of a block file.

    Raises:
        BadInput: it cannot be read, or no block is as large.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BLOCK:
            raise BadInput(f"{size} octets: no block is as large", path)
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def _archive(file: BinaryIO, name: Path) -> Source:
    reader = ArchiveReader(file, name)
    genesis = Genesis(reader.params, reader.encoded_header, reader.state_root, reader.entries())

    def blocks() -> Iterator[Sent]:
        with file:
            for number, block in enumerate(reader.blocks(), 1):
                yield Sent(block, f"{name.name}:{number}")

    return Source(name, genesis, blocks(), None)


def _folder(path: Path, params: ChainParams | None) -> Source:
    try:
        files = sorted(file for file in path.iterdir() if file.suffix in BLOCK_SUFFIXES)
    except OSError as error:
        raise unreadable(path, error) from None
    genesis = path / GENESIS_NAME
    files = [file for file in files if file != genesis]
    if not files and not genesis.exists():
        reason = "the folder holds no blocks (.bin or .block files) and no genesis.bin"
        raise BadInput(reason, path, advice="name a chain archive or a folder of blocks")
    return _files(path, files, genesis if genesis.exists() else None, params)


def _files(path: Path, files: list[Path], genesis: Path | None, params: ChainParams | None) -> Source:
    if params is None:
        if genesis is None:
            advice = "name a source with a genesis first, or the database of the chain"
            raise BadInput("blocks without a genesis: which chain's are they?", path, advice=advice)
        params = infer_params(Trace(path.name, genesis, ()))
    first = None
    if genesis is not None:
        stored = read_genesis(genesis, params)
        header = codec(Header, params).encode(stored.header)
        first = Genesis(params, header, stored.state.root, stored.state.entries())
    steps = bool(files) and _is_step(files[0], params)
    return Source(path, first, _blocks(files, params, steps=steps), len(files))


def _is_step(path: Path, params: ChainParams) -> bool:
    """Whether a file holds a step of a trace rather than a block."""
    if path.suffix != ".bin":
        return False
    try:
        read_step(path, params)
    except BadInput:
        return False
    return True


def _blocks(files: list[Path], params: ChainParams, *, steps: bool) -> Iterator[Sent]:
    for path in files:
        if steps:
            step = read_step(path, params)
            yield Sent(step.encoded_block, path.name, step.refused)
        else:
            yield Sent(read_block(path), path.name)
