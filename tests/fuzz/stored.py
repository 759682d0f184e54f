"""Targets that read files of strangers: archives, snapshots, witnesses, proofs, logs."""

from __future__ import annotations

import contextlib
import io
import struct
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

from jamliquor.chain import events, witness
from jamliquor.chain.record import BlockRecord
from jamliquor.codec import FixedBytes, codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.crypto.hashing import blake3
from jamliquor.errors import DecodeError, InvalidBlock, ProofError, WitnessIncomplete
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state import proof
from jamliquor.store import segments, snapshot
from jamliquor.store.archive import ArchiveReader
from jamliquor.store.memory import MemoryStore
from jamliquor.store.snapshot_writer import write_snapshot
from jamliquor.types.block import Block
from jamliquor.types.header import Header
from tests.fuzz.octets import story
from tests.fuzz.target import Check, Target, demand
from tests.support.archives import write_archive

NAME = Path("from a stranger")


def _framed(data: bytes, start: int, head: struct.Struct) -> bytes:
    """The octets with the right checksum in every frame, or changes would never get past those.

    A frame's head ends with length and checksum; what comes before them is summed up too.
    """
    found = bytearray(data)
    at = start
    while at + head.size <= len(data):
        *kind, length, _ = head.unpack_from(data, at)
        end = at + head.size + length
        checksum = zlib.crc32(data[at + head.size : end], zlib.crc32(bytes(kind)))
        found[at + head.size - 4 : at + head.size] = checksum.to_bytes(4, "little")
        at = end
    return bytes(found)


def _archives() -> Check:
    head = struct.Struct("<BII")

    def check(data: bytes) -> None:
        for octets in (data, _framed(data, 8, head)):
            with contextlib.suppress(BadInput):
                reader = ArchiveReader(io.BytesIO(octets), NAME)
                for key, _ in reader.entries():
                    demand(len(key) == 31, "a key of another size")
                for _ in reader.blocks():
                    pass

    return check


def _archive_seeds() -> Iterable[bytes]:
    maker = story().maker
    with tempfile.TemporaryDirectory() as folder:
        few = maker.path(story().head.hash)[:2]
        yield write_archive(Path(folder) / "chain.jam", maker, few).read_bytes()


# Snapshots: the input is what the frames hold, so that changes are behind checksums and packing.


def _snapshots() -> Check:
    head = struct.Struct("<BH")
    kinds = list(snapshot.Kind)

    def check(data: bytes) -> None:
        octets = snapshot.MAGIC + bytes([snapshot.VERSION])
        at = 0
        while at + head.size <= len(data):
            kind, length = head.unpack_from(data, at)
            at += head.size
            made = kinds[kind % len(kinds)]
            packed = made in (snapshot.Kind.ENTRIES, snapshot.Kind.ANCESTORS) and kind < 128
            octets += snapshot.frame(made, data[at : at + length], packed=packed)[0]
            at += length
        for given in (data, octets):
            with contextlib.suppress(BadInput):
                snapshot.SnapshotReader(io.BytesIO(given), NAME).verify()

    return check


def _snapshot_seeds() -> Iterable[bytes]:
    made = story().maker.path(story().head.hash)[-1]
    header = codec(Header, TINY).encode(made.block.header)
    record = BlockRecord(made.hash, made.parent, made.slot, 3, made.root, False, header)
    store = MemoryStore(TINY)
    store.initialise(record, made.state.items(), genesis=bytes(32), ancestors=[])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot"
        write_snapshot(path, store, made.hash, TINY, bytes(32))
        with path.open("rb") as file:
            reader = snapshot.SnapshotReader(file, path)
            head = snapshot.encode_contents(reader.contents)
            frames = [(snapshot.Kind.HEAD, head)]
            with contextlib.suppress(BadInput):
                while frames[-1][0] is not snapshot.Kind.END:
                    frames.append(reader.next_frame())
    kinds = list(snapshot.Kind)
    yield b"".join(
        struct.pack("<BH", kinds.index(kind), len(payload)) + payload for kind, payload in frames
    )


