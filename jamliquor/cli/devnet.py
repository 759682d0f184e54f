"""``jamliquor devnet``: a network of development validators in one process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.exits import ExitCode
from jamliquor.cli.options import debug_option, json_option

if TYPE_CHECKING:
    from jamliquor.cli.devnet_view import View
    from jamliquor.node.devnet import Devnet, Happening, Options
    from jamliquor.store.archive import ArchiveWriter

_F = TypeVar("_F", bound=Callable[..., Any])
_RATE = click.FloatRange(0, 1)
_WORK = ("none", "mixed", "echo", "key-value", "preimages", "transfers")


def _rate(name: str, text: str) -> Callable[[_F], _F]:
    return click.option(name, metavar="P", type=_RATE, default=0.0, show_default=True, help=text)


@click.command("devnet", short_help="Run a network of development validators.", epilog=EXIT_CODES)
@click.option(
    "--validators",
    metavar="N",
    type=click.IntRange(3, 1023),
    default=6,
    show_default=True,
    help="Validators: 6 makes the tiny chain, 1023 the full one.",
)
@click.option(
    "--slots", metavar="N", type=click.IntRange(1), help="Slots to run. Default: until Ctrl-C."
)
@click.option(
    "--seed",
    metavar="S",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="What decides every choice: the same seed makes the same chain.",
)
@click.option("--fast", is_flag=True, help="As fast as it goes, from slot 0, rather than in real time.")
@click.option(
    "--tickets",
    metavar="N",
    type=click.IntRange(0),
    help="Tickets to submit in an epoch. Default: as many as win it.",
)
@_rate("--fallback-rate", "Epochs whose contest gets too few tickets.")
@_rate("--fork-rate", "Slots whose block builds on an older one than the best.")
@_rate("--skip-rate", "Slots that stay empty.")
@_rate("--dispute-rate", "Blocks that carry a dispute.")
@_rate("--refused-rate", "Blocks that come with a spoilt copy, which must be refused.")
@click.option(
    "--work",
    metavar="PROFILE",
    type=click.Choice(_WORK),
    default="mixed",
    show_default=True,
    help=f"What services work at: {', '.join(_WORK)}.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the chain to an archive (.jam), which jamliquor import reads.",
)
@click.option("--quiet", is_flag=True, help="Print only the summary.")
@json_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    slots: int | None,
    fast: bool,
    out: Path | None,
    quiet: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Run a network whose validators have keys that everybody knows.

    Validators take turns as the protocol says, prove tickets, guarantee and assure the work of four
    example services, and import every block. All of it is in one process, and the same seed makes the
    same chain.

    \b
    Examples:
      jamliquor devnet
      jamliquor devnet --fast --slots 72 --seed 7 --fork-rate 0.1 --out chain.jam
      jamliquor devnet --fast --slots 240 --skip-rate 0.1 --fallback-rate 0.3 --dispute-rate 0.02
    """
    if fast and slots is None:
        raise click.UsageError("--fast needs --slots N: it would never end")
    from jamliquor.cli.devnet_view import View  # noqa: PLC0415 - after the cheap refusals
    from jamliquor.node.clock import slot_now  # noqa: PLC0415
    from jamliquor.node.devnet import Devnet, Options, parameters  # noqa: PLC0415

    start = 0 if fast else slot_now(parameters(chosen["validators"]))
    options = Options(start=start, **chosen)
    begun = time.perf_counter()
    devnet = Devnet(options)
    view = View(devnet, quiet=quiet or as_json)
    totals = _Totals(devnet)
    with _archive(devnet, out) as archive:
        stopped = _run(_slots(devnet, slots, fast), archive, view, totals)
    record = totals.record(time.perf_counter() - begun)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        click.echo("\n".join(_lines(record, options, out)))
    ctx.exit(ExitCode.INTERRUPTED if stopped and slots is not None else ExitCode.DONE)


