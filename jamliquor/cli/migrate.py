"""``jamliquor migrate``: bring a directory of another format to this version's."""

from __future__ import annotations

from pathlib import Path

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import debug_option, directory_argument, json_option, start_option


@click.command("migrate", short_help="Bring a directory to this format.", epilog=EXIT_CODES)
@directory_argument
@start_option
@json_option
@debug_option
def command(folder: Path, start: Path | None, as_json: bool) -> None:
    """Bring the directory DIR of another version to the format of this one. The node must not run.

    The blocks in DIR are read, and the state is made anew: from the newest snapshot in DIR/snapshots,
    or from --start, and the stored blocks since. Until all is complete, DIR stays as it was; so it
    may be interrupted at any time. It needs room for both.

    \b
    Examples:
      jamliquor migrate node
      jamliquor migrate node --start chain.jam
    """
    from jamliquor.cli.repair import report_rebuilt  # noqa: PLC0415
    from jamliquor.errors import StoreError  # noqa: PLC0415
    from jamliquor.node.directory import holds_chain  # noqa: PLC0415
    from jamliquor.store.directory import Directory  # noqa: PLC0415
    from jamliquor.store.disk import FORMATS  # noqa: PLC0415
    from jamliquor.store.past import PastDatabase  # noqa: PLC0415

    if not holds_chain(folder):
        raise StoreError(f"{folder}: holds no chain")
    directory = Directory(folder)
    try:
        with PastDatabase(directory.database) as past:
            found = past.format
    finally:
        directory.release()
    if found not in FORMATS:
        report_rebuilt(folder, start, as_json=as_json)
    elif as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps({"db": str(folder), "format": found.decode()}))
    else:
        click.echo(f"{folder}: has format {found.decode()}, which needs no migration")
