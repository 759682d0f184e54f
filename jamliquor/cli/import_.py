"""``jamliquor import``: recorded blocks through the state transition, compared with the record."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.chain import chain_of
from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import (
    database_options,
    debug_option,
    demand_snapshots,
    json_option,
)
from jamliquor.cli.progress import Progress

if TYPE_CHECKING:
    from jamliquor.pvm.invocations import HostCall


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
@click.option(
    "--trace-service",
    "services",
    multiple=True,
    metavar="ID|all",
    help="Print every host call that this service makes. Repeatable.",
)
@click.option("--profile", is_flag=True, help="Tell where the time of the blocks went.")
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
    services: tuple[str, ...],
    profile: bool,
    as_json: bool,
    quiet: bool,
    **database: Any,
) -> None:
    """Import recorded blocks and compare the state after each with the recorded one.

    SOURCE is a trace folder or the file of a step. A folder is imported from its genesis.bin where
    there is one, else from the genesis in the file of --chain if it is built on that, else every step
    by itself. A step whose state does not change holds a block that must be refused.

    After a result that is not as recorded a chain ends there, because nothing can be built on it;
    steps by themselves go on.

    With --db, blocks and states are kept in a directory, and SOURCE may also be a chain archive
    (.jam), a named pipe that brings one, - for one on standard input, a folder of block files, or a
    block file.

    \b
    Examples:
      jamliquor import traces/fallback
      jamliquor import traces/*/ --quiet --report report.json
      jamliquor import --each traces/storage
      jamliquor import traces/storage/00000031.bin --chain tiny
      jamliquor import traces/storage --trace-service all --quiet
      jamliquor import traces/storage --profile
      jamliquor import chain.jam --db node
      jamliquor import chain.jam --db node --profile
      jamliquor import later.jam --db node --from-snapshot tiny-120.jamsnap
      jamliquor import --db node --follow /run/jamliquor/blocks.sock
    """
    _demand_sense(sources, each or bool(services), database)
    demand_snapshots(database)
    stop = Stop()
    watched = _services(services)
    if database["db"] is not None:
        from jamliquor.cli.import_db import import_into  # noqa: PLC0415

        with signals(stop), open_report(report_path) as report:
            code = import_into(
                {**database, "profile": profile},
                sources,
                chain,
                stop,
                report,
                as_json=as_json,
                quiet=quiet,
            )
        ctx.exit(code)
    with signals(stop), open_report(report_path) as report:
        from jamliquor.cli.profile import profile_lines  # noqa: PLC0415 - after cheap refusals
        from jamliquor.cli.session import Session  # noqa: PLC0415
        from jamliquor.stf.laps import Laps  # noqa: PLC0415

        params, genesis = (None, None) if chain is None else chain_of(chain)
        watch = _watch(watched, as_json=as_json) if services else None
        laps = Laps(time.perf_counter) if profile else None
        session = Session(
            sources,
            params=params,
            each=each,
            stop=stop,
            report=report,
            observe=watch,
            genesis=genesis,
            laps=laps,
        )
        # Both write to the terminal: lines of calls tell the progress well enough.
        hidden = quiet or as_json or watch is not None
        progress = Progress(session.summary.planned, quiet=hidden)
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
        if laps is not None:
            click.echo("\n".join(["", *profile_lines(laps)]))
    ctx.exit(session.summary.exit_code)


def _demand_sense(sources: tuple[Path, ...], compares: bool, database: dict[str, Any]) -> None:
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
    elif compares:
        raise click.UsageError("--each and --trace-service are not for --db")
    elif not sources and database["follow"] is None and database["from_snapshot"] is None:
        raise click.UsageError("name a SOURCE, or --follow DIR|SOCKET, or --from-snapshot FILE")


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM ask to stop."""
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def open_report(path: Path | None) -> Iterator[Any]:
    """The report file that ``--report`` names, or None; discarded unless it is finished.

    Raises:
        BadParameter: the place cannot be written.
    """
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


def _services(names: tuple[str, ...]) -> frozenset[int] | None:
    """The services that ``--trace-service`` names; None for all of them."""
    if "all" in names:
        return None
    found = set()
    for name in names:
        try:
            service = int(name, 0)
        except ValueError:
            service = -1
        if not 0 <= service < 1 << 32:
            reason = f"{name!r} is neither all nor a service's index below 2^32"
            raise click.BadParameter(reason, param_hint="--trace-service")
        found.add(service)
    return frozenset(found)


def _watch(services: frozenset[int] | None, *, as_json: bool) -> Callable[[int, HostCall], None]:
    """Prints the host calls of some services, or of all for None."""
    import json  # noqa: PLC0415

    from jamliquor.cli.host_calls import call_line, call_record  # noqa: PLC0415

    def tell(slot: int, call: HostCall) -> None:
        if services is None or call.service in services:
            click.echo(json.dumps(call_record(slot, call)) if as_json else call_line(slot, call))

    return tell
