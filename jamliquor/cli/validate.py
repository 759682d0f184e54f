"""``jamliquor validate``: a block judged by a witness, without its state."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import debug_option, digest_of, json_option

if TYPE_CHECKING:
    from jamliquor.chain.witness import Witness
    from jamliquor.types.block import Block

_MAX_WITNESS = 256 << 20


@click.command(
    "validate",
    short_help="Judge a block by a witness, without its state.",
    epilog=EXIT_CODES,
)
@click.argument("block", metavar="BLOCK", type=click.Path(path_type=Path))
@click.option(
    "--witness",
    "witness_path",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="What witness create made for the block.",
)
@click.option("--root", metavar="HASH", help="State root that the block must lead to.")
@json_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context, block: Path, witness_path: Path, root: str | None, as_json: bool
) -> None:
    """Judge BLOCK, a block's file or the step of a trace, by a witness instead of a state.

    The part of the state in the witness must have the root that the block's header names, so a
    witness can be incomplete, but not false. What a step recorded as the state after the block is
    compared with the result.

    \b
    Examples:
      jamliquor validate --witness block.jamwit block.bin
    """
    from jamliquor.chain.witness import validate  # noqa: PLC0415
    from jamliquor.cli.exits import ExitCode  # noqa: PLC0415
    from jamliquor.pvm.engine import NativeEngine  # noqa: PLC0415

    witness = _witness(witness_path)
    decoded, recorded = _block(block, witness)
    expected = recorded if root is None else digest_of(root, "--root")
    begun = time.perf_counter()
    imported = validate(witness, NativeEngine(), decoded)
    milliseconds = (time.perf_counter() - begun) * 1000
    agrees = expected is None or imported.root == expected
    if as_json:
        import json  # noqa: PLC0415

        record = {
            "block": "0x" + imported.hash.hex(),
            "slot": imported.slot,
            "root": "0x" + imported.root.hex(),
            "expected_root": None if expected is None else "0x" + expected.hex(),
            "anchors_checked": witness.ancestry,
            "ms": round(milliseconds, 3),
        }
        click.echo(json.dumps(record))
    else:
        click.echo(
            f"valid: block 0x{imported.hash.hex()} of slot {imported.slot}, {milliseconds:.1f} ms\n"
            f"state root 0x{imported.root.hex()}"
        )
        if not witness.ancestry:
            click.echo("lookup anchors were not checked: the witness has no headers")
    if not agrees and expected is not None:
        click.echo(f"Error: the root 0x{expected.hex()} was expected", err=True)
        ctx.exit(ExitCode.MISMATCH)


def _witness(path: Path) -> Witness:
    from jamliquor.chain.witness import open_witness  # noqa: PLC0415
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.conformance.cursor import unreadable  # noqa: PLC0415
    from jamliquor.errors import DecodeError  # noqa: PLC0415

    try:
        if path.stat().st_size > _MAX_WITNESS:
            raise BadInput("no witness is as large", path)
        return open_witness(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from None
    except DecodeError as error:
        raise BadInput(error.reason, path, offset=error.offset, field=error.path) from None


def _block(path: Path, witness: Witness) -> tuple[Block, bytes | None]:
    """The block of a file, and the root after it where the file is a step that was accepted."""
    from jamliquor.codec import codec  # noqa: PLC0415
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.conformance.traces import read_step  # noqa: PLC0415
    from jamliquor.errors import DecodeError  # noqa: PLC0415
    from jamliquor.node.sources import read_block  # noqa: PLC0415
    from jamliquor.types.block import Block  # noqa: PLC0415

    octets = read_block(path)
    try:
        return codec(Block, witness.params).decode(octets), None
    except DecodeError as error:
        try:
            step = read_step(path, witness.params)
        except BadInput:
            raise BadInput(
                f"no block: {error.reason}", path, offset=error.offset, field=error.path
            ) from None
        return step.block, None if step.refused else step.posterior.root
