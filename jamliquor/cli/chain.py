"""What ``--chain`` names: a known chain specification or a JIP-4 file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from jamliquor.conformance.bad_input import BadInput
from jamliquor.params import NAMED, ChainParams

if TYPE_CHECKING:
    from jamliquor.author.genesis import Genesis
    from jamliquor.chain_spec import ChainSpec

T = TypeVar("T")


def params_of(chain: str) -> ChainParams:
    """The parameters that ``--chain`` names.

    Raises:
        BadParameter: it is neither ``tiny`` nor ``full`` nor a file.
        BadInput: the file cannot be read, or is no JIP-4 file.
    """
    if chain in NAMED:
        return NAMED[chain]
    from jamliquor.chain_spec import params_of_spec  # noqa: PLC0415

    path = _existing(chain)
    return _parsed(path, _json(path), params_of_spec)


def chain_of(chain: str) -> tuple[ChainParams, Genesis | None]:
    """The parameters that ``--chain`` names, and the genesis if it names a file that has one.

    Raises:
        BadParameter, BadInput: as :func:`params_of`.
    """
    if chain in NAMED:
        return NAMED[chain], None
    from jamliquor.chain.genesis import open_genesis  # noqa: PLC0415
    from jamliquor.chain_spec import params_of_spec, parse_spec  # noqa: PLC0415

    path = _existing(chain)
    found = _json(path)
    if not isinstance(found, dict) or "genesis_header" not in found:
        return _parsed(path, found, params_of_spec), None
    genesis = _parsed(path, found, lambda whole: open_genesis(parse_spec(whole)))
    return genesis.state.params, genesis


def read_spec(path: Path) -> ChainSpec:
    """A whole chain specification.

    Raises:
        BadInput: the file cannot be read, is not JSON, or lacks something.
    """
    from jamliquor.chain_spec import parse_spec  # noqa: PLC0415

    return _parsed(path, _json(path), parse_spec)


def _existing(chain: str) -> Path:
    path = Path(chain)
    if not path.exists():
        reason = f"{chain} is neither tiny nor full nor a file"
        raise click.BadParameter(reason, param_hint="--chain")
    return path


def _json(path: Path) -> object:
    import json  # noqa: PLC0415

    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except OSError as error:
        advice = "check that you may read it (ls -l)"
        raise BadInput(f"cannot be read: {error.strerror}", path, advice=advice) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}", path, advice="name a JIP-4 file") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose keys are all different: Python alone would keep the last of several."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} occurs twice in one object")
    return found


def _parsed(path: Path, found: object, parse: Callable[[object], T]) -> T:
    from jamliquor.errors import DecodeError  # noqa: PLC0415

    try:
        return parse(found)
    except DecodeError as error:
        raise BadInput(error.reason, path, field=error.path, advice="see JIP-4") from None
