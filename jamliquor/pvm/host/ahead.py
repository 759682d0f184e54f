"""Host calls of services that run ahead of their block, to learn which entries they will need.

What such a run comes to is thrown away, so a call does no more than the guest can tell apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jamliquor.pvm.host.codes import LARGE, NONE, PANIC
from jamliquor.pvm.host.context import AccumulateContext
from jamliquor.pvm.host.table import ACCUMULATE, NAMES, Table
from jamliquor.pvm.machine import Machine
from jamliquor.state import keys

__all__ = ["calls"]

_WRITE: Final = next(number for number, name in NAMES.items() if name == "write")


def calls(note: Callable[[bytes], None]) -> Table:
    """The host calls of accumulation, where a write only tells whose old value it needs.

    Args:
        note: takes the state key of an item that will be written.
    """

    def write(context: AccumulateContext, guest: Machine, r: list[int]) -> int:
        if r[8] > LARGE:
            return NONE
        digest = guest.hash(keys.STORAGE_MARK, r[7], r[8])
        if digest is None:
            return PANIC
        note(keys.item(context.service, digest))
        return NONE

    return {**ACCUMULATE, _WRITE: write}
