"""``jamliquor snapshot``: the state after a block as one portable file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.options import (
    debug_option,
    digest_of,
    directory_argument,
    in_slots,
    json_option,
    slots_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from jamliquor.cli.session import StopRequest
    from jamliquor.conformance.bad_input import BadInput
    from jamliquor.node.directory import Directory
    from jamliquor.store.snapshot import Contents
    from jamliquor.store.snapshot_writer import Written

_file_argument = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
_quiet_option = click.option("--quiet", is_flag=True, help="Say nothing but errors.")


@click.group("snapshot", short_help="Write, check and restore snapshots of a state.")
def command() -> None:
    """Write, check and restore snapshots: the state after a block as one portable file.

    The same block gives the same file everywhere. No command keeps more than a chunk in memory.

    \b
    Examples:
      jamliquor snapshot create node
      jamliquor snapshot verify node/snapshots/tiny-120-8f3a2b1c.jamsnap
      jamliquor snapshot restore tiny-120-8f3a2b1c.jamsnap new-node
    """


@command.command("create", epilog=EXIT_CODES)
@directory_argument
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--at",
    "wanted",
    metavar="HASH",
    help="Block whose state. Default: the final one, or what a running node has on disk.",
)
@json_option
@_quiet_option
@debug_option
@click.pass_context
def create_command(
    ctx: click.Context,
    folder: Path,
    file: Path | None,
    wanted: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the state after a block of the directory DIR to FILE.

    By default FILE lies in DIR/snapshots, named after chain, slot and block: the node repairs its
    state from the newest snapshot there, and removes none but its own (import --snapshot-every). What
    Ctrl-C or a loss of power interrupts is kept in FILE.part, and the same command goes on from there.

    A node that runs on DIR writes it beside imports: the state on disk, some blocks behind the final
    one, and no other. Ctrl-C stops that too; if this command is killed, the node finishes FILE.
    """
    from jamliquor.cli.import_ import Stop, signals  # noqa: PLC0415
    from jamliquor.errors import StoreInUse  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415

    chosen = None if wanted is None else digest_of(wanted, "--at")
    stop = Stop()
    started = time.monotonic()
    progress = _progress("written", quiet=quiet or as_json)
    again = "run it again to go on"
    with signals(stop):
        try:
            directory = Directory(folder, repair=False)
        except StoreInUse:
            from jamliquor.cli.snapshot_running import have_written  # noqa: PLC0415

            made = have_written(folder, file, chosen, stop, progress, quiet=quiet or as_json)
            again = "it can be gone on with until the state on disk moves on"
        else:
            with directory:
                made = _write(directory, file, chosen, stop, progress)
    path, block, written = made
    seconds = time.monotonic() - started
    record = {"file": str(path), "block": "0x" + block.hex(), **written._asdict()}
    _report(record, seconds, written.entries - written.resumed, as_json=as_json, quiet=quiet)
    if not written.finished:
        click.echo(f"stopped after {written.entries} entries; {again}", err=True)
        from jamliquor.cli.exits import ExitCode  # noqa: PLC0415

        ctx.exit(ExitCode.INTERRUPTED)


@command.command("verify", epilog=EXIT_CODES)
@_file_argument
@click.option("--root", metavar="HASH", help="State root that it must have.")
@json_option
@_quiet_option
@debug_option
def verify_command(file: Path, root: str | None, as_json: bool, quiet: bool) -> None:
    """Read all of FILE, check every checksum, and compute the state root anew."""
    from jamliquor.node.restoring import demand, open_snapshot  # noqa: PLC0415

    started = time.monotonic()
    handle, reader = open_snapshot(file)
    with handle:
        demand(file, reader.contents, None, None if root is None else digest_of(root, "--root"))
        tell = _progress("verified", quiet=quiet or as_json)
        done = 0
        for count, _ in reader.portions():
            done += count
            tell(done, reader.contents.entries)
        reader.verify()
        # Not by name: a node may have removed it meanwhile.
        record = _shown(file, reader.contents, os.fstat(handle.fileno()).st_size)
    _report(record, time.monotonic() - started, done, as_json=as_json, quiet=quiet)


@command.command("restore", epilog=EXIT_CODES)
@_file_argument
@directory_argument
@click.option("--genesis", metavar="HASH", help="First header's hash of the chain that is wanted.")
@click.option("--root", metavar="HASH", help="State root that it must have.")
@json_option
@_quiet_option
@debug_option
def restore_command(
    file: Path, folder: Path, genesis: str | None, root: str | None, as_json: bool, quiet: bool
) -> None:
    """Fill the new directory DIR from FILE. If anything is wrong with FILE, DIR stays as it was."""
    from jamliquor.node.restoring import restore  # noqa: PLC0415

    started = time.monotonic()
    contents = restore(
        file,
        folder,
        genesis=None if genesis is None else digest_of(genesis, "--genesis"),
        state_root=None if root is None else digest_of(root, "--root"),
        progress=_progress("restored", quiet=quiet or as_json),
    )
    record = {"db": str(folder), **_shown(file, contents, file.stat().st_size)}
    seconds = time.monotonic() - started
    _report(record, seconds, contents.entries, as_json=as_json, quiet=quiet)


