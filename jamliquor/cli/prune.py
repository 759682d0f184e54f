"""``jamliquor prune``: finalise by hand, and make a directory smaller."""

from __future__ import annotations

from pathlib import Path

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import Octets, debug_option, directory_argument, json_option


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
    """Finalise a block by hand, drop old blocks, and give space back. The node must not run.

    What consensus needs stays: recent states, what is not final, headers that anchors may name.

    \b
    Examples:
      jamliquor prune node --keep-blocks 1000 --compact
      jamliquor prune node --finalise head
    """
    from jamliquor.chain.finality import Finality  # noqa: PLC0415
    from jamliquor.cli.version import version  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415
    from jamliquor.node.settings import DEFAULTS  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    settings = DEFAULTS._replace(
        finality=Finality(None), keep_blocks=keep_blocks, storage_budget=storage_budget
    )
    directory = Directory(folder)
    try:
        before = directory.store.size_on_disk
        node = directory.node(NativeEngine(), settings, software=version())
        try:
            if finalise is not None:
                node.finalise(_chosen(finalise, node.head))
            node.prune(everything=True)
        except KeyError:
            reason = f"{finalise} does not descend from the final block 0x{node.finalised.hex()}"
            raise click.BadParameter(reason, param_hint="--finalise") from None
        finally:
            node.close("pruned")
        if compact:
            directory.store.compact()
        after = directory.store.size_on_disk
        final = node.tree.root
    finally:
        directory.close()
    record = {
        "finalised": {"hash": "0x" + final.hash.hex(), "slot": final.slot},
        "bodies": node.pruned[0],
        "records": node.pruned[1],
        "store_bytes_before": before,
        "store_bytes": after,
    }
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        click.echo(
            f"{record['bodies']} blocks and {record['records']} records dropped; "
            f"final slot {final.slot}; {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now"
        )


def _chosen(text: str, head: bytes) -> bytes:
    if text == "head":
        return head
    try:
        chosen = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no hash", param_hint="--finalise") from None
    if len(chosen) != 32:
        raise click.BadParameter("a hash has 64 hexadecimal digits", param_hint="--finalise")
    return chosen
