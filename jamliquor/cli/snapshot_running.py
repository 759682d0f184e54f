"""``jamliquor snapshot create`` on a directory whose node runs: the node writes, this looks on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jamliquor.cli.asking import running
from jamliquor.cli.snapshot import exists_already
from jamliquor.errors import StoreError, StoreInUse
from jamliquor.node.asking import RunningNode
from jamliquor.node.questions import BadQuestion, Record, identity_of
from jamliquor.store.directory import SNAPSHOT_FOLDER
from jamliquor.store.snapshot_writer import Written, part_of

if TYPE_CHECKING:
    from jamliquor.cli.session import StopRequest

_LOOK_SECONDS: Final = 0.2


def have_written(
    folder: Path,
    file: Path | None,
    wanted: bytes | None,
    stop: StopRequest,
    progress: Callable[[int, int], None],
    *,
    quiet: bool,
) -> tuple[Path, bytes, Written]:
    """Have the node that runs on a directory write a snapshot; its place, its block, what came of it.

    Args:
        file: where it shall lie; by default in the directory.
        wanted: the block, if it matters.
        quiet: not to say that the node does it.

    Raises:
        BadInput: the place is taken.
        StoreError: the node cannot do it, or ended before it was finished.
    """
    arguments: dict[str, Any] = {"block": None if wanted is None else "0x" + wanted.hex()}
    if file is not None:
        if file.exists():
            raise exists_already(file)
        arguments |= {"path": str(file.absolute()), "folder": _seen(file)}
    with running(folder, quiet=quiet) as node:
        begun = node.ask("snapshot", **arguments)
        path = file or folder / SNAPSHOT_FOLDER / Path(begun["file"]).name
        if not begun["begun"]:
            raise exists_already(path)
        said = _followed(node, path, begun, stop, progress)
        if said["error"] is not None:
            raise StoreError(said["error"])
    written = Written(said["entries"], said["resumed"], said["octets"], said["finished"])
    return path, bytes.fromhex(said["block"][2:]), written


def _seen(file: Path) -> str:
    try:
        return identity_of(file.absolute().parent)
    except OSError as error:
        raise StoreError(f"{part_of(file)}: cannot be written: {error.strerror}") from None


def _followed(
    node: RunningNode,
    path: Path,
    begun: Record,
    stop: StopRequest,
    progress: Callable[[int, int], None],
) -> Record:
    """Ask how far the node is until it is at the end; the last answer."""
    said = begun
    while not said["ended"]:
        progress(said["entries"], said["total"])
        time.sleep(_LOOK_SECONDS)
        try:
            said = node.ask("snapshot_progress", file=begun["file"], stop=stop.requested)
        except (StoreError, BadQuestion) as error:
            if path.exists():
                # It was finished, and then the node ended: a one-time import does that at once.
                octets = path.stat().st_size
                return {**said, "entries": said["total"], "octets": octets, "finished": True}
            reason = f"it is not known whether the running node finishes this: {error}"
            if isinstance(error, StoreInUse):
                reason = "the node stopped before this was finished; run it again"
            raise StoreError(f"{path}: {reason}") from None
    return said
