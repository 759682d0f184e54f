"""``jamliquor inspect``: what a node's directory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.options import debug_option, directory_argument, json_option, slots_options

if TYPE_CHECKING:
    from jamliquor.chain.record import BlockRecord
    from jamliquor.node.directory import Directory
    from jamliquor.state.state import State

_LAST_SLOT = (1 << 32) - 1
_HASH_DIGITS = 64

block_option = click.option(
    "--at", "wanted", metavar="HASH|SLOT", help="State after this block. Default: the head."
)


@click.group("inspect", short_help="Look into the directory of a node.")
def command() -> None:
    """Look into the directory of a node that does not run; nothing is changed.

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
    with _opened(folder) as directory:
        store = directory.store
        record: dict[str, Any] = {
            "chain": directory.params.name,
            "genesis": "0x" + directory.genesis.hex(),
        }
        for name, block_hash in (
            ("head", store.head),
            ("finalised", store.finalised),
            ("base", store.base),
        ):
            record[name] = _short_record(_record(directory, block_hash))
        record["store_bytes"] = store.size_on_disk
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
    from jamliquor.codec import codec  # noqa: PLC0415
    from jamliquor.types.block import Block  # noqa: PLC0415
    from jamliquor.types.header import Header  # noqa: PLC0415

    with _opened(folder) as directory:
        found = _chosen(directory, wanted)
        header = codec(Header, directory.params).decode(found.header)
        body = directory.store.block(found.hash)
        record = {**_short_record(found), "author_index": header.author_index}
        record["sealed_by"] = "ticket" if found.ticketed else "fallback key"
        record["epoch_mark"] = header.epoch_mark is not None
        record["tickets_mark"] = header.tickets_mark is not None
        record["offenders"] = ["0x" + key.hex() for key in header.offenders_mark]
        record["extrinsic_hash"] = "0x" + header.extrinsic_hash.hex()
        record["octets"] = None if body is None else len(body)
        if body is not None:
            extrinsic = codec(Block, directory.params).decode(body).extrinsic
            for name, part in extrinsic._asdict().items():
                parts = part if name == "disputes" else (part,)
                record[name] = sum(len(items) for items in parts)
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
    from jamliquor.state import keys  # noqa: PLC0415

    begin, end = _key(first, "--from"), _key(last, "--to")
    with _opened(folder) as directory:
        for key, value in _state(directory, wanted).trie.items(begin):
            if end and key[: len(end)] > end:
                return
            shown = "0x" + value.hex()
            if as_json:
                entry = {"key": "0x" + key.hex(), "octets": len(value), "is": keys.describe(key)}
                _print_json({**entry, "value": shown} if values else entry)
            else:
                line = f"0x{key.hex()} {len(value):>8}  {keys.describe(key)}"
                click.echo(f"{line}\n  {shown}" if values else line)


@command.command("service")
@directory_argument
@click.argument("service", metavar="ID", type=click.IntRange(0, (1 << 32) - 1))
@block_option
@json_option
@debug_option
def service_command(folder: Path, service: int, wanted: str | None, as_json: bool) -> None:
    """The record of one service."""
    with _opened(folder) as directory:
        account = _state(directory, wanted).account(service)
    if account is None:
        raise click.BadParameter(f"there is no service {service} in that state", param_hint="ID")
    record = {
        name: "0x" + value.hex() if isinstance(value, bytes) else value
        for name, value in account._asdict().items()
    }
    if as_json:
        _print_json({"service": service, **record})
    else:
        _print_pairs([("service", service), *record.items()])


@command.command("history")
@directory_argument
@slots_options
@json_option
@debug_option
def history_command(folder: Path, first: int | None, last: int | None, as_json: bool) -> None:
    """Known blocks by slot; those of the best chain are marked."""
    with _opened(folder) as directory:
        store = directory.store
        head = _record(directory, store.head)
        low, high = first or 0, _LAST_SLOT if last is None else last
        best = _line(store.record, head, low)
        rows = [
            {**_short_record(record), "best": record.hash in best, "body": _has(store, record)}
            for record in store.records(low, high)
        ]
    _print_rows(rows, ("slot", "number", "hash", "parent", "ticketed", "best", "body"), as_json)


