"""The numbers and names of host calls, and which of them an invocation offers (appendix B)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jamliquor.pvm.host import accumulate, general, refine
from jamliquor.pvm.machine import Machine

__all__ = ["ACCUMULATE", "IS_AUTHORIZED", "LOG", "NAMES", "REFINE", "Handler", "Table"]

Handler = Callable[[Any, Machine, list[int]], int]
Table = dict[int, Handler]

LOG: Final = 100
"""JIP-1: a message for the operator. It answers ``WHAT`` like any number without a call."""

_CALLS: Final[tuple[tuple[int, str, Handler], ...]] = (
    (0, "gas", general.gas),
    (1, "fetch", general.fetch),
    (2, "lookup", general.lookup),
    (3, "read", general.read),
    (4, "write", general.write),
    (5, "info", general.info),
    (6, "historical_lookup", refine.historical_lookup),
    (7, "export", refine.export),
    (8, "machine", refine.machine),
    (9, "peek", refine.peek),
    (10, "poke", refine.poke),
    (11, "pages", refine.pages),
    (12, "invoke", refine.invoke),
    (13, "expunge", refine.expunge),
    (14, "bless", accumulate.bless),
    (15, "assign", accumulate.assign),
    (16, "designate", accumulate.designate),
    (17, "checkpoint", accumulate.checkpoint),
    (18, "new", accumulate.new),
    (19, "upgrade", accumulate.upgrade),
    (20, "transfer", accumulate.transfer),
    (21, "eject", accumulate.eject),
    (22, "query", accumulate.query),
    (23, "solicit", accumulate.solicit),
    (24, "forget", accumulate.forget),
    (25, "yield", accumulate.yield_),
    (26, "provide", accumulate.provide),
)

NAMES: Final[dict[int, str]] = {number: name for number, name, _ in _CALLS} | {LOG: "log"}
"""Names of host calls by number, for people."""


def _table(numbers: set[int]) -> Table:
    return {number: handler for number, _, handler in _CALLS if number in numbers}


IS_AUTHORIZED: Final = _table({0, 1})
REFINE: Final = _table({0, 1, *range(6, 14)})
ACCUMULATE: Final = _table({*range(6), *range(14, 27)})
