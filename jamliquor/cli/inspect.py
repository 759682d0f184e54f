"""``jamliquor inspect``: what a node's directory holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.asking import asked
from jamliquor.cli.options import debug_option, directory_argument, json_option, slots_options

if TYPE_CHECKING:
    from jamliquor.chain.record import BlockRecord
    from jamliquor.node.asking import Asked

_LAST_SLOT = (1 << 32) - 1

block_option = click.option(
    "--at", "wanted", metavar="HASH|SLOT", help="State after this block. Default: the head."
)


@click.group("inspect", short_help="Look into the directory of a node.")
def command() -> None:
    """Look into the directory of a node; nothing is changed.

    While a node runs on it, that node answers between two blocks.

    \b
    Examples:
      jamliquor inspect head node
      jamliquor inspect history node --from 100 --to 120
      jamliquor inspect block node 104 --json
      jamliquor inspect service node 0
    """


@command.command("head")
@directory_argument
@json_option
@debug_option
def head_command(folder: Path, as_json: bool) -> None:
    """Best block, final block, oldest kept state, sizes."""
    with asked(folder, quiet=as_json) as node:
        record = node.ask("head")
    if as_json:
        _print_json(record)
        return
    rows: list[tuple[str, object]] = [("chain", record["chain"]), ("genesis", record["genesis"])]
    for name in ("head", "finalised", "base"):
        found = record[name]
        rows.append((name, f"slot {found['slot']}, number {found['number']}, {found['hash']}"))
    rows.append(("state root", record["head"]["state_root"]))
    rows.append(("disk", f"{record['store_bytes'] / 1e6:.1f} MB"))
    _print_pairs(rows)


@command.command("block")
@directory_argument
@click.argument("wanted", metavar="HASH|SLOT", required=False)
@json_option
@debug_option
def block_command(folder: Path, wanted: str | None, as_json: bool) -> None:
    """One block: its header, and how much of everything it carries. Default: the head."""
    with asked(folder, quiet=as_json) as node:
        record = node.ask("block", wanted=wanted)
    if as_json:
        _print_json(record)
    else:
        _print_pairs((name.replace("_", " "), _word(value)) for name, value in record.items())


@command.command("state")
@directory_argument
@block_option
@click.option("--from", "first", metavar="KEY", default="", help="First key, or its beginning.")
@click.option("--to", "last", metavar="KEY", default="", help="Last key, or its beginning.")
@click.option("--values", is_flag=True, help="Show values too.")
@json_option
@debug_option
def state_command(
    folder: Path, wanted: str | None, first: str, last: str, values: bool, as_json: bool
) -> None:
    """Entries of a state in key order: key, size, what it is."""
    from jamliquor.node.asking import pieces  # noqa: PLC0415

    with asked(folder, quiet=as_json) as node:
        wish = {"at": wanted, "first": first, "last": last, "values": values}
        for piece in pieces(node, "state", **wish):
            for entry in piece["rows"]:
                if values and "value" not in entry:
                    entry["value"] = _large_value(node, piece["block"], entry["key"])
                if as_json:
                    _print_json(entry)
                    continue
                click.echo(f"{entry['key']} {entry['octets']:>8}  {entry['is']}")
                if values:
                    click.echo(f"  {entry['value']}")


@command.command("service")
@directory_argument
@click.argument("service", metavar="ID", type=click.IntRange(0, (1 << 32) - 1))
@block_option
@json_option
@debug_option
def service_command(folder: Path, service: int, wanted: str | None, as_json: bool) -> None:
    """The record of one service."""
    with asked(folder, quiet=as_json) as node:
        record = node.ask("service", service=service, at=wanted)
    if as_json:
        _print_json(record)
    else:
        _print_pairs(record.items())


@command.command("history")
@directory_argument
@slots_options
@json_option
@debug_option
def history_command(folder: Path, first: int | None, last: int | None, as_json: bool) -> None:
    """Known blocks by slot; those of the best chain are marked."""
    from jamliquor.node.asking import rows  # noqa: PLC0415

    columns = ("slot", "number", "hash", "parent", "ticketed", "best", "body")
    with asked(folder, quiet=as_json) as node:
        listed = rows(node, "history", first=first, last=last)
        if as_json:
            for row in listed:
                _print_json(row)
        else:
            _print_rows(listed, columns)


@command.command("tree")
@directory_argument
@slots_options
@json_option
@debug_option
def tree_command(folder: Path, first: int | None, last: int | None, as_json: bool) -> None:
    """The blocks that are not final, as the tree they form."""
    from jamliquor.chain.tree import BlockTree  # noqa: PLC0415
    from jamliquor.cli.tables import short  # noqa: PLC0415
    from jamliquor.node.asking import rows  # noqa: PLC0415

    with asked(folder, quiet=as_json) as node:
        listed = {row["hash"]: row for row in rows(node, "tree")}
    # The final block comes first, then everything by slot: parents before their children.
    records = iter([_record(row) for row in listed.values()])
    root = next(records)
    tree = BlockTree(root, max_blocks=len(listed))
    for record in records:
        if record.parent in tree:
            tree.add(record)
    low, high = first or 0, _LAST_SLOT if last is None else last
    depths = {root.hash: 0}
    for record in tree:
        # A line of only children stays on one level; every fork indents.
        if record.hash != root.hash:
            forks = len(tree.children(record.parent)) > 1
            depths[record.hash] = depths[record.parent] + forks
        if not low <= record.slot <= high:
            continue
        row = listed["0x" + record.hash.hex()]
        best = row.pop("best")
        if as_json:
            _print_json({**row, "leaf": not tree.children(record.hash), "best": best})
            continue
        marks = [
            word
            for word, holds in (
                ("final", record.hash == root.hash),
                ("head", best),
                ("two in this slot", tree.is_equivocated(record.slot)),
            )
            if holds
        ]
        told = f"  ({', '.join(marks)})" if marks else ""
        click.echo(f"{'| ' * depths[record.hash]}slot {record.slot} {short(record.hash)}{told}")


def _large_value(node: Asked, block: str, key: str) -> str:
    from jamliquor.node.asking import pieces  # noqa: PLC0415

    return "0x" + "".join(piece["octets"] for piece in pieces(node, "value", at=block, key=key))


def _record(row: dict[str, Any]) -> BlockRecord:
    """The record of a block that a row is about, without its header."""
    from jamliquor.chain.record import BlockRecord  # noqa: PLC0415

    block_hash, parent, root = (bytes.fromhex(row[n][2:]) for n in ("hash", "parent", "state_root"))
    return BlockRecord(
        block_hash, parent, row["slot"], row["number"], root, row["ticketed"], header=b""
    )


def _word(value: Any) -> str:
    if value is None:
        return "dropped"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return str(value)


def _print_json(record: Any) -> None:
    import json  # noqa: PLC0415

    click.echo(json.dumps(record))


def _print_pairs(rows: Iterable[tuple[str, object]]) -> None:
    from jamliquor.cli.tables import pairs  # noqa: PLC0415

    click.echo("\n".join(pairs(rows)))


def _print_rows(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> None:
    from jamliquor.cli.tables import table  # noqa: PLC0415

    shown = [
        [f"{row[name][:18]}…" if name in ("hash", "parent") else _word(row[name]) for name in columns]
        for row in rows
    ]
    click.echo("\n".join(table(columns, shown)))
