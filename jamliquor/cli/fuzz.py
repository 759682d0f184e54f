"""``jamliquor fuzz``: the conformance target on a Unix socket."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

from jamliquor.cli.chain import params_of
from jamliquor.cli.machine import settle
from jamliquor.cli.options import debug_option
from jamliquor.cli.version import numbers

if TYPE_CHECKING:
    from jamliquor.conformance.disk_chain import DiskHome
    from jamliquor.conformance.target import Target
    from jamliquor.params import ChainParams

LEVELS = ("error", "warn", "info", "debug", "trace")

_WISHES = ("1", "true", "yes", "on", "0", "false", "no", "off")

_EPILOG = """\b
Environment (an option on the command line goes before):
  JAM_FUZZ            1: serve when called without any arguments
  JAM_FUZZ_SOCK_PATH  as --socket
  JAM_FUZZ_SPEC       tiny or full, as --chain
  JAM_FUZZ_DATA_PATH  as --data
  JAM_FUZZ_LOG_LEVEL  as --log-level
  JAMLIQUOR_FUZZ_DB   as --db; a folder below JAM_FUZZ_DATA_PATH, where only that can be written
\b
Ctrl-C and SIGTERM end it; the exit code is 0 then.
"""


def _hint(ctx: click.Context, param: click.Parameter) -> str:
    """What the person set: the variable or the option."""
    assert param.name is not None, "options have names"
    if ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    return param.opts[0]


def _chain(ctx: click.Context, param: click.Parameter, value: str) -> str:
    hint = _hint(ctx, param)
    if hint == param.envvar and value not in ("tiny", "full"):
        raise click.BadParameter(f"{value!r} is neither tiny nor full", param_hint=hint)
    return value


def _level(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value.lower() not in LEVELS:
        reason = f"{value!r} is none of {', '.join(LEVELS)}"
        raise click.BadParameter(reason, param_hint=_hint(ctx, param))
    return value.lower()


def _socket(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path:
    if value is None:
        raise click.UsageError("no socket is named: give --socket or set JAM_FUZZ_SOCK_PATH", ctx)
    if not value.parent.is_dir():
        reason = f"{value.parent} is no folder"
        raise click.BadParameter(reason, param_hint=_hint(ctx, param))
    return value


def _folder(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """A folder that can be written, made now if need be."""
    if value is None:
        return None
    try:
        value.mkdir(parents=True, exist_ok=True)
        if not os.access(value, os.W_OK | os.X_OK):
            raise PermissionError(13, "it cannot be written")
    except OSError as error:
        reason = f"{value} is no folder to write in: {error.strerror}"
        raise click.BadParameter(reason, param_hint=_hint(ctx, param)) from None
    return value


@click.command("fuzz", short_help="Serve the conformance protocol on a Unix socket.", epilog=_EPILOG)
@click.option(
    "--socket",
    "path",
    metavar="PATH",
    envvar="JAM_FUZZ_SOCK_PATH",
    type=click.Path(path_type=Path),
    callback=_socket,
    help="Where to listen.",
)
@click.option(
    "--chain",
    metavar="tiny|full|FILE",
    envvar="JAM_FUZZ_SPEC",
    default="tiny",
    show_default=True,
    callback=_chain,
    help="Chain specification, or a JIP-4 file that holds one.",
)
@click.option("--once", is_flag=True, help="End with the first connection that made a handshake.")
@click.option(
    "--record",
    metavar="DIR",
    type=click.Path(path_type=Path),
    callback=_folder,
    help="Write every block with its states there, as traces for `jamliquor import`.",
)
@click.option(
    "--data",
    metavar="DIR",
    envvar="JAM_FUZZ_DATA_PATH",
    type=click.Path(path_type=Path),
    callback=_folder,
    help="The folder for everything else that is written: last blocks, memory of large guests. "
    "Default: one in the system's folder for temporary files.",
)
@click.option(
    "--db",
    metavar="DIR",
    envvar="JAMLIQUOR_FUZZ_DB",
    type=click.Path(path_type=Path),
    help="Keep states in a database there instead of in memory; new, or what `fuzz --db` left.",
)
@click.option(
    "--log-level",
    "level",
    metavar="|".join(LEVELS),
    envvar="JAM_FUZZ_LOG_LEVEL",
    default="info",
    show_default=True,
    callback=_level,
    help="How much to say on stderr.",
)
@debug_option
def command(
    *,
    path: Path,
    chain: str,
    once: bool,
    record: Path | None,
    data: Path | None,
    db: Path | None,
    level: str,
) -> None:
    """Serve the conformance protocol (fuzz-protocol version 1) on a Unix socket.

    States are kept in memory, or with --db on disk. When the other side asks for a state or ends a
    connection, the last block is written with the states before and after it, and the file's name is
    printed.

    \b
    Examples:
      jamliquor fuzz --socket /tmp/jam_target.sock
      jamliquor fuzz --socket /tmp/jam_target.sock --once --record said
      jamliquor fuzz --socket /tmp/jam_target.sock --db states
      jamliquor import said/*/
    """
    _check_wish()
    params = params_of(chain)
    with ExitStack() as stack:
        home = None if db is None else stack.enter_context(_home(db, params))
        target = _make(params, path, once=once, record=record, data=data, home=home, level=level)
        settle()
        with _signals(target):
            _say(sys.stdout, f"listening on {path}")
            target.serve()


def _home(folder: Path, params: ChainParams) -> DiskHome:
    from jamliquor.conformance.disk_chain import DiskHome  # noqa: PLC0415 - needs the store

    return DiskHome(folder, params)


def _make(
    params: ChainParams,
    path: Path,
    *,
    once: bool,
    record: Path | None,
    data: Path | None,
    home: DiskHome | None,
    level: str,
) -> Target:
    from jamliquor.conformance.messages import Version  # noqa: PLC0415
    from jamliquor.conformance.recording import LastBlocks, Recording  # noqa: PLC0415
    from jamliquor.conformance.session import Session  # noqa: PLC0415 - after the cheap refusals
    from jamliquor.conformance.target import Target  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415
    from jamliquor.stf.transition import prepare  # noqa: PLC0415

    prepare(params)
    folder = data or Path(tempfile.gettempdir()) / f"jamliquor-fuzz-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    engine = NativeEngine(spill_directory=str(folder))
    ours = Version(*numbers())
    return Target(
        params,
        lambda: Session(params, engine, "jamliquor", ours, home),
        path,
        last=LastBlocks(folder),
        log=_Logger(level),
        tell=lambda line: _say(sys.stdout, line),
        recording=None if record is None else Recording(params, record),
        once=once,
    )


def _check_wish() -> None:
    """Refuse a ``JAM_FUZZ`` that is neither a yes nor a no."""
    wish = os.environ.get("JAM_FUZZ", "")
    if wish and wish.lower() not in _WISHES:
        raise click.BadParameter(f"{wish!r} is neither 1 nor 0", param_hint="JAM_FUZZ")


@contextmanager
def _signals(target: Target) -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: target.stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Logger:
    """Writes lines of the wanted levels to stderr."""

    def __init__(self, level: str) -> None:
        self._shown = frozenset(LEVELS[: LEVELS.index(level) + 1])

    def __call__(self, level: str, line: str) -> None:
        if level in self._shown:
            _say(sys.stderr, f"{time.strftime('%H:%M:%S')} {level:<5} {line}")


def _say(stream: TextIO, line: str) -> None:
    # Nobody may be there to read it; serving goes on.
    with suppress(OSError):
        stream.write(f"{line}\n")
        stream.flush()
