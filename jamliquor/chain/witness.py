"""Witnesses: all that a block needs of its chain, so that it can be judged without the state.

A witness holds the part of the parent's state that the block touches, and the headers that its
lookup anchors may name. Nothing in it is taken on trust: the part has a root that the block's header
names, and the headers are linked by their hashes to the block's parent.

A file begins with seven octets that name the format and one that is its version, then a BLAKE3
checksum (32) of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, NamedTuple

from jamliquor.chain.importer import Imported, Importer
from jamliquor.chain_spec import ENCODED_SIZE, decode_params, encode_params
from jamliquor.codec import FixedBytes, Hash, codec
from jamliquor.crypto.hashing import blake2b, blake3
from jamliquor.errors import DecodeError, InvalidBlock, WitnessIncomplete
from jamliquor.params import FULL, NAMED, ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.state.state import State
from jamliquor.state.witness import PartialTrie, RecordingTrie, open_partial, partial_of
from jamliquor.types.block import Block
from jamliquor.types.header import Header

MAGIC: Final = b"jamwit\0"
VERSION: Final = 1

_CHECKSUM_OCTETS: Final = 32
_HEAD_OCTETS: Final = len(MAGIC) + 1 + _CHECKSUM_OCTETS


class _Body(NamedTuple):
    chain: bytes
    params: Annotated[bytes, FixedBytes(ENCODED_SIZE)]
    parent: Hash
    ancestry: bool
    headers: tuple[bytes, ...]
    part: bytes


class Witness(NamedTuple):
    """What :func:`validate` needs beside the block.

    Attributes:
        parent: hash of the header of the block's parent.
        trie: the part of the state after it.
        ancestry: whether lookup anchors can be checked; where nobody knew the headers, they cannot.
        headers: encoded headers from the parent backwards, as far as anchors of the block reach.
    """

    params: ChainParams
    parent: bytes
    trie: PartialTrie
    ancestry: bool
    headers: tuple[bytes, ...]


class Recorded(NamedTuple):
    """A block that was imported while everything it touched was recorded.

    Attributes:
        witness: encoded.
        keys: how many keys of the state the block touched.
        imported: what came of it, or None where it was refused.
        refusal: why it was refused.
    """

    witness: bytes
    keys: int
    imported: Imported | None
    refusal: InvalidBlock | None


def oldest_anchor(block: Block) -> int | None:
    """The slot of the oldest lookup anchor that a block names, or None if it has no reports."""
    slots = [one.report.context.lookup_anchor_slot for one in block.extrinsic.guarantees]
    return min(slots, default=None)


def record(
    params: ChainParams,
    engine: Engine,
    block: Block,
    prior: State,
    headers: Iterable[bytes] | None,
) -> Recorded:
    """Import a block on its parent's state and make the witness for it.

    Args:
        headers: encoded headers from the parent backwards, at least to :func:`oldest_anchor`, or to
            the first one; None where they are not known.

    Raises:
        DecodeError: a header, or the state, is malformed.
        HostError: this machine failed.
    """
    trie = RecordingTrie(prior.trie)
    needed = _needed(params, block, headers)
    importer = _importer(params, engine, block.header.parent, State(params, trie), needed)
    imported, refusal = None, None
    try:
        imported = importer.import_block(block)
    except InvalidBlock as error:
        refusal = error
    body = _Body(
        params.name.encode(),
        encode_params(params),
        block.header.parent,
        needed is not None,
        needed or (),
        partial_of(prior.trie, trie.read, trie.changed),
    )
    octets = codec(_Body, FULL).encode(body)
    witness = MAGIC + bytes((VERSION,)) + blake3(octets) + octets
    return Recorded(witness, len(trie.read | trie.changed.keys()), imported, refusal)


def open_witness(octets: bytes) -> Witness:
    """Decode a witness.

    Raises:
        DecodeError: it is none, damaged, cut short, or of a newer version.
    """
    if octets[: len(MAGIC)] != MAGIC or len(octets) < _HEAD_OCTETS:
        raise DecodeError("this is no witness, or it was cut short")
    if octets[len(MAGIC)] != VERSION:
        reason = f"a witness of format {octets[len(MAGIC)]}, this version reads format {VERSION}"
        raise DecodeError(reason, offset=len(MAGIC))
    rest = octets[_HEAD_OCTETS:]
    if blake3(rest) != octets[len(MAGIC) + 1 : _HEAD_OCTETS]:
        raise DecodeError("the witness is damaged or was cut short: its checksum differs")
    body = codec(_Body, FULL).decode(rest)
    try:
        name = body.chain.decode()
        trie = open_partial(body.part)
    except ValueError as error:
        raise DecodeError(str(error)) from None
    params = decode_params(body.params, name)
    known = NAMED.get(name)
    params = known if known == params else params
    return Witness(params, body.parent, trie, body.ancestry, body.headers)


def validate(witness: Witness, engine: Engine, block: Block) -> Imported:
    """Judge a block by its witness alone; the result has the root of the state after it.

    Raises:
        InvalidBlock: a rule of the protocol is broken.
        WitnessIncomplete: the witness is for another block or lacks something; nothing is judged.
        DecodeError: what it shows of the state is malformed.
        HostError: this machine failed.
    """
    if block.header.parent != witness.parent:
        raise WitnessIncomplete(
            f"the witness is for blocks on 0x{witness.parent.hex()}, "
            f"this one is on 0x{block.header.parent.hex()}"
        )
    headers = witness.headers if witness.ancestry else None
    if headers is not None:
        _demand_reach(witness.params, headers, oldest_anchor(block))
    state = State(witness.params, witness.trie)
    return _importer(witness.params, engine, witness.parent, state, headers).import_block(block)


def _needed(
    params: ChainParams, block: Block, headers: Iterable[bytes] | None
) -> tuple[bytes, ...] | None:
    oldest = oldest_anchor(block)
    if oldest is None:
        return ()
    if headers is None:
        return None
    needed = []
    for encoded in headers:
        needed.append(encoded)
        if codec(Header, params).decode(encoded).slot <= oldest:
            break
    return tuple(needed)


def _demand_reach(params: ChainParams, headers: tuple[bytes, ...], oldest: int | None) -> None:
    """Refuse to take an anchor for no ancestor because its header was left out."""
    if oldest is None:
        return
    last = codec(Header, params).decode(headers[-1]) if headers else None
    if last is None or (last.slot > oldest and last.parent != bytes(32)):
        raise WitnessIncomplete(f"the witness lacks headers down to slot {oldest}")


def _importer(
    params: ChainParams,
    engine: Engine,
    parent: bytes,
    state: State,
    headers: Iterable[bytes] | None,
) -> Importer:
    importer = Importer(params, engine, check_ancestry=headers is not None)
    line: list[tuple[bytes, int]] = []
    expected = parent
    for encoded in headers or ():
        if blake2b(encoded) != expected:
            raise WitnessIncomplete(f"the witness lacks the header 0x{expected.hex()}")
        header = codec(Header, params).decode(encoded)
        line.append((expected, header.slot))
        expected = header.parent
    importer.add_ancestors(line[::-1])
    importer.start(parent, state)
    return importer
