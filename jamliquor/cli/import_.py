"""``jamliquor import``: recorded blocks through the state transition, compared with the record."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import database_options, debug_option, json_option
from jamliquor.cli.progress import Progress
from jamliquor.conformance.bad_input import BadInput
from jamliquor.params import NAMED, ChainParams


class Stop:
    """Set by the first Ctrl-C or SIGTERM; the second one ends the program at once."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@click.command(
    "import",
    short_help="Import recorded blocks and compare the state after each.",
    epilog=EXIT_CODES,
)
@click.argument("sources", nargs=-1, metavar="SOURCE...", type=click.Path(path_type=Path))
@click.option("--each", is_flag=True, help="Import every step by itself, from its own prior state.")
@click.option(
    "--chain",
    metavar="tiny|full|FILE",
    help="Chain specification, or a JIP-4 file that holds one. Default: what the source fits.",
)
@click.option(
    "--report",
    "report_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a JSON report: every block with its time, totals, memory.",
)
@database_options
@json_option
@click.option("--quiet", is_flag=True, help="Print only what is not as recorded.")
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    sources: tuple[Path, ...],
    each: bool,
    chain: str | None,
    report_path: Path | None,
    as_json: bool,
    quiet: bool,
    **database: Any,
) -> None:
    """Import recorded blocks and compare the state after each with the recorded one.

    SOURCE is a trace folder (from its genesis.bin where there is one, else every step by itself) or
    the file of a step. A step whose state does not change holds a block that must be refused.

    After a result that is not as recorded a chain ends there, because nothing can be built on it;
    steps by themselves go on.

    With --db, blocks and states are kept in a directory, and SOURCE may also be a chain archive
    (.jam), a folder of block files, a block file, or - for an archive on standard input.

    \b
    Examples:
      jamliquor import traces/fallback
      jamliquor import traces/*/ --quiet --report report.json
      jamliquor import --each traces/storage
      jamliquor import traces/storage/00000031.bin --chain tiny
      jamliquor import chain.jam --db node
      jamliquor import --db node --follow /run/jamliquor/blocks.sock
    """
    _demand_sense(sources, each, database)
    stop = Stop()
    if database["db"] is not None:
        _into_database(ctx, stop, sources, chain, report_path, as_json, quiet, database)
    with _signals(stop), _report(report_path) as report:
        from jamliquor.cli.session import Session  # noqa: PLC0415 - after the cheap refusals

        params = None if chain is None else _params(chain)
        session = Session(sources, params=params, each=each, stop=stop, report=report)
        progress = Progress(session.summary.planned, quiet=quiet or as_json)
        try:
            session.run(progress, lambda line: click.echo(line, err=as_json))
        finally:
            progress.pause()
        record = session.finish()
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    elif not quiet:
        click.echo("\n".join(session.summary.lines()))
    ctx.exit(session.summary.exit_code)


def _demand_sense(sources: tuple[Path, ...], each: bool, database: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    named = [name for name, value in database.items() if value is not None]
    if database["db"] is None:
        if named:
            option = "--" + named[0].replace("_", "-")
            raise click.UsageError(f"{option} needs --db DIR")
        if not sources:
            raise click.UsageError("name a SOURCE")
        if any(source == Path("-") for source in sources):
            raise click.UsageError("standard input needs --db DIR")
    elif each:
        raise click.UsageError("--each and --db exclude each other")
    elif not sources and database["follow"] is None:
        raise click.UsageError("name a SOURCE, or --follow DIR|SOCKET")


def _into_database(
    ctx: click.Context,
    stop: Stop,
    sources: tuple[Path, ...],
    chain: str | None,
    report_path: Path | None,
    as_json: bool,
    quiet: bool,
    database: dict[str, Any],
) -> None:
    """Import into a directory, and end the command."""
    with _signals(stop), _report(report_path) as report:
        from jamliquor.cli.import_db import DatabaseSession, Job  # noqa: PLC0415
        from jamliquor.node.settings import DEFAULTS  # noqa: PLC0415
        from jamliquor.store.window import DEFAULT_KEEP_STATES  # noqa: PLC0415

        chosen = {name: value for name, value in database.items() if value is not None}
        folder, follow = chosen.pop("db"), chosen.pop("follow", None)
        keep_states = chosen.pop("keep_states", DEFAULT_KEEP_STATES)
        settings = DEFAULTS._replace(**chosen)
        params = None if chain is None else _params(chain)
        job = Job(folder, sources, follow, params, settings, keep_states)
        session = DatabaseSession(
            job, stop, report, lambda line: None if quiet else click.echo(line, err=True)
        )
        session.run()
        record = session.record()
        if report is not None:
            report.finish(record)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    elif not quiet:
        click.echo("\n".join(session.lines()))
    ctx.exit(session.exit_code)


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _report(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield None
        return
    from jamliquor.cli.report import Report  # noqa: PLC0415
    from jamliquor.cli.version import version  # noqa: PLC0415

    try:
        report = Report(path, {"jamliquor": version()})
    except OSError as error:
        reason = f"cannot write {path}: {error.strerror}; choose another place"
        raise click.BadParameter(reason, param_hint="--report") from None
    try:
        yield report
    finally:
        report.discard()


def _params(chain: str) -> ChainParams:
    """The parameters that ``--chain`` names."""
    if chain in NAMED:
        return NAMED[chain]
    import json  # noqa: PLC0415

    from jamliquor.chain_spec import params_of_spec  # noqa: PLC0415
    from jamliquor.errors import DecodeError  # noqa: PLC0415

    path = Path(chain)
    if not path.exists():
        reason = f"{chain} is neither tiny nor full nor a file"
        raise click.BadParameter(reason, param_hint="--chain")
    try:
        return params_of_spec(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        advice = "check that you may read it (ls -l)"
        raise BadInput(f"cannot be read: {error.strerror}", path, advice=advice) from None
    except DecodeError as error:
        raise BadInput(error.reason, path, field=error.path, advice="see JIP-4") from None
    except ValueError as error:
        raise BadInput(f"not JSON: {error}", path, advice="name a JIP-4 file") from None
