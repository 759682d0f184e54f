"""``jamliquor bench``: how fast this machine is at what a node does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jamliquor.cli.bench_edge import command as edge
from jamliquor.cli.options import debug_option, json_option

if TYPE_CHECKING:
    from jamliquor.node.bench.figures import Figure

_Function = TypeVar("_Function", bound=Callable[..., Any])

_COLUMNS = ("median", "p90", "p99", "max")


def _options(function: _Function) -> _Function:
    """What every measurement can be told."""
    options = [
        click.option(
            "--rounds", default=9, show_default=True, type=click.IntRange(1, 1_000), help="Rounds."
        ),
        click.option(
            "--out",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Also write the result there, for bench compare.",
        ),
        json_option,
        debug_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.group("bench", short_help="Measure how fast this machine is.")
def command() -> None:
    """Measure how fast this machine is at what a node does.

    \b
    Examples:
      jamliquor bench chain
      jamliquor bench edge --profile pi-4
      jamliquor bench compare before.json after.json
    """


@command.command("chain")
@click.argument("source", metavar="[SOURCE]", required=False, type=click.Path(path_type=Path))
@click.option("--socket", is_flag=True, help="Through the socket of jamliquor fuzz, as a tester does.")
@_options
def chain(*, source: Path | None, socket: bool, rounds: int, out: Path | None, as_json: bool) -> None:
    """Import of a chain: milliseconds of a block, and what they are on the reference machine.

    SOURCE is a chain archive (.jam) or a trace folder with its genesis; by default the chain that
    comes with the package. Normalised is the median on a machine where one ring proof verifies in
    3.5 ms, by the proofs that are verified in the same run.

    \b
    Examples:
      jamliquor bench chain
      jamliquor bench chain traces/storage --socket --out after.json
    """
    from jamliquor.node.bench import chain as measured  # noqa: PLC0415

    figures = measured.run(measured.load(source), rounds, socket=socket)
    _show("chain", rounds, figures, out, as_json=as_json)


@command.command("pvm")
@_options
def pvm(*, rounds: int, out: Path | None, as_json: bool) -> None:
    """The virtual machine: an instruction, a host call, preparing a program."""
    from jamliquor.node.bench import pvm as measured  # noqa: PLC0415

    _show("pvm", rounds, measured.run(rounds), out, as_json=as_json)


@command.command("store")
@click.argument(
    "folder",
    metavar="[DIR]",
    default=".",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
)
@click.option(
    "--entries", default=10_000, show_default=True, type=click.IntRange(100), help="Of the state."
)
@_options
def store(*, folder: Path, entries: int, rounds: int, out: Path | None, as_json: bool) -> None:
    """A store on the disk or card that DIR lies on: blocks that change 100 entries each.

    What is written goes into a temporary folder below DIR.

    \b
    Example:
      jamliquor bench store /mnt/card
    """
    from jamliquor.node.bench import store as measured  # noqa: PLC0415

    _show("store", rounds, measured.run(folder, entries, rounds), out, as_json=as_json)


@command.command("vrf")
@json_option
@click.option(
    "--repeat", default=15, show_default=True, type=click.IntRange(1, 10_000), help="Runs of each."
)
@debug_option
def vrf(as_json: bool, repeat: int) -> None:
    """Signatures and ring proofs: median milliseconds of each operation.

    \b
    Examples:
      jamliquor bench vrf
      jamliquor bench vrf --json --repeat 5
    """
    from jamliquor.crypto.bench import measure  # noqa: PLC0415

    figures = measure(time.perf_counter, repeat)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(figures))
        return
    for name, milliseconds in figures.items():
        click.echo(f"{name.removesuffix('_ms').replace('_', ' '):<24}{milliseconds:10.3f} ms")


@command.command("compare")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@json_option
@debug_option
def compare(before: Path, after: Path, as_json: bool) -> None:
    """Two results side by side: medians, their ratio, and where it lies with a confidence of 95 %.

    BEFORE and AFTER are what --out wrote, or results of the checkout's benchmarks. A ratio whose
    interval holds 1 shows no difference. Runs of both in turns are worth more than many rounds of one
    after the other.

    \b
    Example:
      jamliquor bench compare before.json after.json
    """
    from jamliquor.node.bench import compare as sides  # noqa: PLC0415

    try:
        found = sides.compare(before, after)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps([{**one._asdict(), "ratio": one.ratio} for one in found]))
        return
    click.echo("\n".join(sides.lines(found)) or "they have no figure in common")


def _show(
    name: str, rounds: int, figures: Iterable[Figure], out: Path | None, *, as_json: bool
) -> None:
    """Print the figures as they come, and write them."""
    from jamliquor.cli.machine import memory, peak_rss, processor  # noqa: PLC0415
    from jamliquor.cli.version import version  # noqa: PLC0415
    from jamliquor.node.bench.figures import write  # noqa: PLC0415

    found = []
    for figure in figures:
        record = figure.record()
        found.append(record)
        if not as_json:
            click.echo(_line(record))
    model, cores, _ = processor()
    machine = {"cpu": model, "cores": cores, "memory": memory()[1], "peak_rss": peak_rss()}
    result = {
        "benchmark": name,
        "jamliquor": version(),
        "rounds": rounds,
        "machine": machine,
        "figures": found,
    }
    if out is not None:
        write(out, result)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(result))


def _line(record: dict[str, Any]) -> str:
    shown = [f"{key} {record[key]:g}" for key in _COLUMNS if key in record]
    told = f"  (normalised {record['normalised']:g})" if "normalised" in record else ""
    return f"{record['name']:<44}{record['unit']:>3}  {', '.join(shown)}{told}"


command.add_command(edge)
