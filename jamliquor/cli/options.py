"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    _AnyType = click.ParamType[Any]
    _IntType = click.ParamType[int]
else:
    # Only newer versions of click take a type here.
    _AnyType = _IntType = click.ParamType

_Function = TypeVar("_Function", bound=Callable[..., Any])

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def _remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta["debug"] = value


debug_option = click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_remember,
    help="On an error, print where in the code it happened.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")

directory_argument = click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False)
)

start_option = click.option(
    "--start",
    metavar="SOURCE",
    type=click.Path(path_type=Path, exists=True),
    help="Begin with this snapshot, or with the genesis of this archive or trace folder.",
)


def digest_of(text: str, option: str) -> bytes:
    """The 32 octets that hexadecimal digits name.

    Raises:
        BadParameter: they do not.
    """
    try:
        found = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not hexadecimal", param_hint=option) from None
    if len(found) != 32:
        raise click.BadParameter("a hash has 64 hexadecimal digits", param_hint=option)
    return found


def slots_options(function: _Function) -> _Function:
    """``--from`` and ``--to``: the first and the last slot that are wanted."""
    for name, parameter, text in (
        ("--to", "last", "Last slot that is wanted."),
        ("--from", "first", "First slot that is wanted."),
    ):
        function = click.option(
            name, parameter, metavar="SLOT", type=click.IntRange(0, (1 << 32) - 1), help=text
        )(function)
    return function


def in_slots(slot: int, first: int | None, last: int | None) -> bool:
    """Whether a slot is one of those that :func:`slots_options` named."""
    return (first or 0) <= slot and (last is None or slot <= last)


class Finality(_AnyType):
    """``manual`` or ``depth:N``."""

    name = "manual|depth:N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The rule as a value."""
        from jamliquor.chain.finality import Finality as Rule  # noqa: PLC0415

        try:
            return Rule.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Octets(_IntType):
    """A size such as ``800M`` or ``1Gi``."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The size in octets."""
        if isinstance(value, int):
            return value
        digits = value.rstrip("KMGi")
        unit = value[len(digits) :]
        if not digits.isdecimal() or unit not in _UNITS:
            self.fail(
                f"{value!r} is no size: a number, then K, M, G, Ki, Mi, Gi or nothing", param, ctx
            )
        return int(digits) * _UNITS[unit]


def database_options(function: _Function) -> _Function:
    """What ``import --db`` can be told about the directory and the chain in it."""
    options = [
        click.option(
            "--db",
            metavar="DIR",
            type=click.Path(path_type=Path, file_okay=False),
            help="Keep blocks and states in this directory, and continue from its head.",
        ),
        click.option(
            "--from-snapshot",
            metavar="FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="With --db: fill a new directory from this snapshot, then go on from it.",
        ),
        click.option(
            "--follow",
            metavar="DIR|SOCKET",
            type=click.Path(path_type=Path),
            help="With --db: then take new blocks as they arrive, until SIGTERM.",
        ),
        click.option(
            "--finality",
            type=Finality(),
            help="With --db: by hand, or N blocks below the head. Default: depth:32.",
        ),
        click.option(
            "--audit",
            type=click.Choice(["assume"]),
            help="With --db: every block counts as audited. Default, until there is auditing.",
        ),
        click.option(
            "--keep-states",
            metavar="N",
            type=click.IntRange(1, 4096),
            help="With --db: states behind the head that are kept. Default: 16.",
        ),
        click.option(
            "--keep-blocks",
            metavar="N",
            type=click.IntRange(0),
            help="With --db: slots behind the final block whose blocks are kept. Default: all.",
        ),
        click.option(
            "--storage-budget",
            type=Octets(),
            help="With --db: drop the oldest blocks above this size, such as 800M.",
        ),
        snapshot_options("With --db: "),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def snapshot_options(condition: str) -> Callable[[_Function], _Function]:
    """Whether and how often a node takes snapshots of itself; the texts begin with a condition."""

    def capital(text: str) -> str:
        return condition + text if condition else text[0].upper() + text[1:]

    every = click.option(
        "--snapshot-every",
        metavar="BLOCKS",
        type=click.IntRange(1),
        help=capital(
            "write a snapshot into DIR/snapshots each time that the state on disk has moved on by so "
            "many blocks; damage is repaired from it. One of a million entries of 280 octets is 63 MB "
            "of flash, twice that until the one before is removed. Default: never."
        ),
    )
    keep = click.option(
        "--keep-snapshots",
        metavar="N",
        type=click.IntRange(1),
        help=capital("how many of these snapshots are kept. Default: 1."),
    )

    def options(function: _Function) -> _Function:
        return every(keep(function))

    return options


def demand_snapshots(chosen: dict[str, Any]) -> None:
    """Refuse to keep snapshots of which none is taken, or to take some that cannot repair anything."""
    every, keep_blocks = chosen["snapshot_every"], chosen.get("keep_blocks")
    if chosen["keep_snapshots"] is not None and every is None:
        raise click.UsageError("--keep-snapshots needs --snapshot-every BLOCKS")
    if every is not None and keep_blocks is not None and every >= keep_blocks:
        raise click.UsageError(
            f"--snapshot-every {every} must be less than --keep-blocks {keep_blocks}: "
            "a repair needs the blocks since the snapshot"
        )
