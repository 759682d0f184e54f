"""``jamliquor bench edge``: the node under the limits of a small board, judged by the budgets."""

from __future__ import annotations

import os
from pathlib import Path

import click

from jamliquor.cli.options import debug_option, json_option


@click.command("edge")
@click.option(
    "--profile",
    "name",
    default="pi-zero-2w",
    show_default=True,
    type=click.Choice(["pi-zero-2w", "pi-3", "pi-4", "pi-5", "custom"]),
    help="The board whose times are estimated.",
)
@click.option(
    "--profile-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For the profile custom: a file like those of edge/profiles.",
)
@click.option(
    "--out",
    default="edge-report",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where report.json, report.md and report.html go.",
)
@click.option(
    "--chain",
    "chains",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A recorded chain with its genesis. Repeatable. Default: the public ones in JAM_VECTORS.",
)
@click.option(
    "--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Timings of a block."
)
@click.option(
    "--entries",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1_000, 10_000_000),
    help="Entries of the large state.",
)
@click.option(
    "--counts",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instructions of every block on aarch64, as edge/calibrate.sh blocks counts them.",
)
@json_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    profile_file: Path | None,
    out: Path,
    chains: tuple[Path, ...],
    rounds: int,
    entries: int,
    counts: Path | None,
    as_json: bool,
) -> None:
    """Import, author, store, prune and snapshot under a board's limits; check the budgets.

    On a board with a device tree, such as a Raspberry Pi, the times are the board's own, nothing is
    estimated or slowed down, and the report names it. Exit code 5 means that a budget is missed; the
    report says which.

    \b
    Examples:
      jamliquor bench edge
      jamliquor bench edge --counts edge/calibration/blocks.json
      jamliquor bench edge --profile pi-4 --out report
      jamliquor bench edge --chain traces/fallback --rounds 1
    """
    from jamliquor.cli.exits import ExitCode  # noqa: PLC0415
    from jamliquor.cli.machine import memory, processor  # noqa: PLC0415
    from jamliquor.cli.version import version  # noqa: PLC0415
    from jamliquor.node.edge import profile, report, stages  # noqa: PLC0415

    if (name == "custom") != (profile_file is not None):
        raise click.UsageError("--profile custom and --profile-file belong together")
    board = profile.load(name, profile_file)
    model, cores, _ = processor()
    real = report.board()
    load = round(os.getloadavg()[0], 2)
    here = {"processor": model, "cores": cores, "memory": memory()[1], "board": real, "load": load}
    counted = None if counts is None else profile.read_counts(counts)
    folders = chains or _public_chains()
    job = stages.Job(board, folders, rounds, entries, counted, real=real is not None)
    found = stages.run(job, lambda line: click.echo(line, err=True))
    record = report.assemble(found, board, here, version(), rounds)
    report.write(record, out)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        click.echo(report.text(record))
        click.echo(f"written: {out / 'report.html'}")
    ctx.exit(
        ExitCode.DONE if all(one["met"] is not False for one in record["checks"]) else ExitCode.MISMATCH
    )


def _public_chains() -> list[Path]:
    from jamliquor.conformance.vectors import suite  # noqa: PLC0415

    found = suite()
    if found is None:
        raise click.UsageError("name a chain with --chain, or set JAM_VECTORS to the public vectors")
    return sorted(place.parent for place in (found / "traces").glob("*/genesis.bin"))
