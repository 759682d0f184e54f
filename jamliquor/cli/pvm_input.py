"""What ``jamliquor pvm`` reads: programs in files of several kinds, numbers, octets."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from jamliquor.conformance.bad_input import BadInput
from jamliquor.pvm.assembler import AssemblyError
from jamliquor.pvm.image import Image, Kind, parse_image, recognise
from jamliquor.pvm.program import InvalidProgram
from jamliquor.pvm.source import build

MAX_FILE = 64 << 20
"""Octets of the largest file that is read: a standard program has 36 MB of data at most."""

KINDS = ("auto", "text", *(kind.value for kind in Kind))

file_argument = click.argument("path", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True))
kind_option = click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="auto",
    help="What FILE holds. Default: find out.",
)


def read_image(path: Path, kind: str) -> Image:
    """The program in a file, or from stdin for ``-``.

    Raises:
        BadInput: it cannot be read, or is no program; says why and at which byte or line.
    """
    data = read_file(path)
    if kind == "text" or (kind == "auto" and _is_text(data)):
        return _assembled(path, data)
    try:
        return recognise(data) if kind == "auto" else parse_image(data, Kind(kind))
    except InvalidProgram as invalid:
        if kind == "auto":
            advice = "name the kind with --kind"
            raise BadInput(f"holds no program: {invalid.reason}", path, advice=advice) from None
        reason = f"no {Kind(kind).noun}: {invalid.reason}"
        raise BadInput(reason, path, offset=invalid.offset) from None


def read_file(path: Path) -> bytes:
    """The octets of a file, or of stdin for ``-``.

    Raises:
        BadInput: it cannot be read, is empty, or is larger than any program.
    """
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", path, advice="check the name") from None
    if len(data) > MAX_FILE:
        raise BadInput("is larger than any program", path, offset=MAX_FILE)
    return data


def read_text(path: Path) -> Image:
    """The program that a text describes.

    Raises:
        BadInput: a line is wrong.
    """
    return _assembled(path, read_file(path))


def _is_text(data: bytes) -> bool:
    """Whether octets are printable UTF-8, with spaces, tabs and line ends."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return bool(data) and all(letter.isprintable() or letter in "\t\r\n" for letter in text)


def _assembled(path: Path, data: bytes) -> Image:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadInput("no UTF-8 text", path, offset=error.start) from None
    folder = Path() if str(path) == "-" else path.parent
    try:
        return build(text, lambda name: (folder / name).read_text(encoding="utf-8"))
    except AssemblyError as error:
        where = folder / error.origin if error.origin else path
        raise BadInput(error.reason, where, field=f"line {error.line}", advice="") from None


def number(text: str) -> int:
    """A natural below 2^64, decimal or with 0x; negative ones stand for their two's complement."""
    try:
        value = int(text, 0)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no number") from None
    if not -(1 << 63) <= value < 1 << 64:
        raise click.BadParameter(f"{text} does not fit a register")
    return value % (1 << 64)


def octets(text: str) -> bytes:
    """Octets in hexadecimal, with or without 0x, or of a file for ``@FILE``."""
    if text.startswith("@"):
        return read_file(Path(text[1:]))
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not hexadecimal; name a file as @FILE") from None