# Witnesses: the first octet chooses the block that is judged by them.


def _witnesses() -> Check:
    engine = NativeEngine()
    blocks = [made.encoded for made in story().maker.path(story().head.hash)]

    def check(data: bytes) -> None:
        if len(data) <= _CHECKED:
            return
        rest = data[_CHECKED:]
        octets = data[1 : len(witness.MAGIC) + 2] + blake3(rest) + rest
        with contextlib.suppress(DecodeError, InvalidBlock, WitnessIncomplete):
            opened = witness.open_witness(octets)
            block = codec(Block, opened.params).decode(blocks[data[0] % len(blocks)])
            witness.validate(opened, engine, block)

    return check


_CHECKED = 1 + len(witness.MAGIC) + 1 + 32


def _witness_seeds() -> Iterable[bytes]:
    maker = story().maker
    for index, made in enumerate(maker.path(story().head.hash)):
        if index % 4 == 0:
            state = maker.state(made.parent)
            recorded = witness.record(TINY, NativeEngine(), made.block, state, None)
            yield bytes([index]) + recorded.witness


# Proofs: entries and nodes as their lengths cut them.


class _Proof(NamedTuple):
    first: Annotated[bytes, FixedBytes(31)]
    last: Annotated[bytes, FixedBytes(31)]
    nodes: tuple[bytes, ...]
    entries: tuple[tuple[bytes, bytes], ...]


def _proofs() -> Check:
    trie = story().head.state.trie
    decode = codec(_Proof, TINY).decode

    def check(data: bytes) -> None:
        with contextlib.suppress(DecodeError, ProofError):
            shown = proof.RangeProof(*decode(data))
            proof.verify(trie.root, shown)
            listed = [item for item in trie.items(shown.first) if item[0] <= shown.last]
            demand(list(shown.entries) == listed, "a proof of something else was accepted")

    return check


def _proof_seeds() -> Iterable[bytes]:
    trie = story().head.state.trie
    present = [key for key, _ in trie.items()]
    for first, last in ((present[3], present[3]), (present[2], present[9]), (bytes(31), b"\xff" * 31)):
        yield codec(_Proof, TINY).encode(_Proof(*proof.prove(trie, first, last)))


def _events() -> Check:
    def check(data: bytes) -> None:
        with contextlib.suppress(DecodeError):
            event = events.decode_event(data)
            demand(event is None or events.encode_event(event) == data, "not its own encoding")

    return check


def _event_seeds() -> Iterable[bytes]:
    seen = events.Received(bytes(32), bytes(32), 7, 100, b"chain.jam")
    yield events.encode_event(seen)
    for version in (1, 2):
        for kind in events.Kind:
            yield bytes([kind, version]) + bytes(200)


def _logs() -> Check:
    def check(data: bytes) -> None:
        for octets in (data, _framed(data, segments.HEAD.size, segments.FRAME)):
            found = segments.scan(NAME, octets)
            for begin, end in found.frames:
                demand(0 < begin < end <= len(octets), "a frame outside of the file")
                with contextlib.suppress(DecodeError):
                    events.decode_event(octets[begin + segments.STAMP.size : end])

    return check


def _log_frame(payload: bytes) -> bytes:
    return segments.FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _log_seeds() -> Iterable[bytes]:
    payloads = [bytes(16) + seed for seed in _event_seeds()]
    yield segments.encode_head(0) + b"".join(map(_log_frame, payloads[:4]))
    yield segments.encode_head(2**63)


TARGETS = (
    Target("archives", _archives, _archive_seeds, 1 << 15),
    Target("snapshots", _snapshots, _snapshot_seeds, 1 << 15),
    Target("witnesses", _witnesses, _witness_seeds, 1 << 15),
    Target("proofs", _proofs, _proof_seeds, 1 << 15),
    Target("events", _events, _event_seeds, 512),
    Target("event-logs", _logs, _log_seeds, 4096),
)