@command.command("tree")
@directory_argument
@slots_options
@json_option
@debug_option
def tree_command(folder: Path, first: int | None, last: int | None, as_json: bool) -> None:
    """The blocks that are not final, as the tree they form."""
    from jamliquor.chain.tree import BlockTree  # noqa: PLC0415
    from jamliquor.cli.tables import short  # noqa: PLC0415

    with _opened(folder) as directory:
        store = directory.store
        root = _record(directory, store.finalised)
        tree = BlockTree(root)
        for record in store.records(root.slot + 1, _LAST_SLOT):
            if record.parent in tree:
                tree.add(record)
        head = store.head
    low, high = first or 0, _LAST_SLOT if last is None else last
    depths = {root.hash: 0}
    for record in tree:
        # A line of only children stays on one level; every fork indents.
        if record.hash != root.hash:
            forks = len(tree.children(record.parent)) > 1
            depths[record.hash] = depths[record.parent] + forks
        if not low <= record.slot <= high:
            continue
        if as_json:
            leaf = not tree.children(record.hash)
            _print_json({**_short_record(record), "leaf": leaf, "best": record.hash == head})
            continue
        marks = [
            word
            for word, holds in (
                ("final", record.hash == root.hash),
                ("head", record.hash == head),
                ("two in this slot", tree.is_equivocated(record.slot)),
            )
            if holds
        ]
        told = f"  ({', '.join(marks)})" if marks else ""
        click.echo(f"{'| ' * depths[record.hash]}slot {record.slot} {short(record.hash)}{told}")


@contextmanager
def _opened(folder: Path) -> Iterator[Directory]:
    from jamliquor.node.directory import Directory  # noqa: PLC0415

    directory = Directory(folder, repair=False)
    try:
        yield directory
    finally:
        directory.close()


def _record(directory: Directory, block_hash: bytes | None) -> BlockRecord:
    from jamliquor.errors import StoreError  # noqa: PLC0415

    record = None if block_hash is None else directory.store.record(block_hash)
    if record is None:
        shown = "none" if block_hash is None else "0x" + block_hash.hex()
        raise StoreError(f"{directory.folder}: the record of block {shown} is missing")
    return record


def _chosen(directory: Directory, wanted: str | None) -> BlockRecord:
    """The block that a hash or a slot names; of several in a slot, the one of the best chain."""
    store = directory.store
    head = _record(directory, store.head)
    if wanted is None:
        return head
    if wanted.isdecimal() and len(wanted) < _HASH_DIGITS:
        found = store.at_slot(int(wanted))
        best = _line(store.record, head, int(wanted))
        chosen = next((one for one in found if one in best), found[0] if found else None)
        if chosen is None:
            raise click.BadParameter(f"no block of slot {wanted} is known", param_hint="HASH|SLOT")
        return _record(directory, chosen)
    try:
        record = store.record(bytes.fromhex(wanted.removeprefix("0x")))
    except ValueError:
        raise click.BadParameter(
            f"{wanted!r} is neither a hash nor a slot", param_hint="HASH|SLOT"
        ) from None
    if record is None:
        raise click.BadParameter(f"block {wanted} is not known", param_hint="HASH|SLOT")
    return record


def _state(directory: Directory, wanted: str | None) -> State:
    record = _chosen(directory, wanted)
    state = directory.store.state(record.hash)
    if state is None:
        base = _record(directory, directory.store.base)
        raise click.BadParameter(
            f"the state after slot {record.slot} is not kept (the oldest is that of slot {base.slot})",
            param_hint="--at",
        )
    return state


def _line(
    record_of: Callable[[bytes], BlockRecord | None], head: BlockRecord, first_slot: int
) -> set[bytes]:
    """Hashes of the best chain, from the head down to a slot."""
    found: set[bytes] = set()
    step: BlockRecord | None = head
    while step is not None and step.slot >= first_slot:
        found.add(step.hash)
        step = record_of(step.parent)
    return found


def _has(store: Any, record: BlockRecord) -> bool:
    return store.block(record.hash) is not None


def _short_record(record: BlockRecord) -> dict[str, Any]:
    return {
        "hash": "0x" + record.hash.hex(),
        "parent": "0x" + record.parent.hex(),
        "slot": record.slot,
        "number": record.number,
        "state_root": "0x" + record.state_root.hex(),
        "ticketed": record.ticketed,
    }


def _key(text: str, option: str) -> bytes:
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not hexadecimal", param_hint=option) from None
    if len(key) > 31:
        raise click.BadParameter("a state key has 31 octets", param_hint=option)
    return key


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


def _print_rows(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        for row in rows:
            _print_json(row)
        return
    from jamliquor.cli.tables import table  # noqa: PLC0415

    shown = [
        [f"{row[name][:18]}…" if name in ("hash", "parent") else _word(row[name]) for name in columns]
        for row in rows
    ]
    click.echo("\n".join(table(columns, shown)))
