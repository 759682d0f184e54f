"""Reads the public traces: folders with or without a genesis, and single steps.

A step file holds the state before, a block, and the state after. A state may be large and is rarely
needed whole, so opening a step walks over the entries and remembers where they lie; only the block
becomes objects. Entries are read again, one at a time, when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from jamliquor.codec import codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.conformance.cursor import TRUNCATED_ADVICE, Cursor, unreadable
from jamliquor.errors import DecodeError
from jamliquor.params import NAMED, ChainParams
from jamliquor.state import keys
from jamliquor.types.block import Block
from jamliquor.types.header import Header

GENESIS_NAME = "genesis.bin"
CHAIN_ADVICE = "choose the chain with --chain"

_KEY_OCTETS = 31
_LEAST_ENTRY = _KEY_OCTETS + 1
_VALIDATOR_OCTETS = 336
_ACTIVE_VALIDATORS = keys.component(keys.ACTIVE_VALIDATORS)

# A block is read in a first bite of this size, then in bites twice as large until it is whole.
_FIRST_BITE = 1 << 16


class Trace(NamedTuple):
    """Steps that belong together.

    Attributes:
        name: for people: the folder's name, or that of a file on its own.
        genesis: the file with the chain's first state, or None: then each step stands by itself.
        steps: the files of the steps in their order.
    """

    name: str
    genesis: Path | None
    steps: tuple[Path, ...]


class StoredState(NamedTuple):
    """A state as it lies in a file: its recorded root and where the entries are.

    Attributes:
        field: what the file calls it: ``prior``, ``posterior`` or ``state``.
        offset: position of the first entry.
    """

    path: Path
    field: str
    root: bytes
    offset: int
    entry_count: int

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, read one at a time.

        Raises:
            BadInput: the file changed since it was opened, or cannot be read any more.
        """
        with Cursor(self.path) as cursor:
            cursor.move(self.offset)
            for index in range(self.entry_count):
                field = f"{self.field}.entries[{index}]"
                key = cursor.take(_KEY_OCTETS, f"{field}.key")
                size = cursor.natural(f"{field}.value")
                yield key, cursor.take(size, f"{field}.value")


class Step(NamedTuple):
    """One import as a file records it.

    Attributes:
        block: the decoded block.
        encoded_block: the octets it was decoded from.
    """

    path: Path
    prior: StoredState
    block: Block
    encoded_block: bytes
    posterior: StoredState

    @property
    def refused(self) -> bool:
        """Whether the recorded outcome is that the block is invalid: nothing changed."""
        return self.prior.root == self.posterior.root


class StoredGenesis(NamedTuple):
    """The first header of a chain and where its state lies."""

    header: Header
    state: StoredState


def find_traces(sources: Sequence[Path]) -> list[Trace]:
    """The traces that folders and files name, in the order given.

    A folder is one trace; files next to each other in ``sources`` are one too, without a genesis.

    Raises:
        BadInput: a source does not exist, cannot be listed, holds no steps, or is a genesis file.
    """
    traces: list[Trace] = []
    loose: list[Path] = []
    for source in sources:
        if source.is_dir():
            if loose:
                traces.append(_loose(loose))
                loose = []
            traces.append(_folder(source))
        elif source.name == GENESIS_NAME:
            advice = "name its folder to import the chain from its genesis"
            raise BadInput("this is a genesis, not a step", source, advice=advice)
        else:
            Cursor(source).__exit__(None, None, None)
            loose.append(source)
    if loose:
        traces.append(_loose(loose))
    return traces


def _loose(files: list[Path]) -> Trace:
    name = files[0].name if len(files) == 1 else f"{len(files)} files"
    return Trace(name, None, tuple(files))


def _folder(folder: Path) -> Trace:
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from None
    steps = tuple(file for file in files if file.suffix == ".bin" and file.stem.isdecimal())
    if not steps:
        inner = sum(1 for file in files if file.is_dir())
        advice = f"name one of its {inner} folders" if inner else "name a folder with 00000001.bin"
        raise BadInput("the folder holds no steps (numbered .bin files)", folder, advice=advice)
    genesis = folder / GENESIS_NAME
    return Trace(folder.resolve().name, genesis if genesis.is_file() else None, steps)


