"""Turns annotated types into encoders and decoders: one generated pair of functions for each record.

Fields of a known layout that follow each other are read by one ``struct`` call. Generated code keeps
no account of where it is: when it fails, the failing line tells the field (:func:`_locate`), so an
error names its path and the good case pays nothing for it.
"""

from __future__ import annotations

import struct
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from jamliquor.codec import nodes, runtime, schema
from jamliquor.errors import DecodeError
from jamliquor.params import ChainParams

T = TypeVar("T")

_UINT_LAYOUT = {1: "B", 2: "H", 4: "I", 8: "Q"}

# Marks the file name of generated code, so that _locate knows its frames; lines map to paths there.
_FILE_PREFIX = "<codec "


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """The two directions of one type for one set of chain parameters.

    Attributes:
        encode: value to octets. Raises ``ValueError`` or ``struct.error`` when the value does not
            fit its type; that is a bug of the caller, never bad input.
    """

    encode: Callable[[T], bytes]
    _decode: Callable[[bytes, int], tuple[T, int]]

    def decode(self, data: bytes) -> T:
        """Decode all of ``data``.

        Raises:
            DecodeError: ``data`` is not the image of any value; trailing octets included.
        """
        value, end = self.decode_prefix(data)
        if end != len(data):
            raise DecodeError(f"{len(data) - end} octets left over", offset=end)
        return value

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[T, int]:
        """Decode one value at ``offset``; returns it and the offset behind it.

        Raises:
            DecodeError: as for :meth:`decode`, but octets behind the value are allowed.
        """
        try:
            return self._decode(data, offset)
        except (IndexError, struct.error, runtime.Refusal) as error:
            raise _locate(error, len(data)) from None


@overload
def codec(kind: type[T], params: ChainParams) -> Codec[T]: ...
@overload
def codec(kind: Any, params: ChainParams) -> Codec[Any]: ...
def codec(kind: Any, params: ChainParams) -> Codec[Any]:
    """The codec of a record class or of any annotation of :mod:`jamliquor.codec.schema`.

    Compiled at the first call and kept in ``params``; a type that is no record is compiled as if it
    were a record with one field.
    """
    # Annotations hash slowly. An identity stands for a kind that is a key too, and so never goes away.
    found = params.codecs.get(id(kind)) or params.codecs.get(kind)
    if found is None:
        if _is_record(kind):
            node = _record(kind, params)
        else:
            node = _function_pair(kind, (("", _node(kind, params)),), None)
        found = Codec(node.encoder, node.decoder)
        params.codecs[kind] = params.codecs[id(kind)] = found
    return typing.cast("Codec[Any]", found)


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _size(size: schema.Size, params: ChainParams) -> int:
    return size if isinstance(size, int) else int(getattr(params, size))


