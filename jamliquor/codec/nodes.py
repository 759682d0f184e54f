"""What an annotation means once sizes are known: a tree of nodes, each able to emit its own code.

A node writes Python source that decodes one value from ``data`` at ``pos``, and an expression that
encodes one. :mod:`jamliquor.codec.compiler` joins the pieces into functions, once for each type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jamliquor.codec.schema import Case

# Discriminators and counts below this take one octet.
ONE_OCTET = 128


class Emitter:
    """Source lines of one function, with the field each line decodes and its constants."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.paths: list[str] = []
        self.constants: dict[str, Any] = {}
        self._names = 0
        self._indent = 1

    def name(self, stem: str = "t") -> str:
        """A local name that no other piece of the function uses."""
        self._names += 1
        return f"{stem}{self._names}"

    def constant(self, value: Any, stem: str = "K") -> str:
        """A name for ``value`` in the function's globals."""
        name = self.name(stem)
        self.constants[name] = value
        return name

    def line(self, text: str, path: str = "") -> None:
        """Add one line at the present indentation."""
        self.lines.append("    " * self._indent + text)
        self.paths.append(path)

    def indent(self, by: int) -> None:
        """Open (1) or close (-1) a block."""
        self._indent += by


@dataclass(slots=True)
class Node:
    """One encodable type with all sizes known.

    Attributes:
        minimum: the fewest octets a value takes; hostile counts are measured against it.
        layout: struct format when every string of that many octets is a valid encoding, else None.
        octets: size of that format.
    """

    minimum: int = 0
    layout: str | None = None
    octets: int = 0

    def decode(self, out: Emitter, target: str, path: str) -> None:
        """Emit lines that set ``target`` and advance ``pos``."""
        raise NotImplementedError

    def encode(self, out: Emitter, value: str) -> str:
        """An expression of type ``bytes`` for the variable or expression ``value``."""
        raise NotImplementedError

    def packs(self, value: str) -> tuple[str, str]:
        """How ``value`` enters a ``struct.pack`` call, and a condition that must hold (or '')."""
        raise NotImplementedError


@dataclass(slots=True)
class UintNode(Node):
    """Little-endian natural."""

    def decode(self, out: Emitter, target: str, path: str) -> None:
        unpack = out.constant(f"<{self.layout}", "unpack_")
        out.line(f"({target},) = {unpack}(data, pos); pos += {self.octets}", path)

    def encode(self, out: Emitter, value: str) -> str:
        return f"{out.constant(f'<{self.layout}', 'pack_')}({value})"

    def packs(self, value: str) -> tuple[str, str]:
        return value, ""


@dataclass(slots=True)
class CompactNode(Node):
    """General natural: the first octet tells how many follow."""

    def decode(self, out: Emitter, target: str, path: str) -> None:
        emit_natural(out, target, path)

    def encode(self, out: Emitter, value: str) -> str:
        return natural(value)


def natural(value: str) -> str:
    """An expression that encodes a general natural, the one-octet case without a call of Python's."""
    return f"(one_octet({value}) or encode_natural({value}))"


def emit_natural(out: Emitter, target: str, path: str) -> None:
    """Lines that decode a general natural, the one-octet case without a call."""
    out.line(f"{target} = data[pos]", path)
    out.line(f"if {target} < {ONE_OCTET}: pos += 1", path)
    out.line(f"else: {target}, pos = decode_natural(data, pos)", path)


@dataclass(slots=True)
class BoolNode(Node):
    """One octet, 0 or 1."""

    def decode(self, out: Emitter, target: str, path: str) -> None:
        out.line(f"{target} = data[pos]", path)
        out.line(f"if {target} > 1: raise refuse('not a boolean (0 or 1)')", path)
        out.line(f"{target} = {target} == 1; pos += 1", path)

    def encode(self, out: Emitter, value: str) -> str:
        return f"(b'\\1' if {value} else b'\\0')"


