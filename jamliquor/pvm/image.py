"""The three things that hold a program: a bare blob, a standard program, a service's code preimage."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from jamliquor.codec.runtime import Refusal, decode_natural, encode_natural
from jamliquor.pvm.program import (
    InvalidProgram,
    ProgramBlob,
    StandardProgram,
    encode_standard,
    parse_program,
    parse_standard,
)

__all__ = ["Image", "Kind", "parse_image", "recognise"]

_STANDARD_HEADER = 11
_CODE_LENGTH = 4


class Kind(enum.StrEnum):
    """What octets that hold a program are."""

    PROGRAM = "program"
    STANDARD = "standard"
    SERVICE = "service"

    @property
    def noun(self) -> str:
        """What people call it."""
        return {"program": "program blob", "standard": "standard program", "service": "service code"}[
            self.value
        ]


@dataclass(frozen=True, slots=True)
class Image:
    """A program with what it is wrapped in.

    Attributes:
        code: the program blob (section A.1).
        standard: the standard program around it (section A.7), if there is one.
        metadata: what stands before that in a code preimage (equation 9.4), if it is one.
    """

    code: bytes
    standard: StandardProgram | None = None
    metadata: bytes | None = None

    @property
    def kind(self) -> Kind:
        """What its octets are."""
        if self.standard is None:
            return Kind.PROGRAM
        return Kind.STANDARD if self.metadata is None else Kind.SERVICE

    @property
    def program(self) -> ProgramBlob:
        """The blob taken apart."""
        return parse_program(self.code)

    def encode(self) -> bytes:
        """The octets: the inverse of :func:`parse_image`."""
        if self.standard is None:
            return self.code
        blob = encode_standard(self.standard)
        if self.metadata is None:
            return blob
        return encode_natural(len(self.metadata)) + self.metadata + blob


def parse_image(data: bytes, kind: Kind) -> Image:
    """Take octets of a known kind apart, with the program blob in them.

    Raises:
        InvalidProgram: they are not of this kind; the offset counts from their start.
    """
    if kind is Kind.PROGRAM:
        parse_program(data)
        return Image(data)
    start = 0
    metadata = None
    if kind is Kind.SERVICE:
        metadata, start = _metadata(data)
    try:
        standard = parse_standard(data[start:])
    except InvalidProgram as invalid:
        raise InvalidProgram(invalid.reason, start + invalid.offset) from None
    start += _STANDARD_HEADER + len(standard.read_only) + len(standard.read_write) + _CODE_LENGTH
    try:
        parse_program(standard.code)
    except InvalidProgram as invalid:
        raise InvalidProgram(f"in the code: {invalid.reason}", start + invalid.offset) from None
    return Image(standard.code, standard, metadata)


def recognise(data: bytes) -> Image:
    """Take octets apart as the first kind, in the order of :class:`Kind`, that they are.

    Raises:
        InvalidProgram: they are of no kind; says why for each. The offset is the largest.
    """
    reasons, offset = [], 0
    for kind in Kind:
        try:
            return parse_image(data, kind)
        except InvalidProgram as invalid:
            reasons.append(f"no {kind.noun}: {invalid.reason} (byte {invalid.offset})")
            offset = max(offset, invalid.offset)
    raise InvalidProgram("; ".join(reasons), offset)


def _metadata(data: bytes) -> tuple[bytes, int]:
    """The metadata of a code preimage, and where the code begins."""
    try:
        length, start = decode_natural(data, 0)
    except (Refusal, IndexError):
        raise InvalidProgram("no natural in its shortest form for the metadata's length", 0) from None
    if length > len(data) - start:
        raise InvalidProgram("the metadata's length is more than what follows", 0)
    return data[start : start + length], start + length