@command.command("list")
@click.argument("folder", metavar="[FOLDER]", default=".", type=click.Path(path_type=Path))
@slots_options
@json_option
@debug_option
def list_command(folder: Path, first: int | None, last: int | None, as_json: bool) -> None:
    """List the snapshots in FOLDER by what their heads say; verify reads the rest.

    Files that do not tell their slot are listed whatever slots are wanted.
    """
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415
    from jamliquor.node.restoring import contents_of  # noqa: PLC0415
    from jamliquor.store.mending import SUFFIX  # noqa: PLC0415
    from jamliquor.store.snapshot_writer import PART_SUFFIX  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise BadInput(f"cannot be listed: {error.strerror}", folder) from None
    for file in files:
        if file.suffix != SUFFIX and not file.name.endswith(SUFFIX + PART_SUFFIX):
            continue
        try:
            octets = file.stat().st_size
            shown = _shown(file, contents_of(file), octets)
            if in_slots(shown["slot"], first, last):
                rows.append({**shown, "problem": None})
        except BadInput as error:
            if file.exists():
                rows.append({"file": str(file), "octets": octets, "problem": error.reason})
        except FileNotFoundError:
            # A node removes snapshots, and renames unfinished ones.
            continue
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(rows))
        return
    for row in rows:
        text = row["problem"] or (
            f"{row['chain']} slot {row['slot']}, {row['entries']} entries, {row['block'][:18]}…"
            + (", unfinished" if row["file"].endswith(PART_SUFFIX) else "")
        )
        click.echo(f"{Path(row['file']).name}  {row['octets'] / 1e6:.1f} MB  {text}")


def _write(
    directory: Directory,
    file: Path | None,
    wanted: bytes | None,
    stop: StopRequest,
    progress: Callable[[int, int], None],
) -> tuple[Path, bytes, Written]:
    """Write the snapshot here; its place, its block, and what came of it."""
    from jamliquor.store.snapshot_writer import begun, write_snapshot  # noqa: PLC0415

    store = directory.store
    if wanted is None and file is not None:
        earlier = begun(file)
        if earlier is not None and store.state(earlier.record.hash) is not None:
            wanted = earlier.record.hash
    block = wanted or store.finalised or b""
    path = file or _place(directory, block)
    if path.exists():
        raise exists_already(path)
    written = write_snapshot(
        path,
        store,
        block,
        directory.params,
        directory.genesis,
        stop=lambda: stop.requested,
        progress=progress,
    )
    if written.finished:
        _tell_log(directory, path, block, written.entries, written.octets)
    return path, block, written


def exists_already(path: Path) -> BadInput:
    """The error for a place where something lies already."""
    from jamliquor.conformance.bad_input import BadInput  # noqa: PLC0415

    return BadInput("exists already", path, advice="remove it, or name another file")


def _place(directory: Directory, block_hash: bytes) -> Path:
    from jamliquor.errors import StoreError  # noqa: PLC0415
    from jamliquor.store.directory import SNAPSHOT_FOLDER  # noqa: PLC0415
    from jamliquor.store.mending import SUFFIX  # noqa: PLC0415
    from jamliquor.store.snapshot_writer import usual_name  # noqa: PLC0415

    record = directory.store.record(block_hash)
    if record is None:
        raise StoreError(f"block 0x{block_hash.hex()} is not known")
    folder = directory.folder / SNAPSHOT_FOLDER
    folder.mkdir(exist_ok=True)
    return folder / (usual_name(directory.params, record) + SUFFIX)


def _tell_log(directory: Directory, path: Path, block: bytes, entries: int, octets: int) -> None:
    """Put it into the log of what happened to the directory."""
    from jamliquor.chain.events import SnapshotTaken  # noqa: PLC0415
    from jamliquor.node.directory import EVENTS  # noqa: PLC0415
    from jamliquor.store.events import EventLog  # noqa: PLC0415

    record = directory.store.record(block)
    slot = 0 if record is None else record.slot
    log = EventLog(directory.folder / EVENTS)
    try:
        log.append(SnapshotTaken(block, slot, entries, octets, os.fsencode(path)))
    finally:
        log.close()


def _shown(file: Path, contents: Contents, octets: int) -> dict[str, Any]:
    record = contents.record
    return {
        "file": str(file),
        "octets": octets,
        "chain": contents.params.name,
        "genesis": "0x" + contents.genesis.hex(),
        "block": "0x" + record.hash.hex(),
        "slot": record.slot,
        "state_root": "0x" + record.state_root.hex(),
        "entries": contents.entries,
        "ancestors": contents.ancestors,
    }


def _report(
    record: dict[str, Any], seconds: float, entries: int, *, as_json: bool, quiet: bool
) -> None:
    from jamliquor.cli.machine import peak_rss  # noqa: PLC0415

    record |= {
        "seconds": round(seconds, 3),
        "entries_per_second": round(entries / max(seconds, 1e-9)),
        "peak_rss_bytes": peak_rss(),
    }
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    elif not quiet:
        from jamliquor.cli.tables import pairs  # noqa: PLC0415

        click.echo("\n".join(pairs((name.replace("_", " "), one) for name, one in record.items())))


def _progress(done_word: str, *, quiet: bool) -> Callable[[int, int], None]:
    """A line now and then; nothing for what is quickly done."""
    shown = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if not quiet and now - shown >= 5.0:
            shown = now
            click.echo(f"{done} of {total} entries {done_word}", err=True)

    return tell
