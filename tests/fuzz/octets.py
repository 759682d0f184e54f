"""Targets that read octets: every decoder, messages of the socket, recorded files, signatures."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jamliquor.chain_spec import encode_params, params_of_spec
from jamliquor.codec import codec
from jamliquor.conformance import messages, traces
from jamliquor.conformance.bad_input import BadInput
from jamliquor.conformance.messages import BrokenMessage, Message, MessageReader, Version
from jamliquor.conformance.session import REQUESTS, Session
from jamliquor.crypto import BadSignature, bandersnatch, ed25519, ring
from jamliquor.errors import DecodeError, HostError
from jamliquor.params import FULL, NAMED, TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state.state import COMPONENT_TYPES
from tests.fuzz.target import Check, Target, demand
from tests.support.kinds import KINDS
from tests.support.story import Story, tell
from tests.support.target import HANDSHAKE, block_message, initialize_message
from tests.support.traces import genesis_file, step_file
from tests.support.validators import validator

_KINDS = sorted(KINDS)


@cache
def story() -> Story:
    """One chain for all targets of a process."""
    return tell()


# Decoders: the first octet chooses the type, the second the chain.


def _decoders() -> Check:
    def check(data: bytes) -> None:
        if len(data) < 2:
            return
        params = FULL if data[1] & 1 else TINY
        subject = codec(KINDS[_KINDS[data[0] % len(_KINDS)]], params)
        try:
            value = subject.decode(data[2:])
        except DecodeError as error:
            demand(0 <= error.offset <= len(data) - 2, "an offset outside of the input")
        else:
            demand(subject.encode(value) == data[2:], "decoded what is not the value's encoding")

    return check


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    """All records within a value, by the name of their type."""
    if type(value).__name__ in KINDS:
        yield type(value).__name__, value
    if isinstance(value, tuple | frozenset):
        for item in value:
            yield from _parts(item)


def _decoder_seeds() -> Iterable[bytes]:
    found: dict[str, bytes] = {}
    head = story().head
    for made in story().maker.path(head.hash):
        for name, value in _parts(made.block):
            found[name] = codec(KINDS[name], TINY).encode(value)
    for index, kind in COMPONENT_TYPES.items():
        value = head.state.component(index)
        found[f"component {index}"] = codec(kind, TINY).encode(value)
        found |= {name: codec(KINDS[name], TINY).encode(part) for name, part in _parts(value)}
    return [bytes([_KINDS.index(name), 0]) + encoded for name, encoded in found.items()]


# Messages: the first octet says into which pieces the stream is cut.


def _stream(data: bytes, step: int) -> list[Message | str]:
    """The messages of a stream fed in pieces, and a word where it breaks."""
    reader = MessageReader(TINY, frozenset(range(256)))
    reader.trusted = True
    found: list[Message | str] = []
    for at in range(0, len(data), step):
        reader.feed(data[at : at + step])
        try:
            while (message := reader.next()) is not None:
                found.append(message)
        except BrokenMessage:
            return [*found, "broken"]
    return found


def _framing() -> Check:
    def check(data: bytes) -> None:
        whole = _stream(data[1:], max(1, len(data)))
        pieces = _stream(data[1:], 1 + data[0] % 64 if data else 1)
        demand([*map(_kind, whole)] == [*map(_kind, pieces)], "messages depend on how they are cut")

    return check


def _kind(message: Message | str) -> Any:
    """What two readings of a message have in common: states by their root."""
    if isinstance(message, messages.Initialize):
        return message.header, message.state.root, message.ancestry
    return getattr(message, "root", message)


def _conversation() -> Check:
    engine = NativeEngine()

    def check(data: bytes) -> None:
        session = Session(TINY, engine, "fuzz", Version(0, 0, 0))
        reader = MessageReader(TINY, REQUESTS)
        reader.feed(data)
        with contextlib.suppress(BrokenMessage, HostError):
            while (message := reader.next()) is not None:
                octets = b"".join(session.answer(message))
                demand(len(octets) - 4 == int.from_bytes(octets[:4], "little"), "a bad answer")
                reader.trusted = True

    return check


def _conversation_seeds() -> Iterable[bytes]:
    made = story().maker.made[story().forks[0].hash]
    parent = story().maker.made[made.parent]
    entries = tuple(parent.state.items())
    size = messages.entries_size(entries)
    opening = b"".join(messages.encode_initialize(TINY, parent.block.header, entries, *size))
    question = messages.frame(messages.GET_STATE, made.hash)
    yield HANDSHAKE + opening + block_message(made.encoded) + question
    yield HANDSHAKE + initialize_message() + block_message()


def _framing_seeds() -> Iterable[bytes]:
    return [b"\7" + HANDSHAKE + seed for seed in _conversation_seeds()] + [
        b"\1" + messages.encode_error("no"),
        b"\2" + messages.frame(messages.STATE_ROOT, bytes(32)),
    ]


# Recorded files.


def _files() -> Check:
    # A file in memory where there is one: this is written for every input.
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())
    path = folder / f"jamliquor-fuzz-{os.getpid()}.bin"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            for read in (traces.read_step, traces.read_genesis):
                for params in NAMED.values():
                    with contextlib.suppress(BadInput):
                        read(path, params)
        finally:
            path.unlink()

    return check


def _file_seeds() -> Iterable[bytes]:
    return [step_file(), genesis_file()]


def _chain_specs() -> Check:
    def check(data: bytes) -> None:
        try:
            spec = json.loads(data)
        except (ValueError, RecursionError):
            return
        with contextlib.suppress(DecodeError):
            params = params_of_spec(spec)
            again = params_of_spec({"id": "x", "protocol_parameters": encode_params(params).hex()})
            demand(encode_params(again) == encode_params(params), "parameters do not come back")

    return check


def _chain_spec_seeds() -> Iterable[bytes]:
    for params in NAMED.values():
        spec = {"id": params.name, "protocol_parameters": encode_params(params).hex()}
        yield json.dumps(spec).encode()


# Signatures, keys and proofs: what does not verify raises BadSignature, whatever its octets are.


def _signatures() -> Check:
    roots = [ring.commitment([validator(index).keys.bandersnatch for index in range(6)])]

    def check(data: bytes) -> None:
        kind, data = data[:1], data[1:]
        with contextlib.suppress(BadSignature):
            if kind == b"\0":
                ed25519.verify(data[:32].ljust(32, b"\0"), data[96:], data[32:96].ljust(64, b"\0"))
            elif kind == b"\1":
                signature = data[32:128].ljust(96, b"\0")
                output = bandersnatch.output(signature)
                key = data[:32].ljust(32, b"\0")
                demand(bandersnatch.verify(key, data[128:], b"", signature) == output, "two outputs")
            elif kind == b"\2":
                proof = data[:784].ljust(784, b"\0")
                ring.verify_batch(roots[0], 6, [(data[784:], b"", proof)])
            elif kind == b"\3":
                root = ring.commitment(
                    [data[at : at + 32].ljust(32, b"\0") for at in range(0, 192, 32)]
                )
                demand(len(root) == 144, "a commitment of another size")
            elif kind == b"\4":
                ring.verify_batch(data[:144].ljust(144, b"\0"), 6, [(b"", b"", bytes(784))])

    return check


def _signature_seeds() -> Iterable[bytes]:
    one = validator(0)
    yield b"\0" + one.keys.ed25519 + one.ed25519.sign(b"hello") + b"hello"
    yield b"\1" + one.keys.bandersnatch + one.bandersnatch.sign(b"hello", b"") + b"hello"
    for made in story().maker.path(story().head.hash):
        for envelope in made.block.extrinsic.tickets[:1]:
            yield b"\2" + envelope.proof + b"jam_ticket_seal"
    keys = [validator(index).keys.bandersnatch for index in range(6)]
    yield b"\3" + b"".join(keys)
    yield b"\4" + ring.commitment(keys)


TARGETS = (
    Target("decoders", _decoders, _decoder_seeds, 8192),
    Target("framing", _framing, _framing_seeds, 1 << 16),
    Target("conversation", _conversation, _conversation_seeds, 1 << 16),
    Target("files", _files, _file_seeds, 8192),
    Target("chain-specs", _chain_specs, _chain_spec_seeds, 1024),
    Target("signatures", _signatures, _signature_seeds, 1200),
)
