"""What host calls answer a guest, and how they end it (appendix B.1)."""

from __future__ import annotations

from typing import Final

NONE: Final = 2**64 - 1
"""The item does not exist."""
WHAT: Final = 2**64 - 2
"""No host call has this number."""
OOB: Final = 2**64 - 3
"""The memory of an inner machine is not accessible there."""
WHO: Final = 2**64 - 4
"""No service or inner machine has this index."""
FULL: Final = 2**64 - 5
"""Storage is full, or the resource is taken."""
CORE: Final = 2**64 - 6
"""No core has this index."""
CASH: Final = 2**64 - 7
"""The balance does not suffice."""
LOW: Final = 2**64 - 8
"""The gas limit is too low."""
HUH: Final = 2**64 - 9
"""The operation is not possible in this state, or not permitted."""
OK: Final = 0

INNER_HALT: Final = 0
INNER_PANIC: Final = 1
INNER_FAULT: Final = 2
INNER_HOST: Final = 3
INNER_OUT_OF_GAS: Final = 4
"""The five are what ``invoke`` says about why an inner machine stopped."""

PANIC: Final = -1
"""A host call's result that ends the guest with a panic; no register is that low."""
OUT_OF_GAS: Final = -2
"""A host call's result that ends the guest because its gas does not suffice."""

SELF: Final = 2**64 - 1
"""A register naming a service by this value means the service that runs."""

MAX_GAS: Final = 2**63 - 1
"""The most gas an engine counts; what is beyond (the paper allows 2^64 - 1) cannot be used up."""

LARGE: Final = 1 << 16
"""Octets above which a guest's memory is looked at before it is copied: untouched pages cost a guest
nothing, but a copy of them would cost this host."""