class _Totals:
    """Adds up what happened."""

    def __init__(self, devnet: Devnet) -> None:
        self._devnet = devnet
        self._kinds: Counter[str] = Counter()
        self._sums: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, happened: Happening) -> None:
        self._kinds[happened.kind.value] += 1
        self._sums["tickets sealed"] += happened.ticketed
        self._sums["reports"] += happened.work[0]
        self._sums["preimages"] += happened.preimages
        self._sums["offenders"] += happened.offenders
        if happened.reason:
            self._reasons[happened.reason] += 1

    def record(self, seconds: float) -> dict[str, Any]:
        from jamliquor.cli.machine import peak_rss  # noqa: PLC0415

        devnet = self._devnet
        head = devnet.node.head_record
        return {
            "chain": devnet.params.name,
            "genesis": "0x" + devnet.genesis.hash.hex(),
            "head": "0x" + head.hash.hex(),
            "state_root": "0x" + head.state_root.hex(),
            "slot": devnet.slot,
            "head_slot": head.slot,
            "epochs": devnet.params.epoch_of(devnet.slot)[0]
            - devnet.params.epoch_of(devnet.options.start)[0]
            + 1,
            "blocks": self._kinds["block"] + self._kinds["fork"],
            "forks": self._kinds["fork"],
            "skipped": self._kinds["skipped"],
            "refused": self._kinds["refused"],
            "ticketed": self._sums["tickets sealed"],
            "reports": self._sums["reports"],
            "preimages": self._sums["preimages"],
            "offenders": self._sums["offenders"],
            "reasons": dict(sorted(self._reasons.items())),
            "seconds": round(seconds, 3),
            "peak_rss_bytes": peak_rss(),
        }


def _slots(devnet: Devnet, slots: int | None, fast: bool) -> Iterator[Happening]:
    """What happens, each slot at its time."""
    from jamliquor.node.clock import seconds_until  # noqa: PLC0415

    made = 0
    while slots is None or made < slots:
        if not fast:
            time.sleep(seconds_until(devnet.params, devnet.slot + 1))
        yield from devnet.advance()
        made += 1


def _run(
    happenings: Iterator[Happening], archive: ArchiveWriter | None, view: View, totals: _Totals
) -> bool:
    """Show and keep what happens; whether somebody stopped it."""
    try:
        for happened in happenings:
            if archive is not None and happened.octets is not None:
                archive.block(happened.octets)
            totals.add(happened)
            view.show(happened)
    except KeyboardInterrupt:
        return True
    finally:
        view.end()
    return False


def _archive(devnet: Devnet, out: Path | None) -> AbstractContextManager[ArchiveWriter | None]:
    if out is None:
        return nullcontext()
    from jamliquor.store.archive import ArchiveWriter  # noqa: PLC0415

    begun = devnet.genesis
    writer = ArchiveWriter(out, devnet.params, begun.header, begun.state.root)
    writer.entries(begun.state.items())
    return writer


def _lines(record: dict[str, Any], options: Options, out: Path | None) -> Iterator[str]:
    rows = [
        ("chain", f"{record['chain']}, seed {options.seed}, genesis {record['genesis'][:18]}"),
        (
            "blocks",
            f"{record['blocks']} in {record['epochs']} epochs: {record['ticketed']} by tickets, "
            f"{record['forks']} forks, {record['refused']} refused",
        ),
        ("skipped", f"{record['skipped']} slots"),
        (
            "work",
            f"{record['reports']} reports, {record['preimages']} preimages, "
            f"{record['offenders']} offenders",
        ),
        ("head", f"slot {record['head_slot']}, {record['head'][:18]}"),
        ("state", record["state_root"]),
        ("time", f"{record['seconds']:.2f} s"),
        ("memory", f"{record['peak_rss_bytes'] / 1e6:.1f} MB at the peak"),
    ]
    if out is not None:
        rows.append(("archive", f"{out}, {out.stat().st_size} octets"))
    for name, text in rows:
        yield f"{name:<9}{text}"
