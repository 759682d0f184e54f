"""``jamliquor pvm``: programs assembled, disassembled, examined and run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from jamliquor.cli.options import debug_option, json_option
from jamliquor.cli.pvm_input import file_argument, kind_option, read_image, read_text
from jamliquor.cli.pvm_run import run

_EPILOG = """\b
Exit codes:
  0    done
  2    wrong usage
  3    bad input: a file is missing, damaged or of another kind
"""

output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Where to write. Default: stdout.",
)


@click.group("pvm", short_help="Assemble, disassemble, examine and run programs.")
def command() -> None:
    """Assemble, disassemble, examine and run programs of the virtual machine.

    FILE is found to be one of: a program blob, a standard program, the code of a service (its
    metadata, then a standard program), or a text in the assembler's language.

    \b
    Examples:
      jamliquor pvm asm sieve.asm -o sieve.pvm
      jamliquor pvm disasm sieve.pvm
      jamliquor pvm info service.pvm
      jamliquor pvm run service.pvm --pc 5 --argument 0x2a0001 --trace
    """


command.add_command(run)


@command.command("asm", short_help="From text to a program.", epilog=_EPILOG)
@file_argument
@output_option
@debug_option
def asm(path: Path, output: Path | None) -> None:
    """Assemble a text. The language is described in docs/pvm-tools.md.

    \b
    Example:
      jamliquor pvm asm echo.asm -o echo.pvm
    """
    data = read_text(path).encode()
    if output is None and sys.stdout.isatty():
        raise click.UsageError("a program is no text: name a file with -o, or pipe it on")
    _write(output, data)


@command.command("disasm", short_help="From a program to text.", epilog=_EPILOG)
@file_argument
@kind_option
@output_option
@click.option("--positions", is_flag=True, help="Say the position of every instruction.")
@debug_option
def disasm(path: Path, kind: str, output: Path | None, positions: bool) -> None:
    """Disassemble a program: `jamliquor pvm asm` makes the same octets of the text.

    \b
    Example:
      jamliquor pvm disasm echo.pvm --positions
    """
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.pvm.source import listing  # noqa: PLC0415

    image = read_image(path, kind)
    try:
        text = listing(image, positions=positions)
    except ValueError as error:
        raise BadInput(str(error), path) from None
    _write(output, text.encode())


@command.command("info", short_help="What a program holds.", epilog=_EPILOG)
@file_argument
@kind_option
@json_option
@debug_option
def info(path: Path, kind: str, as_json: bool) -> None:
    """Tell sizes, entry points (exports), host calls (imports) and the mix of instructions.

    \b
    Example:
      jamliquor pvm info echo.pvm --json
    """
    from jamliquor.pvm.survey import survey  # noqa: PLC0415

    record = survey(read_image(path, kind))
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
        return
    for name, value in record.items():
        for label, shown in _rows(name, value):
            click.echo(f"{label:<28}{shown}".rstrip())


def _rows(name: str, value: Any) -> list[tuple[str, str]]:
    label = name.replace("_", " ")
    if not isinstance(value, dict):
        return [] if value is None else [(label, str(value))]
    if not value:
        return [(label, "none")]
    return [(label, ""), *((f"  {key}", str(count)) for key, count in value.items())]


def _write(output: Path | None, data: bytes) -> None:
    if output is None or str(output) == "-":
        sys.stdout.buffer.write(data)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        reason = f"cannot write {output}: {error.strerror}; choose another place"
        raise click.BadParameter(reason, param_hint="-o") from None
