"""``jamliquor bench``: how fast this machine is at what a node does."""

from __future__ import annotations

import time

import click

from jamliquor.cli.bench_edge import command as edge
from jamliquor.cli.options import debug_option, json_option


@click.group("bench", short_help="Measure how fast this machine is.")
def command() -> None:
    """Measure how fast this machine is at what a node does.

    \b
    Example:
      jamliquor bench vrf --json
    """


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


command.add_command(edge)
