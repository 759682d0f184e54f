"""``jamliquor witness``: all that judging one block needs, in one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import debug_option, json_option

if TYPE_CHECKING:
    from jamliquor.chain.witness import Recorded
    from jamliquor.store.interface import Store
    from jamliquor.types.block import Block


@click.group("witness", short_help="Make the witness of a block: all that judging it needs.")
def command() -> None:
    """Make the witness of a block, so that others can judge it without the state.

    \b
    Examples:
      jamliquor witness create traces/storage/00000031.bin block.jamwit
      jamliquor witness create block.bin block.jamwit --db node
      jamliquor validate --witness block.jamwit block.bin
    """


@command.command("create", epilog=EXIT_CODES)
@click.argument("block", metavar="BLOCK", type=click.Path(path_type=Path))
@click.argument("out", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--db",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory that keeps the state after the block's parent.",
)
@click.option("--chain", metavar="tiny|full|FILE", help="Chain specification of a step of a trace.")
@json_option
@debug_option
def create_command(block: Path, out: Path, db: Path | None, chain: str | None, as_json: bool) -> None:
    """Import BLOCK and write what it touched to FILE.

    BLOCK is the file of a step of a trace, which has its own prior state, or with --db a block: a
    file, or the hash of one that the directory has.
    """
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415

    recorded = _of_step(block, chain) if db is None else _of_directory(block, db)
    try:
        out.write_bytes(recorded.witness)
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", out) from None
    root = None if recorded.imported is None else "0x" + recorded.imported.root.hex()
    record = {
        "file": str(out),
        "octets": len(recorded.witness),
        "keys": recorded.keys,
        "root": root,
        "refused": None if recorded.refusal is None else str(recorded.refusal),
    }
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
        return
    told = f"refused ({record['refused']})" if root is None else f"state root {root}"
    click.echo(f"{out}: {recorded.keys} keys, {len(recorded.witness)} octets; the block: {told}")


def _of_step(path: Path, chain: str | None) -> Recorded:
    from jamliquor.chain.witness import record  # noqa: PLC0415
    from jamliquor.cli.chain import params_of  # noqa: PLC0415
    from jamliquor.conformance.traces import Trace, infer_params, read_step  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415
    from jamliquor.state.state import State  # noqa: PLC0415

    params = params_of(chain) if chain else infer_params(Trace(path.name, None, (path,)))
    step = read_step(path, params)
    prior = State.from_entries(params, step.prior.entries())
    return record(params, NativeEngine(), step.block, prior, None)


def _of_directory(path: Path, folder: Path) -> Recorded:
    from jamliquor.chain.witness import record  # noqa: PLC0415
    from jamliquor.codec import codec  # noqa: PLC0415
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415
    from jamliquor.types.block import Block  # noqa: PLC0415

    with Directory(folder) as directory:
        octets = _octets(path, directory.store)
        block: Block = codec(Block, directory.params).decode(octets)
        prior = directory.store.state(block.header.parent)
        if prior is None:
            parent = block.header.parent.hex()
            raise BadInput(f"the state after the block's parent 0x{parent} is not kept", folder)
        headers = _headers(directory.store, block)
        return record(directory.params, NativeEngine(), block, prior, headers)


def _octets(path: Path, store: Store) -> bytes:
    from jamliquor.cli.options import digest_of  # noqa: PLC0415
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.node.sources import read_block  # noqa: PLC0415

    if path.exists():
        return read_block(path)
    body = store.block(digest_of(str(path), "BLOCK"))
    if body is None:
        raise BadInput("neither a file nor a block that the directory has", path)
    return body


def _headers(store: Store, block: Block) -> Iterator[bytes]:
    found = store.record(block.header.parent)
    while found is not None:
        yield found.header
        found = store.record(found.parent)
