"""``jamliquor prune``: finalise by hand, and make a directory smaller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import (
    Octets,
    debug_option,
    digest_of,
    directory_argument,
    json_option,
)

if TYPE_CHECKING:
    from jamliquor.node.directory import Directory

_HEAD = "head"


@click.command("prune", short_help="Finalise a block by hand, drop old blocks.", epilog=EXIT_CODES)
@directory_argument
@click.option(
    "--finalise",
    metavar="HASH",
    help="First make this block final (or head, the best one); side branches go.",
)
@click.option(
    "--keep-blocks",
    metavar="N",
    type=click.IntRange(0),
    help="Drop blocks more than N slots behind the final one.",
)
@click.option("--storage-budget", type=Octets(), help="Drop the oldest blocks above this size.")
@click.option("--compact", is_flag=True, help="Give free space back to the disk.")
@json_option
@debug_option
def command(
    folder: Path,
    finalise: str | None,
    keep_blocks: int | None,
    storage_budget: int | None,
    compact: bool,
    as_json: bool,
) -> None:
    """Finalise a block by hand, drop old blocks, and give space back.

    What consensus needs stays: recent states, what is not final, headers that anchors may name.

    A node that runs on DIR does it in small pieces between blocks. --compact and --storage-budget have
    the directory for themselves and take long: stop the node first.

    \b
    Examples:
      jamliquor prune node --keep-blocks 1000 --compact
      jamliquor prune node --finalise head
    """
    from jamliquor.errors import StoreInUse  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415

    chosen = None if finalise is None else _chosen(finalise)
    try:
        directory = Directory(folder)
    except StoreInUse as error:
        for option, wanted in (("--compact", compact), ("--storage-budget", storage_budget)):
            if wanted:
                reason = f"{error}; {option} needs it for itself: stop the node first"
                raise StoreInUse(reason) from None
        record = _prune_running(folder, chosen, keep_blocks, quiet=as_json)
    else:
        with directory:
            record = _prune(directory, chosen, keep_blocks, storage_budget, compact=compact)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        before, after = record["store_bytes_before"], record["store_bytes"]
        click.echo(
            f"{record['bodies']} blocks and {record['records']} records dropped; "
            f"final slot {record['finalised']['slot']}; "
            f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now"
        )


def _prune(
    directory: Directory,
    finalise: str | None,
    keep_blocks: int | None,
    storage_budget: int | None,
    *,
    compact: bool,
) -> dict[str, Any]:
    from jamliquor.chain.finality import Finality  # noqa: PLC0415
    from jamliquor.cli.version import version  # noqa: PLC0415
    from jamliquor.node.settings import DEFAULTS  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    settings = DEFAULTS._replace(
        finality=Finality(None), keep_blocks=keep_blocks, storage_budget=storage_budget
    )
    before = directory.store.size_on_disk
    node = directory.node(NativeEngine(), settings, software=version())
    try:
        if finalise is not None:
            node.finalise(node.head if finalise == _HEAD else bytes.fromhex(finalise[2:]))
        node.prune(everything=True)
    except KeyError:
        reason = f"{finalise} does not descend from the final block 0x{node.finalised.hex()}"
        raise click.BadParameter(reason, param_hint="--finalise") from None
    finally:
        node.close("pruned")
    if compact:
        directory.store.compact()
    final = node.tree.root
    return {
        "finalised": {"hash": "0x" + final.hash.hex(), "slot": final.slot},
        "bodies": node.pruned[0],
        "records": node.pruned[1],
        "store_bytes_before": before,
        "store_bytes": directory.store.size_on_disk,
    }


def _prune_running(
    folder: Path, finalise: str | None, keep_blocks: int | None, *, quiet: bool
) -> dict[str, Any]:
    """The same by the node that runs on the directory: it goes on importing meanwhile."""
    from jamliquor.cli.asking import running  # noqa: PLC0415
    from jamliquor.node.asking import pieces  # noqa: PLC0415

    with running(folder, quiet=quiet) as node:
        before = node.ask("head")["store_bytes"]
        done = [] if finalise is None else list(pieces(node, "finalise", wanted=finalise))
        done += pieces(node, "prune", keep_blocks=keep_blocks)
    return {
        "finalised": done[-1]["finalised"],
        "bodies": sum(piece["bodies"] for piece in done),
        "records": sum(piece["records"] for piece in done),
        "store_bytes_before": before,
        "store_bytes": done[-1]["store_bytes"],
    }


def _chosen(text: str) -> str:
    """The digits of a hash, or the word for the best block."""
    return text if text == _HEAD else "0x" + digest_of(text, "--finalise").hex()
