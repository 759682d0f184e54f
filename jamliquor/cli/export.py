"""``jamliquor export``: the blocks of a directory as a chain archive."""

from __future__ import annotations

from pathlib import Path

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import debug_option, directory_argument, json_option, slots_options


@click.command("export", short_help="Write a directory's blocks as an archive.", epilog=EXIT_CODES)
@directory_argument
@slots_options
@click.option(
    "--out",
    "path",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The archive; there must be none yet.",
)
@click.option(
    "--genesis",
    metavar="SOURCE",
    type=click.Path(path_type=Path, exists=True),
    help="Archive or trace folder with the genesis, where DIR has lost its state.",
)
@json_option
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@debug_option
def command(
    folder: Path,
    first: int | None,
    last: int | None,
    path: Path,
    genesis: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write blocks of the best chain in DIR as an archive (.jam). The node must not run.

    By default all that still have their body. A new directory can be filled from the archive if the
    state of the genesis is in it: it is where DIR still has it (as its oldest state, or as a snapshot
    in DIR/snapshots), or with --genesis. Without it, the archive is for directories of this chain.

    \b
    Examples:
      jamliquor export node --out chain.jam --genesis first.jam
      jamliquor export node --from 100 --to 200 --out part.jam
    """
    if first is not None and last is not None and first > last:
        raise click.UsageError(f"--from {first} lies behind --to {last}: there is nothing to write")
    from jamliquor.cli.progress import Progress  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415
    from jamliquor.node.exporting import export  # noqa: PLC0415

    progress: Progress | None = None

    def tell(done: int, total: int) -> None:
        nonlocal progress
        progress = progress or Progress(total, quiet=quiet or as_json)
        progress.at(done, path.name)

    with Directory(folder, repair=False) as directory:
        try:
            exported = export(directory, path, first, last, genesis=genesis, progress=tell)
        finally:
            if progress is not None:
                progress.pause()
    record = {"file": str(path), **exported._asdict(), "octets": path.stat().st_size}
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    elif not quiet:
        slots = f", slots {exported.first_slot} to {exported.last_slot}" if exported.blocks else ""
        click.echo(f"{path}: {exported.blocks} blocks{slots}, {record['octets']} octets")
        if not exported.entries:
            click.echo("without the state of the genesis: for directories that hold this chain")