@dataclass(slots=True)
class FixedBytesNode(Node):
    """Octets of a known number."""

    def decode(self, out: Emitter, target: str, path: str) -> None:
        out.line(f"end = pos + {self.octets}", path)
        out.line("if end > len(data): raise refuse('truncated')", path)
        out.line(f"{target} = data[pos:end]; pos = end", path)

    def encode(self, out: Emitter, value: str) -> str:
        return f"exact({value}, {self.octets})"

    def packs(self, value: str) -> tuple[str, str]:
        return value, f"len({value}) == {self.octets}"


@dataclass(slots=True)
class BitsNode(Node):
    """Packed bits whose padding is zero."""

    count: int = 0

    def decode(self, out: Emitter, target: str, path: str) -> None:
        FixedBytesNode(octets=self.octets).decode(out, target, path)
        used = self.count % 8
        if used:
            out.line(f"if {target}[-1] >> {used}: raise refuse('padding bits are not zero')", path)

    def encode(self, out: Emitter, value: str) -> str:
        return f"exact_bits({value}, {self.count})"


@dataclass(slots=True)
class BlobNode(Node):
    """Octets behind their length."""

    def decode(self, out: Emitter, target: str, path: str) -> None:
        size = out.name("n")
        emit_natural(out, size, path)
        out.line(f"end = pos + {size}", path)
        out.line(
            f"if end > len(data): raise refuse(f'truncated: {{{size}}} octets announced, "
            "{len(data) - pos} left')",
            path,
        )
        out.line(f"{target} = data[pos:end]; pos = end", path)

    def encode(self, out: Emitter, value: str) -> str:
        return f"{natural(f'len({value})')} + {value}"


@dataclass(slots=True)
class OptionNode(Node):
    """0, or 1 and the value."""

    item: Node = field(default_factory=Node)

    def decode(self, out: Emitter, target: str, path: str) -> None:
        flag = out.name("f")
        out.line(f"{flag} = data[pos]", path)
        out.line(f"if {flag} > 1: raise refuse('not an option (0 or 1)')", path)
        out.line("pos += 1", path)
        out.line(f"if {flag}:", path)
        out.indent(1)
        self.item.decode(out, target, path)
        out.indent(-1)
        out.line(f"else: {target} = None", path)

    def encode(self, out: Emitter, value: str) -> str:
        return f"(b'\\0' if {value} is None else b'\\1' + {self.item.encode(out, value)})"


@dataclass(slots=True)
class RecordNode(Node):
    """A record: its own pair of functions, called by name so that they compile once."""

    kind: Any = None
    decoder: Callable[..., Any] = field(default=lambda: None)
    encoder: Callable[..., Any] = field(default=lambda: None)

    def decode(self, out: Emitter, target: str, path: str) -> None:
        out.line(f"{target}, pos = {out.constant(self.decoder, 'decode_')}(data, pos)", path)

    def encode(self, out: Emitter, value: str) -> str:
        return f"{out.constant(self.encoder, 'encode_')}({value})"


@dataclass(slots=True)
class TupleNode(Node):
    """Parts in order, as an anonymous tuple."""

    parts: tuple[Node, ...] = ()

    def decode(self, out: Emitter, target: str, path: str) -> None:
        names = [out.name("p") for _ in self.parts]
        for index, (name, part) in enumerate(zip(names, self.parts, strict=True)):
            part.decode(out, name, f"{path}.{index}")
        out.line(f"{target} = ({', '.join(names)},)", path)

    def encode(self, out: Emitter, value: str) -> str:
        return " + ".join(part.encode(out, f"{value}[{i}]") for i, part in enumerate(self.parts))


