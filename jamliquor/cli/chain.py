"""What ``--chain`` names: a known chain specification or a JIP-4 file."""

from __future__ import annotations

from pathlib import Path

import click

from jamliquor.conformance.bad_input import BadInput
from jamliquor.params import NAMED, ChainParams


def params_of(chain: str) -> ChainParams:
    """The parameters that ``--chain`` names.

    Raises:
        BadParameter: it is neither ``tiny`` nor ``full`` nor a file.
        BadInput: the file cannot be read, or is no JIP-4 file.
    """
    if chain in NAMED:
        return NAMED[chain]
    import json  # noqa: PLC0415

    from jamliquor.chain_spec import params_of_spec  # noqa: PLC0415
    from jamliquor.errors import DecodeError  # noqa: PLC0415

    path = Path(chain)
    if not path.exists():
        reason = f"{chain} is neither tiny nor full nor a file"
        raise click.BadParameter(reason, param_hint="--chain")
    try:
        return params_of_spec(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        advice = "check that you may read it (ls -l)"
        raise BadInput(f"cannot be read: {error.strerror}", path, advice=advice) from None
    except DecodeError as error:
        raise BadInput(error.reason, path, field=error.path, advice="see JIP-4") from None
    except ValueError as error:
        raise BadInput(f"not JSON: {error}", path, advice="name a JIP-4 file") from None
