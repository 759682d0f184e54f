"""How a type says its encoding: markers for :data:`typing.Annotated`, and the common aliases.

A record is a ``NamedTuple`` whose fields are encoded in order. A field's annotation is one of

=============================  =================================================================
``Annotated[int, Uint(n)]``    little-endian natural of ``n`` octets (aliases ``U8`` to ``U64``)
``Natural``                    general natural of one to nine octets, shortest form only
``bool``                       one octet, 0 or 1
``bytes``                      octets behind their length
``Annotated[bytes,             exactly ``n`` octets (alias ``Hash`` for 32)
FixedBytes(n)]``
``Annotated[bytes, Bits(n)]``  ``n`` bits packed from the least significant; padding must be zero
``tuple[T, ...]``              items behind their count
``Annotated[tuple[T, ...],     exactly ``n`` items
Length(n)]``
``tuple[A, B]``                the parts in order
``T | None``                   0, or 1 and the value
``frozenset[T]``               items behind their count, strictly ascending
``dict[K, V]``                 pairs behind their count, strictly ascending by key
``Annotated[X, Choice(...)]``  a discriminator, then what it announces
another record                 its fields
=============================  =================================================================

A size is a number or the name of an attribute of :class:`~jamliquor.params.ChainParams`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

Size = int | str


@dataclass(frozen=True, slots=True)
class Uint:
    """A little-endian natural of ``octets`` octets (1, 2, 4 or 8; appendix C.1.7)."""

    octets: int


@dataclass(frozen=True, slots=True)
class Compact:
    """A general natural below 2^64, one to nine octets (appendix C.1.1)."""


@dataclass(frozen=True, slots=True)
class FixedBytes:
    """Exactly ``size`` octets, without a length."""

    size: Size


@dataclass(frozen=True, slots=True)
class Bits:
    """``count`` bits in the fewest octets, least significant bit first (appendix C.1.4)."""

    count: Size


@dataclass(frozen=True, slots=True)
class Length:
    """Exactly ``count`` items, without a count."""

    count: Size


@dataclass(frozen=True, slots=True)
class Case:
    """One alternative of a :class:`Choice`.

    Attributes:
        tag: the discriminator, below 128.
        schema: annotation of the value that follows, or None when nothing does.
        constant: the value that stands for the tag when nothing follows.
        kind: class by which the encoder recognises the value; not needed for constants.
    """

    tag: int
    schema: Any = None
    constant: Any = None
    kind: Any = None


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """A discriminated union (appendix C.1.3)."""

    cases: tuple[Case, ...]

    def __init__(self, *cases: Case) -> None:
        object.__setattr__(self, "cases", cases)


U8 = Annotated[int, Uint(1)]
U16 = Annotated[int, Uint(2)]
U32 = Annotated[int, Uint(4)]
U64 = Annotated[int, Uint(8)]
Natural = Annotated[int, Compact()]
Hash = Annotated[bytes, FixedBytes(32)]