@dataclass(slots=True)
class SequenceNode(Node):
    """Items, behind their count or of a known number (``count``); optionally strictly ascending."""

    item: Node = field(default_factory=Node)
    count: int | None = None
    ascending: bool = False

    def decode(self, out: Emitter, target: str, path: str) -> None:
        number = self._decode_count(out, path)
        if self.item.layout is not None and not isinstance(self.item, TupleNode):
            self._decode_flat(out, target, path, number)
        else:
            self._decode_loop(out, target, path, number)
        if self.ascending:
            out.line(f"{target} = ascending({target})", path)

    def _decode_count(self, out: Emitter, path: str) -> str:
        if self.count is not None:
            return str(self.count)
        number = out.name("n")
        emit_natural(out, number, path)
        out.line(
            f"if {number} * {self.item.minimum} > len(data) - pos: raise refuse("
            f"f'truncated: {{{number}}} items announced, {{len(data) - pos}} octets left')",
            path,
        )
        return number

    def _decode_flat(self, out: Emitter, target: str, path: str, number: str) -> None:
        item = self.item
        out.line(f"end = pos + {number} * {item.octets}", path)
        out.line("if end > len(data): raise refuse('truncated')", path)
        if isinstance(item, FixedBytesNode):
            step = item.octets
            piece = f"data[i:i + {step}] for i in range(pos, end, {step})"
            out.line(f"{target} = tuple([{piece}])", path)
        else:
            rows = f"{out.constant(f'<{item.layout}', 'iter_')}(data[pos:end])"
            if isinstance(item, RecordNode):
                make = out.constant(item.kind._make, "make_")
                out.line(f"{target} = tuple(map({make}, {rows}))", path)
            else:
                out.line(f"{target} = tuple([row[0] for row in {rows}])", path)
        out.line("pos = end", path)

    def _decode_loop(self, out: Emitter, target: str, path: str, number: str) -> None:
        items, index, item = out.name("items"), out.name("i"), out.name("v")
        out.line(f"{items} = []", path)
        out.line(f"for {index} in range({number}):", path)
        out.indent(1)
        self.item.decode(out, item, f"{path}[{{{index}}}]")
        out.line(f"{items}.append({item})", path)
        out.indent(-1)
        out.line(f"{target} = tuple({items})", path)

    def encode(self, out: Emitter, value: str) -> str:
        return self.encode_items(out, value, f"sorted({value})" if self.ascending else value)

    def encode_items(self, out: Emitter, value: str, values: str) -> str:
        """As :meth:`encode`, with the items taken from the expression ``values``."""
        item = out.name("e")
        if isinstance(self.item, FixedBytesNode):
            joined = f"same_size({values}, {self.item.octets})"
        elif isinstance(self.item, RecordNode):
            joined = f"b''.join(map({out.constant(self.item.encoder, 'encode_')}, {values}))"
        else:
            joined = f"b''.join([{self.item.encode(out, item)} for {item} in {values}])"
        if self.count is None:
            return f"{natural(f'len({value})')} + {joined}"
        return f"counted({value}, {self.count}) + {joined}"


@dataclass(slots=True)
class MappingNode(Node):
    """Pairs behind their count, strictly ascending by key."""

    pairs: SequenceNode = field(default_factory=SequenceNode)

    def decode(self, out: Emitter, target: str, path: str) -> None:
        self.pairs.decode(out, target, path)
        out.line(f"{target} = ascending_pairs({target})", path)

    def encode(self, out: Emitter, value: str) -> str:
        return self.pairs.encode_items(out, value, f"sorted({value}.items())")


@dataclass(slots=True)
class ChoiceNode(Node):
    """A discriminator below 128 and what it announces."""

    cases: tuple[tuple[Case, Node | None], ...] = ()

    def decode(self, out: Emitter, target: str, path: str) -> None:
        tag = out.name("tag")
        out.line(f"{tag} = data[pos]; pos += 1", path)
        for case, node in self.cases:
            out.line(f"{'if' if case is self.cases[0][0] else 'elif'} {tag} == {case.tag}:", path)
            out.indent(1)
            if node is None:
                out.line(f"{target} = {out.constant(case.constant)}", path)
            else:
                node.decode(out, target, path)
            out.indent(-1)
        out.line(f"else: raise refuse(f'unknown discriminator {{{tag}}}')", path)

    def encode(self, out: Emitter, value: str) -> str:
        expression = f"no_case({value})"
        for case, node in reversed(self.cases):
            tag = f"b'\\x{case.tag:02x}'"
            if node is None:
                test, then = f"{value} is {out.constant(case.constant)}", tag
            else:
                test = f"isinstance({value}, {out.constant(case.kind)})"
                then = f"{tag} + {node.encode(out, value)}"
            expression = f"{then} if {test} else {expression}"
        return f"({expression})"
