"""Hypothesis strategies for every declared type, made from the same annotations as its codec."""

from __future__ import annotations

import types
import typing
from typing import Any

from hypothesis import strategies as st

from jamliquor.codec import schema
from jamliquor.params import ChainParams

MAX_ITEMS = 3


def _size(size: schema.Size, params: ChainParams) -> int:
    return size if isinstance(size, int) else int(getattr(params, size))


def naturals() -> st.SearchStrategy[int]:
    """Naturals below 2^64, often at the edges where the encoding grows by an octet."""
    edges = [(1 << (7 * k)) + d for k in range(1, 10) for d in (-1, 0)]
    return st.one_of(
        st.integers(0, 2**64 - 1), st.sampled_from([e for e in edges if e < 2**64] + [0, 2**64 - 1])
    )


def _bits(count: int) -> st.SearchStrategy[bytes]:
    octets = (count + 7) // 8
    return st.integers(0, 2**count - 1).map(lambda value: value.to_bytes(octets, "little"))


def _annotated(annotation: Any, params: ChainParams) -> st.SearchStrategy[Any]:
    base, marker = annotation.__origin__, annotation.__metadata__[0]
    match marker:
        case schema.Uint(octets):
            return st.integers(0, 2 ** (8 * octets) - 1)
        case schema.Compact():
            return naturals()
        case schema.FixedBytes(size):
            size = _size(size, params)
            # Long octet strings carry little meaning: a repeated octet keeps examples small.
            return st.integers(0, 255).map(lambda octet: bytes((octet,)) * size)
        case schema.Bits(count):
            return _bits(_size(count, params))
        case schema.Length(count):
            item = strategy(typing.get_args(base)[0], params)
            count = _size(count, params)
            # All items equal but one: as telling as random ones and far cheaper to draw.
            return st.tuples(item, item, st.integers(0, max(0, count - 1))).map(
                lambda drawn: tuple(drawn[1 if i == drawn[2] else 0] for i in range(count))
            )
        case schema.Choice(cases):
            return st.one_of(
                *(
                    st.just(case.constant) if case.schema is None else strategy(case.schema, params)
                    for case in cases
                )
            )
    raise TypeError(annotation)


def strategy(annotation: Any, params: ChainParams) -> st.SearchStrategy[Any]:
    """Values of a record class or of any annotation that the codec understands."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _annotated(annotation, params)
    if isinstance(annotation, type) and hasattr(annotation, "_fields"):
        hints = typing.get_type_hints(annotation, include_extras=True)
        fields = {name: strategy(hints[name], params) for name in annotation._fields}
        return st.builds(annotation, **fields)
    if annotation is bool:
        return st.booleans()
    if annotation is bytes:
        return st.binary(max_size=300)
    return _generic(annotation, params)


def _generic(annotation: Any, params: ChainParams) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = next(a for a in arguments if a is not types.NoneType)
        return st.none() | strategy(inner, params)
    if origin is tuple and arguments[1] is Ellipsis:
        return st.lists(strategy(arguments[0], params), max_size=MAX_ITEMS).map(tuple)
    if origin is tuple:
        return st.tuples(*(strategy(argument, params) for argument in arguments))
    if origin is frozenset:
        return st.frozensets(strategy(arguments[0], params), max_size=MAX_ITEMS)
    key, value = (strategy(argument, params) for argument in arguments)
    return st.dictionaries(key, value, max_size=MAX_ITEMS)
