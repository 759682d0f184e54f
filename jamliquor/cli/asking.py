"""Has a directory or the node that runs on it answer a command's questions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from jamliquor.node.asking import Asked, RunningNode


@contextmanager
def asked(folder: Path, *, quiet: bool) -> Iterator[Asked]:
    """Who answers about a directory: the directory itself, or the node that keeps it in use.

    Args:
        quiet: not to say when it was the node.

    Raises:
        BadParameter: what is asked for is not there.
        StoreError: the directory cannot be used, or the node does not answer.
    """
    from jamliquor.errors import StoreInUse  # noqa: PLC0415
    from jamliquor.node.asking import OpenDirectory  # noqa: PLC0415
    from jamliquor.node.directory import Directory  # noqa: PLC0415

    try:
        directory = Directory(folder, repair=False)
    except StoreInUse:
        with running(folder, quiet=quiet) as node:
            yield node
        return
    with directory, _refusals():
        yield OpenDirectory(directory)


@contextmanager
def running(folder: Path, *, quiet: bool) -> Iterator[RunningNode]:
    """The node that runs on a directory.

    Raises:
        BadParameter, StoreError: as for :func:`asked`.
    """
    from jamliquor.node.asking import RunningNode  # noqa: PLC0415

    with _refusals():
        yield RunningNode(folder)
    if not quiet:
        click.echo("answered by the running node", err=True)


@contextmanager
def _refusals() -> Iterator[None]:
    from jamliquor.node.questions import BadQuestion  # noqa: PLC0415

    try:
        yield
    except BadQuestion as error:
        raise click.BadParameter(error.reason, param_hint=error.about or None) from None
