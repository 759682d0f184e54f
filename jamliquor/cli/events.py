"""``jamliquor events``: the log of what a node did."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.exits import ExitCode
from jamliquor.cli.options import debug_option, directory_argument, in_slots, json_option

if TYPE_CHECKING:
    from jamliquor.chain.importer import Importer
    from jamliquor.node.replaying import BlockOf
    from jamliquor.store.segments import Entry


_slot = click.IntRange(0, (1 << 32) - 1)


@click.group("events", short_help="Read, check and replay the log of what a node did.")
def command() -> None:
    """Read, check and replay the log of what a node did. Works while the node runs.

    DIR is the node's directory.

    \b
    Examples:
      jamliquor events tail node
      jamliquor events scan node --kind reorganised --json
      jamliquor events verify node
      jamliquor events replay node --with chain.jam
    """


@command.command("tail")
@directory_argument
@click.option("-n", "--lines", "count", default=20, show_default=True, type=click.IntRange(1, 100_000))
@json_option
@debug_option
def tail_command(folder: Path, count: int, as_json: bool) -> None:
    """The last events, oldest first."""
    from jamliquor.store.events import tail  # noqa: PLC0415

    for entry in tail(_log(folder), count):
        click.echo(_line(entry, as_json))


@command.command("scan")
@directory_argument
@click.option("--from", "first", metavar="N", default=0, help="Number of the first event.")
@click.option("--to", "last", metavar="N", type=int, help="Number of the last event.")
@click.option("--from-slot", metavar="SLOT", type=_slot, help="Only events of this slot or later ones.")
@click.option("--to-slot", metavar="SLOT", type=_slot, help="Only events of this slot or earlier ones.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind; may be given again.")
@json_option
@debug_option
def scan_command(
    folder: Path,
    first: int,
    last: int | None,
    from_slot: int | None,
    to_slot: int | None,
    kinds: tuple[str, ...],
    as_json: bool,
) -> None:
    """All events, or those of some numbers, slots or kinds, oldest first.

    Events have numbers of their own, and most of them a slot: of the block that they are about. Where
    slots are named, events without one are left out.
    """
    from jamliquor.chain.events import NAMES  # noqa: PLC0415
    from jamliquor.store.segments import entries  # noqa: PLC0415

    unknown = sorted(set(kinds) - set(NAMES.values()))
    if unknown:
        known = ", ".join(sorted(NAMES.values()))
        raise click.BadParameter(f"no kind {unknown[0]!r} (there are: {known})", param_hint="--kind")
    for entry in entries(_log(folder), first, last):
        if kinds and _name(entry) not in kinds:
            continue
        if (from_slot is not None or to_slot is not None) and not _lies(entry, from_slot, to_slot):
            continue
        click.echo(_line(entry, as_json))


def _lies(entry: Entry, first: int | None, last: int | None) -> bool:
    slot = getattr(entry.event, "slot", None)
    return slot is not None and in_slots(slot, first, last)


@command.command("verify")
@directory_argument
@json_option
@debug_option
@click.pass_context
def verify_command(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Check every checksum and number; exits with 5 if anything is damaged."""
    from jamliquor.store.segments import damages, entries, segment_files  # noqa: PLC0415

    log = _log(folder)
    found = [str(damage) for damage in damages(log)]
    files = segment_files(log)
    numbers = [entry.sequence for entry in entries(log)] if not found else []
    record = {
        "segments": len(files),
        "octets": sum(path.stat().st_size for path in files),
        "first": numbers[0] if numbers else None,
        "last": numbers[-1] if numbers else None,
        "damage": found,
    }
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        for line in found:
            click.echo(line)
        told = f"events {record['first']} to {record['last']}" if numbers else "no events"
        state = f"{len(found)} places DAMAGED" if found else f"whole: {told}"
        click.echo(f"{len(files)} segments, {record['octets']} octets, {state}")
    ctx.exit(ExitCode.MISMATCH if found else ExitCode.DONE)


