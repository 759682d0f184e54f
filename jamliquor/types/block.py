"""A block: header and extrinsic (equation 4.2)."""

from __future__ import annotations

from typing import NamedTuple

from jamliquor.types.extrinsic import Extrinsic
from jamliquor.types.header import Header


class Block(NamedTuple):
    """The unit of the chain."""

    header: Header
    extrinsic: Extrinsic