def infer_params(trace: Trace) -> ChainParams:
    """The chain specification by whose sizes the first file of a trace decodes: tiny, else full.

    Raises:
        BadInput: neither fits.
    """
    failures = []
    for params in NAMED.values():
        try:
            if trace.genesis is None:
                read_step(trace.steps[0], params)
            else:
                read_genesis(trace.genesis, params)
            return params
        except BadInput as error:
            failures.append(error)
    # The attempt that got furthest knows best what is wrong.
    raise max(failures, key=lambda error: error.offset or 0)


def read_step(path: Path, params: ChainParams) -> Step:
    """Open the file of one step.

    Raises:
        BadInput: the file cannot be read, is no step, or belongs to another chain specification.
    """
    with Cursor(path) as cursor:
        cursor.refuse_other_kinds()
        prior = _walk_state(cursor, "prior", params)
        block, encoded = _block(cursor, params)
        posterior = _walk_state(cursor, "posterior", params)
        _expect_end(cursor)
    return Step(path, prior, block, encoded, posterior)


def read_genesis(path: Path, params: ChainParams) -> StoredGenesis:
    """Open the file of a genesis.

    Raises:
        BadInput: as for :func:`read_step`.
    """
    with Cursor(path) as cursor:
        cursor.refuse_other_kinds()
        try:
            header, end = codec(Header, params).decode_prefix(cursor.peek(_header_bound(params)))
        except DecodeError as error:
            raise _undecodable(cursor, error, "header", params) from None
        cursor.move(end)
        state = _walk_state(cursor, "state", params)
        _expect_end(cursor)
    return StoredGenesis(header, state)


def _header_bound(params: ChainParams) -> int:
    return 4096 + 64 * params.validator_count + 64 * params.epoch_length


def _walk_state(cursor: Cursor, field: str, params: ChainParams) -> StoredState:
    """Go over a recorded state."""
    root = cursor.take(32, f"{field}.state_root")
    count = cursor.natural(f"{field}.entries")
    if count * _LEAST_ENTRY > cursor.left:
        reason = f"{count} entries announced, {cursor.left} octets left"
        raise cursor.error(reason, f"{field}.entries", TRUNCATED_ADVICE)
    state = StoredState(cursor.path, field, root, cursor.offset, count)
    for index in range(count):
        name = f"{field}.entries[{index}]"
        key = cursor.take(_KEY_OCTETS, f"{name}.key")
        size = cursor.natural(f"{name}.value")
        if key == _ACTIVE_VALIDATORS and size != params.validator_count * _VALIDATOR_OCTETS:
            raise cursor.error(
                f"the state has {size / _VALIDATOR_OCTETS:g} validators, "
                f"chain {params.name!r} has {params.validator_count}",
                f"{name}.value",
                CHAIN_ADVICE,
            )
        cursor.skip(size, f"{name}.value")
    return state


def _block(cursor: Cursor, params: ChainParams) -> tuple[Block, bytes]:
    """The block at the position, whose size only its decoding tells."""
    bite = _FIRST_BITE
    while True:
        data = cursor.peek(min(bite, cursor.left))
        try:
            block, end = codec(Block, params).decode_prefix(data)
        except DecodeError as error:
            if len(data) == cursor.left:
                raise _undecodable(cursor, error, "block", params) from None
            bite *= 2
        else:
            cursor.skip(end, "block")
            return block, data[:end]


def _undecodable(cursor: Cursor, error: DecodeError, field: str, params: ChainParams) -> BadInput:
    path = f"{field}.{error.path}" if error.path else field
    return BadInput(
        f"{error.reason}, by the sizes of chain {params.name!r}",
        cursor.path,
        offset=cursor.offset + error.offset,
        field=path,
        advice=f"fetch the file again, or {CHAIN_ADVICE}",
    )


def _expect_end(cursor: Cursor) -> None:
    if cursor.left:
        reason = f"{cursor.left} octets behind the end"
        raise cursor.error(reason, "", f"fetch the file again, or {CHAIN_ADVICE}")
