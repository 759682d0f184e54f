"""``jamliquor proof``: what a state holds, shown to who knows its root alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import debug_option, digest_of, directory_argument, json_option

_KEY_OCTETS = 31
_FORMAT = 1
_MAX_FILE = 64 << 20


@click.group("proof", short_help="Prove what a state holds, and check such proofs.")
def command() -> None:
    """Prove what a state holds under a key or between two keys, and check such proofs.

    \b
    Examples:
      jamliquor proof create node 0x0b --out time.json
      jamliquor proof verify time.json --root 0x5b2c…
    """


@command.command("create", epilog=EXIT_CODES)
@directory_argument
@click.argument("first", metavar="KEY")
@click.argument("last", metavar="[LAST]", required=False)
@click.option("--at", "wanted", metavar="HASH", help="Block whose state. Default: the head.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Default: stdout.")
@debug_option
def create_command(
    folder: Path, first: str, last: str | None, wanted: str | None, out: Path | None
) -> None:
    """Prove the entry of KEY, or its absence; with LAST all entries from KEY to LAST.

    Keys are hexadecimal; one that is too short is filled up with zeros, LAST with ones.
    """
    from jamliquor.errors import StoreError  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415
    from jamliquor.state.proof import prove  # noqa: PLC0415

    low = _key(first, "KEY").ljust(_KEY_OCTETS, b"\0")
    high = low if last is None else _key(last, "LAST").ljust(_KEY_OCTETS, b"\xff")
    if high < low:
        raise click.BadParameter("comes before KEY", param_hint="LAST")
    with Directory(folder) as directory:
        block = digest_of(wanted, "--at") if wanted else directory.store.head or b""
        state = directory.store.state(block)
        if state is None:
            raise StoreError(f"{folder}: the state after block 0x{block.hex()} is not kept")
        proof = prove(state.trie, low, high)
    record = {
        "format": _FORMAT,
        "block": "0x" + block.hex(),
        "state_root": "0x" + state.root.hex(),
        "first": "0x" + low.hex(),
        "last": "0x" + high.hex(),
        "nodes": ["0x" + node.hex() for node in proof.nodes],
        "entries": [["0x" + key.hex(), "0x" + value.hex()] for key, value in proof.entries],
    }
    if out is None:
        click.echo(json.dumps(record))
        return
    try:
        out.write_text(json.dumps(record) + "\n", encoding="utf-8")
    except OSError as error:
        reason = f"cannot write {out}: {error.strerror}"
        raise click.BadParameter(reason, param_hint="--out") from None


@command.command("verify", epilog=EXIT_CODES)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--root", metavar="HASH", required=True, help="The state root that is trusted.")
@json_option
@debug_option
def verify_command(file: Path, root: str, as_json: bool) -> None:
    """Check FILE against a trusted state root; what FILE itself says of the root does not count."""
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.errors import ProofError  # noqa: PLC0415
    from jamliquor.state import keys  # noqa: PLC0415
    from jamliquor.state.proof import RangeProof, verify  # noqa: PLC0415

    found = _read(file)
    try:
        proof = RangeProof(
            _octets(found["first"]),
            _octets(found["last"]),
            tuple(map(_octets, found["nodes"])),
            tuple((_octets(key), _octets(value)) for key, value in found["entries"]),
        )
    except (KeyError, TypeError, ValueError):
        raise BadInput("this is no proof", file, advice="name what proof create made") from None
    try:
        verify(digest_of(root, "--root"), proof)
    except ProofError as error:
        raise BadInput(f"shows nothing about that root: {error}", file) from None
    rows = [
        {"key": "0x" + key.hex(), "is": keys.describe(key), "value": "0x" + value.hex()}
        for key, value in proof.entries
    ]
    if as_json:
        limits = {"first": found["first"], "last": found["last"]}
        click.echo(json.dumps({"valid": True, **limits, "entries": rows}))
        return
    for row in rows:
        click.echo(f"{row['key']}  {row['is']}\n  {row['value']}")
    what = f"{len(rows)} entries" if len(rows) != 1 else "1 entry"
    click.echo(f"valid: the state has {what} between these keys and no other")


def _read(file: Path) -> dict[str, Any]:
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.conformance.cursor import unreadable  # noqa: PLC0415

    try:
        if file.stat().st_size > _MAX_FILE:
            raise BadInput("no proof is as large", file)
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(file, error) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}", file) from None
    if not isinstance(found, dict) or "format" not in found:
        raise BadInput("this is no proof", file, advice="name what proof create made")
    if found["format"] != _FORMAT:
        reason = f"format {found['format']!r}, this version reads format {_FORMAT}"
        raise BadInput(reason, file, advice="update jamliquor")
    return found


def _octets(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("octets begin with 0x")
    return bytes.fromhex(text[2:])


def _key(text: str, name: str) -> bytes:
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not hexadecimal", param_hint=name) from None
    if len(key) > _KEY_OCTETS:
        raise click.BadParameter(f"a state key has {_KEY_OCTETS} octets", param_hint=name)
    return key