def _node(annotation: Any, params: ChainParams) -> nodes.Node:
    """The node of an annotation."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _annotated(annotation, params)
    if _is_record(annotation):
        return _record(annotation, params)
    if annotation is bool:
        return nodes.BoolNode(minimum=1)
    if annotation is bytes:
        return nodes.BlobNode(minimum=1)
    return _generic(annotation, params)


def _annotated(annotation: Any, params: ChainParams) -> nodes.Node:
    base, marker = annotation.__origin__, annotation.__metadata__[0]
    match marker:
        case schema.Uint(octets):
            return nodes.UintNode(octets, _UINT_LAYOUT[octets], octets)
        case schema.Compact():
            return nodes.CompactNode(minimum=1)
        case schema.FixedBytes(size):
            size = _size(size, params)
            return nodes.FixedBytesNode(size, f"{size}s", size)
        case schema.Bits(count):
            count = _size(count, params)
            octets = (count + 7) // 8
            return nodes.BitsNode(octets, None, octets, count)
        case schema.Length(count):
            count = _size(count, params)
            item = _node(typing.get_args(base)[0], params)
            return nodes.SequenceNode(item.minimum * count, item=item, count=count)
        case schema.Choice(cases):
            made = tuple(
                (case, None if case.schema is None else _node(case.schema, params)) for case in cases
            )
            return nodes.ChoiceNode(minimum=1, cases=made)
    raise TypeError(f"no encoding is declared by {annotation!r}")


def _generic(annotation: Any, params: ChainParams) -> nodes.Node:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not types.NoneType]
        if len(inner) == 1 and len(arguments) == 2:
            return nodes.OptionNode(minimum=1, item=_node(inner[0], params))
    elif origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return nodes.SequenceNode(minimum=1, item=_node(arguments[0], params))
    elif origin is tuple:
        parts = tuple(_node(argument, params) for argument in arguments)
        return nodes.TupleNode(sum(part.minimum for part in parts), parts=parts)
    elif origin is frozenset:
        item = _node(arguments[0], params)
        return nodes.SequenceNode(minimum=1, item=item, ascending=True)
    elif origin is dict:
        parts = tuple(_node(argument, params) for argument in arguments)
        pair = nodes.TupleNode(sum(part.minimum for part in parts), parts=parts)
        return nodes.MappingNode(minimum=1, pairs=nodes.SequenceNode(minimum=1, item=pair))
    raise TypeError(f"no encoding is declared by {annotation!r}")


def _record(kind: Any, params: ChainParams) -> nodes.RecordNode:
    """The node of a record class, compiled at most once for ``params``."""
    memo = ("record", kind)
    found = params.codecs.get(memo)
    if found is None:
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = tuple((name, _node(hints[name], params)) for name in kind._fields)
        found = params.codecs[memo] = _function_pair(kind, fields, kind)
    return typing.cast("nodes.RecordNode", found)


def _function_pair(
    kind: Any, fields: tuple[tuple[str, nodes.Node], ...], record: Any
) -> nodes.RecordNode:
    """Generate and compile both functions; ``record`` is None for a bare value."""
    layouts = [node.layout for _, node in fields]
    flat = record is not None and all(
        layout is not None and not isinstance(node, nodes.RecordNode)
        for layout, (_, node) in zip(layouts, fields, strict=True)
    )
    minimum = sum(node.minimum for _, node in fields)
    title = getattr(record, "__name__", "value")
    return nodes.RecordNode(
        minimum,
        "".join(layout or "" for layout in layouts) if flat else None,
        minimum if flat else 0,
        kind,
        _compile_decoder(title, fields, record),
        _compile_encoder(title, fields, record),
    )


def _runs(fields: tuple[tuple[str, nodes.Node], ...]) -> list[list[tuple[str, nodes.Node]]]:
    """Fields grouped into runs: consecutive scalars of known layout together, others alone."""
    runs: list[list[tuple[str, nodes.Node]]] = []
    scalar = (nodes.UintNode, nodes.FixedBytesNode)
    for item in fields:
        if runs and isinstance(item[1], scalar) and isinstance(runs[-1][-1][1], scalar):
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _compile_decoder(
    title: str, fields: tuple[tuple[str, nodes.Node], ...], record: Any
) -> Callable[[bytes, int], tuple[Any, int]]:
    out = nodes.Emitter()
    names = {field: out.name("x") for field, _ in fields}
    for run in _runs(fields):
        if len(run) > 1:
            layout = "<" + "".join(node.layout or "" for _, node in run)
            path = "|".join(f"{field}:{node.octets}" for field, node in run)
            targets = ", ".join(names[field] for field, _ in run)
            unpack = out.constant(layout, "unpack_")
            out.line(f"{targets} = {unpack}(data, pos); pos += {struct.calcsize(layout)}", path)
        else:
            ((field, node),) = run
            node.decode(out, names[field], field)
    values = ", ".join(names.values())
    if record is None:
        out.line(f"return {values}, pos")
    else:
        out.line(f"return new({out.constant(record)}, ({values},)), pos")
    decoder: Callable[[bytes, int], tuple[Any, int]] = _function(f"decode {title}", "data, pos", out)
    return decoder


def _compile_encoder(
    title: str, fields: tuple[tuple[str, nodes.Node], ...], record: Any
) -> Callable[[Any], bytes]:
    out = nodes.Emitter()
    names = {field: out.name("x") for field, _ in fields}
    target = ", ".join(names.values())
    out.line(f"{target} = value" if record is None else f"{target}, = value")
    parts: list[str] = []
    for run in _runs(fields):
        if len(run) == 1:
            ((field, node),) = run
            parts.append(node.encode(out, names[field]))
            continue
        packed = [node.packs(names[field]) for field, node in run]
        conditions = " and ".join(condition for _, condition in packed if condition)
        if conditions:
            out.line(f"if not ({conditions}): raise wrong_size({title!r})")
        pack = out.constant("<" + "".join(node.layout or "" for _, node in run), "pack_")
        parts.append(f"{pack}({', '.join(argument for argument, _ in packed)})")
    out.line(f"return {parts[0]}" if len(parts) == 1 else f"return b''.join(({', '.join(parts)},))")
    encoder: Callable[[Any], bytes] = _function(f"encode {title}", "value", out)
    return encoder


def _function(title: str, parameters: str, out: nodes.Emitter) -> Any:
    """Compile the emitted lines; formats among the constants become bound struct methods."""
    scope: dict[str, Any] = dict(runtime.NAMES)
    for name, value in out.constants.items():
        method = name.rstrip("0123456789")
        if isinstance(value, str) and method in _STRUCT_METHODS:
            value = _STRUCT_METHODS[method](struct.Struct(value))
        scope[name] = value
    scope["PATHS"] = ("", *out.paths)
    source = f"def generated({parameters}):\n" + "\n".join(out.lines) + "\n"
    exec(compile(source, f"{_FILE_PREFIX}{title}>", "exec"), scope)
    return scope["generated"]


_STRUCT_METHODS: dict[str, Callable[[struct.Struct], Any]] = {
    "unpack_": lambda layout: layout.unpack_from,
    "pack_": lambda layout: layout.pack,
    "iter_": lambda layout: layout.iter_unpack,
}


def _locate(error: Exception, size: int) -> DecodeError:
    """The error with the path and offset at which generated code stopped."""
    path, offset = "", 0
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename.startswith(_FILE_PREFIX) and "pos" in frame.f_locals:
            offset = frame.f_locals["pos"]
            step = frame.f_globals["PATHS"][trace.tb_lineno - 1]
            step, offset = _within_run(step, offset, size)
            step = step.format(**frame.f_locals) if "{" in step else step
            joint = "." if path and step and not step.startswith("[") else ""
            path += joint + step
        trace = trace.tb_next
    reason = error.reason if isinstance(error, runtime.Refusal) else "truncated"
    return DecodeError(reason, path=path, offset=min(offset, size))


def _within_run(step: str, offset: int, size: int) -> tuple[str, int]:
    """The field of a run of scalars (``name:octets|...``) that does not fit into ``size``."""
    if ":" not in step:
        return step, offset
    for part in step.split("|"):
        name, octets = part.split(":")
        if offset + int(octets) > size:
            return name, offset
        offset += int(octets)
    return "", offset