@command.command("replay")
@directory_argument
@click.option(
    "--with",
    "source",
    metavar="SOURCE",
    type=click.Path(path_type=Path),
    help="A chain archive or trace folder with genesis and blocks, to execute all of them again.",
)
@click.option("--execute", is_flag=True, help="Execute the blocks that the directory still has.")
@json_option
@debug_option
def replay_command(folder: Path, source: Path | None, execute: bool, as_json: bool) -> None:
    """Rebuild the tree from the events and compare every digest; exits with 5 on a difference.

    With --execute or --with, the blocks are imported again too, and every state root is compared.
    """
    from jamliquor.node.replaying import replay  # noqa: PLC0415
    from jamliquor.store.segments import entries  # noqa: PLC0415

    log = _log(folder)
    if source is not None:
        report = replay(entries(log), *_from_source(source))
    elif execute:
        from jamliquor.node.directory import Directory  # noqa: PLC0415

        directory = Directory(folder)
        try:
            report = replay(entries(log), *_from_directory(directory))
        finally:
            directory.close()
    else:
        report = replay(entries(log))
    record = _plain(report)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        from jamliquor.cli.tables import pairs  # noqa: PLC0415

        click.echo("\n".join(pairs(record.items())))


def _from_source(source: Path) -> tuple[Importer, BlockOf]:
    from jamliquor.chain.importer import Importer  # noqa: PLC0415
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.node.replaying import BlocksOnDemand  # noqa: PLC0415
    from jamliquor.node.sources import open_source  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415
    from jamliquor.state.state import State  # noqa: PLC0415

    opened = open_source(source, None)
    if opened.genesis is None:
        raise BadInput("it has no genesis", source, advice="name an archive or a trace folder")
    params = opened.genesis.params
    importer = Importer(params, NativeEngine(), kept_states=64)
    importer.start(opened.genesis_hash, State.from_entries(params, opened.genesis.entries))
    return importer, BlocksOnDemand(params, opened.blocks)


def _from_directory(directory: Any) -> tuple[Importer, BlockOf]:
    from jamliquor.chain.importer import Importer  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    store = directory.store
    importer = Importer(directory.params, NativeEngine(), kept_states=64)
    base = store.record(store.base)
    least = max(0, base.slot - directory.params.max_lookup_anchor_age)
    importer.add_records(store.records(least, base.slot))
    importer.start(base.hash, store.state(base.hash))
    return importer, store.block


def _log(folder: Path) -> Path:
    from jamliquor.errors import StoreError  # noqa: PLC0415

    log = folder / "events"
    if not log.is_dir():
        raise StoreError(f"{folder}: holds no event log (no folder {log})")
    return log


def _name(entry: Entry) -> str:
    from jamliquor.chain.events import NAMES  # noqa: PLC0415

    if entry.event is None:
        return f"unknown-{entry.kind}.{entry.version}"
    return NAMES[type(entry.event)]


def _line(entry: Entry, as_json: bool) -> str:
    if as_json:
        import json  # noqa: PLC0415

        fields = {} if entry.event is None else _plain(entry.event)
        head = {"sequence": entry.sequence, "micros": entry.micros, "kind": _name(entry)}
        return json.dumps({**head, "version": entry.version, **fields})
    moment = datetime.datetime.fromtimestamp(entry.micros / 1e6, datetime.UTC)
    told = " ".join(_words(entry.event)) if entry.event is not None else ""
    return f"{entry.sequence:>8} {moment:%Y-%m-%d %H:%M:%S.%f} {_name(entry):<15} {told}".rstrip()


def _words(event: Any) -> Iterator[str]:
    from jamliquor.cli.tables import short  # noqa: PLC0415

    for name, value in event._asdict().items():
        if isinstance(value, bytes):
            if name in _TEXTS:
                if value:
                    yield f"{name}={value.decode(errors='replace')}"
            elif any(value):
                yield f"{name}={short(value)}"
        elif isinstance(value, tuple):
            yield f"{name}={len(value)}"
        else:
            yield f"{name}={value}"


_TEXTS = frozenset(
    ("source", "code", "detail", "queue", "reason", "chain", "software", "settings", "what", "path")
)
"""Fields of events that hold text, not hashes."""


def _plain(value: Any, name: str = "") -> Any:
    """An event as JSON has it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace") if name in _TEXTS else "0x" + value.hex()
    if hasattr(value, "_asdict"):
        return {field: _plain(inner, field) for field, inner in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value
