"""JAM serialization (appendix C): declared as type annotations, compiled once into plain functions."""

from jamliquor.codec.compiler import Codec, codec
from jamliquor.codec.schema import (
    U8,
    U16,
    U32,
    U64,
    Bits,
    Case,
    Choice,
    FixedBytes,
    Hash,
    Length,
    Natural,
    Uint,
)

__all__ = [
    "U8",
    "U16",
    "U32",
    "U64",
    "Bits",
    "Case",
    "Choice",
    "Codec",
    "FixedBytes",
    "Hash",
    "Length",
    "Natural",
    "Uint",
    "codec",
]
