"""Texts of whole programs: the assembler's language, and directives for what is wrapped around.

::

    .metadata "echo"                    makes it a service's code preimage
    .standard 4096 32                   makes it a standard program: octets of stack, pages of heap
    .read_only "key" 0x00 x"00ff"       data: text, octets, or hexadecimal octets; lines add up
    .read_write 1 2 3
    .include "inputs.asm"               another text in the place of this line

The rest is :mod:`jamliquor.pvm.assembler`'s. In the text of a standard program READ_ONLY,
READ_WRITE and ARGUMENT name the addresses of its data, in every text the host calls their numbers:
``ecalli write``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from jamliquor.pvm.assembler import AssemblyError, assemble
from jamliquor.pvm.disassembler import disassemble
from jamliquor.pvm.host.table import NAMES
from jamliquor.pvm.image import Image
from jamliquor.pvm.program import ZONE_SIZE, StandardProgram, encode_standard, parse_standard

__all__ = ["build", "listing"]

Include = Callable[[str], str]
"""The text of a name, or OSError if there is none."""

_ITEM: Final = re.compile(r'\s*(?:x"([0-9a-fA-F]*)"|"([^"]*)"|([^\s";]+))')
_COMMENT: Final = re.compile(r"\s*(?:;.*)?")
_CALLS: Final = {name: number for number, name in NAMES.items()}
_ROW: Final = 32
_MAX_INCLUDED: Final = 64
_DATA: Final = (".metadata", ".read_only", ".read_write")


@dataclass(slots=True)
class _Wrapping:
    """What the directives say, and the lines that are left, each with where it was."""

    data: dict[str, bytes] = field(default_factory=dict)
    standard: tuple[int, int] | None = None
    lines: list[str] = field(default_factory=list)
    places: list[tuple[str, int]] = field(default_factory=list)
    included: int = 0


def build(text: str, include: Include | None = None) -> Image:
    """Assemble a text with its directives.

    Args:
        include: finds what ``.include`` names; without it nothing can be included.

    Raises:
        AssemblyError: a line is wrong.
    """
    wrapping = _Wrapping()
    _read(wrapping, text, "", include)
    if wrapping.standard is None and wrapping.data:
        raise AssemblyError(1, f"{min(wrapping.data)} is for standard programs: .standard is missing")
    if wrapping.standard is None:
        return Image(_assemble(wrapping, _CALLS))
    stack, pages = wrapping.standard
    read_only = wrapping.data.get(".read_only", b"")
    read_write = wrapping.data.get(".read_write", b"")
    frame = StandardProgram(read_only, read_write, pages, stack, b"")
    addresses = {
        "READ_ONLY": ZONE_SIZE,
        "READ_WRITE": frame.heap_start,
        "ARGUMENT": frame.argument_start,
    }
    standard = replace(frame, code=_assemble(wrapping, _CALLS | addresses))
    try:
        parse_standard(encode_standard(standard))
    except (OverflowError, ValueError):
        raise AssemblyError(1, "the data is larger than a standard program may be") from None
    return Image(standard.code, standard, wrapping.data.get(".metadata"))


def _assemble(wrapping: _Wrapping, names: dict[str, int]) -> bytes:
    try:
        return assemble("\n".join(wrapping.lines), names)
    except AssemblyError as error:
        origin, line = wrapping.places[error.line - 1] if wrapping.places else ("", 1)
        raise AssemblyError(line, error.reason, origin) from None


def _read(wrapping: _Wrapping, text: str, origin: str, include: Include | None) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        name, rest = _directive(line)
        try:
            if name == ".include":
                _include(wrapping, _items(rest), include)
            elif name == ".standard":
                wrapping.standard = _sizes(wrapping, rest)
            elif name in _DATA:
                octets = b"".join(map(_octets, _items(rest)))
                wrapping.data[name] = wrapping.data.get(name, b"") + octets
            else:
                wrapping.lines.append(line)
                wrapping.places.append((origin, number))
        except AssemblyError:
            raise
        except ValueError as error:
            raise AssemblyError(number, str(error), origin) from None


def _directive(line: str) -> tuple[str, str]:
    words = line.split(None, 1)
    return (words[0], words[1] if len(words) == 2 else "") if words else ("", "")


def _items(text: str) -> list[str | bytes]:
    """Words of a line up to its comment; what is quoted as octets."""
    found: list[str | bytes] = []
    at = 0
    while not _COMMENT.fullmatch(text, at):
        match = _ITEM.match(text, at)
        if match is None:
            raise ValueError(f"{text[at:].strip()!r} is not understood; strings need both quotes")
        if match[1] is not None:
            found.append(bytes.fromhex(match[1]))
        else:
            found.append(match[3] if match[2] is None else match[2].encode())
        at = match.end()
    return found


def _octets(item: str | bytes) -> bytes:
    if isinstance(item, bytes):
        return item
    try:
        return bytes((int(item, 0),))
    except ValueError:
        raise ValueError(f"{item!r} is no octet; octets are 0 to 255, texts stand in quotes") from None


def _sizes(wrapping: _Wrapping, rest: str) -> tuple[int, int]:
    if wrapping.standard is not None:
        raise ValueError(".standard stands twice")
    try:
        stack, pages = (int(item, 0) for item in _items(rest) if isinstance(item, str))
    except ValueError:
        raise ValueError(".standard takes octets of stack and pages of heap") from None
    if not 0 <= stack < 1 << 24 or not 0 <= pages < 1 << 16:
        raise ValueError("the stack is below 2^24 octets, the heap below 2^16 pages")
    return stack, pages


def _include(wrapping: _Wrapping, items: list[str | bytes], include: Include | None) -> None:
    if len(items) != 1 or not isinstance(items[0], bytes):
        raise ValueError(".include takes a name in quotes")
    name = items[0].decode()
    if include is None:
        raise ValueError("nothing can be included here")
    wrapping.included += 1
    if wrapping.included > _MAX_INCLUDED:
        raise ValueError(f"over {_MAX_INCLUDED} texts are included; does {name} include itself?")
    try:
        text = include(name)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise ValueError(f"{name} cannot be included: {reason}") from None
    _read(wrapping, text, name, include)


def listing(image: Image, *, positions: bool = False) -> str:
    """The text of a program; :func:`build` makes the same octets of it.

    Args:
        positions: say the position of every instruction in a comment.

    Raises:
        InvalidProgram: the code is no program.
        ValueError: its jump table has over 2^20 entries.
    """
    lines = []
    if image.metadata is not None:
        lines += _rows(".metadata", image.metadata) or ['.metadata ""']
    if image.standard is not None:
        standard = image.standard
        lines.append(f".standard {standard.stack_size} {standard.heap_pages}")
        lines += _rows(".read_only", standard.read_only)
        lines += _rows(".read_write", standard.read_write)
    text = disassemble(image.code, positions=positions, calls=NAMES)
    return "".join(f"{line}\n" for line in lines) + text


def _rows(name: str, data: bytes) -> list[str]:
    return [f'{name} x"{data[at : at + _ROW].hex()}"' for at in range(0, len(data), _ROW)]
