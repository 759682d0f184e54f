"""``jamliquor repair``: look at everything a directory holds, and put right what can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.exits import ExitCode
from jamliquor.cli.options import debug_option, directory_argument, json_option, start_option


@click.command("repair", short_help="Check a node's directory, repair damage.", epilog=EXIT_CODES)
@directory_argument
@click.option("--check", is_flag=True, help="Only look; change nothing.")
@click.option("--rebuild", is_flag=True, help="Make the whole state anew, whatever is damaged.")
@start_option
@json_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path,
    check: bool,
    rebuild: bool,
    start: Path | None,
    as_json: bool,
) -> None:
    """Compare everything in DIR with its checksums and hashes; repair damaged parts of the state.

    They are made anew from the newest snapshot in DIR/snapshots and the changes since. Where that
    cannot be, --rebuild makes all of the state anew, from such a snapshot or from --start, and from
    the stored blocks; until it is complete, DIR stays as it was. The node must not run.

    Exits with 5 if something is damaged and was not repaired.

    \b
    Examples:
      jamliquor repair node --check
      jamliquor repair node
      jamliquor repair node --rebuild --start chain.jam
    """
    if check and rebuild:
        raise click.UsageError("--check changes nothing; leave out --rebuild")
    if start is not None and not rebuild:
        raise click.UsageError("--start needs --rebuild")
    if rebuild:
        report_rebuilt(folder, start, as_json=as_json)
        return
    repaired, damage = _looked(folder) if check else _repaired(folder)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps({"db": str(folder), "repaired": repaired, "damage": damage}))
    else:
        for line in repaired:
            click.echo(f"repaired: {line}")
        for line in damage:
            click.echo(f"DAMAGED: {line}")
        click.echo(f"{len(repaired)} parts repaired, {len(damage)} damaged" if damage else "whole")
    ctx.exit(ExitCode.MISMATCH if damage else ExitCode.DONE)


def report_rebuilt(folder: Path, start: Path | None, *, as_json: bool) -> None:
    """Make the database anew, and say what came of it."""
    from jamliquor.cli.progress import Progress  # noqa: PLC0415
    from jamliquor.node.rebuilding import rebuild  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    progress: Progress | None = None

    def tell(done: int, total: int) -> None:
        nonlocal progress
        progress = progress or Progress(total, quiet=as_json)
        progress.at(done, folder.name)

    try:
        record: dict[str, Any] = rebuild(folder, NativeEngine(), start=start, progress=tell)._asdict()
    finally:
        if progress is not None:
            progress.pause()
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps({"db": str(folder), **record}))
        return
    click.echo(
        f"begun with {record['start']} (slot {record['start_slot']}): {record['copied']} blocks up to "
        f"that taken over, {record['imported']} imported again, head at slot {record['head_slot']}"
    )
    if record["lost"]:
        click.echo(f"{record['lost']} blocks could not be read: import them again")


def _looked(folder: Path) -> tuple[list[str], list[str]]:
    from jamliquor.node.directory import Directory  # noqa: PLC0415

    with Directory(folder, repair=False) as directory:
        return [], directory.store.verify()


def _repaired(folder: Path) -> tuple[list[str], list[str]]:
    """Repair, and have a node put it into the log."""
    from jamliquor.chain.finality import Finality  # noqa: PLC0415
    from jamliquor.cli.version import version  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415
    from jamliquor.node.settings import DEFAULTS  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    with Directory(folder) as directory:
        store = directory.store
        if not store.damage:
            store.mend()
        repaired = [f"{name} made anew from a snapshot" for name in store.repaired]
        if store.damage:
            return repaired, [store.damage]
        settings = DEFAULTS._replace(finality=Finality(None))
        node = directory.node(NativeEngine(), settings, software=version())
        if not store.repaired:
            repaired += node.recovered
        node.close("repaired")
        return repaired, store.verify()
