"""What decoding refuses, where it says so, and what it leaves to the chapters."""

from __future__ import annotations

import tracemalloc
from typing import Annotated, Any, NamedTuple

import pytest

from jamliquor.codec import U32, Bits, Case, Choice, Hash, Length, Natural, codec
from jamliquor.errors import DecodeError
from jamliquor.params import TINY
from jamliquor.types.extrinsic import Disputes, Tickets
from jamliquor.types.work import WorkDigest, WorkReport


class Inner(NamedTuple):
    """A record inside another."""

    flag: bool
    blob: bytes


class Outer(NamedTuple):
    """A record with every kind of place where decoding can stop."""

    number: U32
    hash: Hash
    many: tuple[Inner, ...]
    maybe: Inner | None


def refused(kind: Any, data: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        codec(kind, TINY).decode(data)
    return caught.value


HEAD = bytes(36)
INNER = b"\1\2ab"


@pytest.mark.parametrize(
    ("data", "path", "offset", "reason"),
    [
        (bytes(3), "number", 0, "truncated"),
        (bytes(20), "hash", 4, "truncated"),
        (HEAD, "many", 36, "truncated"),
        (HEAD + b"\2" + INNER + b"\2\0", "many[1].flag", 41, "not a boolean (0 or 1)"),
        (HEAD + b"\1\1\5abc", "many[0].blob", 39, "truncated: 5 octets announced, 3 left"),
        (HEAD + b"\0\2", "maybe", 37, "not an option (0 or 1)"),
        (HEAD + b"\0\1\1", "maybe.blob", 39, "truncated"),
        (HEAD + b"\0\0\7", "", 38, "1 octets left over"),
    ],
)
def test_errors_name_field_and_offset(data: bytes, path: str, offset: int, reason: str) -> None:
    error = refused(Outer, data)
    assert (error.path, error.offset, error.reason) == (path, offset, reason)


@pytest.mark.parametrize("octets", [b"\x80\x7f", b"\xc0\x00\x00", b"\xff" + bytes(8)])
def test_a_natural_has_one_form(octets: bytes) -> None:
    assert refused(Natural, octets).reason == "natural not in its shortest form"


def test_padding_bits_are_zero() -> None:
    bits = Annotated[bytes, Bits(10)]
    assert codec(bits, TINY).decode(b"\xff\x03") == b"\xff\x03"
    assert refused(bits, b"\xff\x04").reason == "padding bits are not zero"
    with pytest.raises(ValueError, match="beyond the 10"):
        codec(bits, TINY).encode(b"\xff\x04")


def test_sets_and_dictionaries_ascend() -> None:
    assert "ascending" in refused(frozenset[U32], b"\2" + bytes(8)).reason
    assert "ascending" in refused(dict[U32, U32], b"\2\1\0\0\0" + bytes(12)).reason


def test_unknown_discriminator() -> None:
    kind = Annotated[Any, Choice(Case(0, schema=bytes, kind=bytes), Case(3, constant=False))]
    assert codec(kind, TINY).decode(b"\3") is False
    assert refused(kind, b"\1").reason == "unknown discriminator 1"
    with pytest.raises(ValueError, match="no discriminator"):
        codec(kind, TINY).encode(7)


def test_wrong_sizes_do_not_encode() -> None:
    with pytest.raises(ValueError, match="wrong number of octets"):
        codec(Outer, TINY).encode(Outer(1, bytes(31), (), None))
    with pytest.raises(ValueError, match="2 items where 3 belong"):
        codec(Annotated[tuple[Hash, ...], Length(3)], TINY).encode((bytes(32), bytes(32)))


@pytest.mark.parametrize("kind", [Tickets, tuple[U32, ...], bytes, tuple[Inner, ...], dict[U32, U32]])
def test_a_hostile_length_never_allocates(kind: Any) -> None:
    codec(kind, TINY)
    tracemalloc.start()
    error = refused(kind, b"\xf0\x00\x00\x00\x80" + bytes(64))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "2147483648" in error.reason
    assert peak < 100_000


def test_ranges_and_counts_are_left_to_the_chapters() -> None:
    proof = bytes(784)
    assert codec(Tickets, TINY).decode(b"\1\3" + proof)[0].attempt == 3
    report = bytes(32 + 4 + 64 + 2) + bytes(32 * 4 + 4) + b"\x09" + bytes(9 * 32) + b"\3" + bytes(32)
    decoded = codec(WorkReport, TINY).decode(report + b"\0\0\0\0")
    assert (decoded.core, len(decoded.context.prerequisites), decoded.digests) == (3, 9, ())


def test_the_paper_names_six_work_errors() -> None:
    for tag in range(1, 7):
        digest = bytes(4 + 32 + 32 + 8) + bytes((tag,)) + bytes(5)
        assert codec(WorkDigest, TINY).encode(codec(WorkDigest, TINY).decode(digest)) == digest
    assert refused(WorkDigest, bytes(76) + b"\7" + bytes(5)).path == "result"


def test_a_verdict_has_exactly_its_votes() -> None:
    assert refused(Disputes, b"\1" + bytes(36) + bytes(4 * 67)).path.startswith("verdicts")
