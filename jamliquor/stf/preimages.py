"""Preimage integration: data that services asked for (section 12.4).

Accounts are read and changed as opaque state entries: 31-octet keys and encoded values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import PreimagesError
from jamliquor.state import keys
from jamliquor.types.extrinsic import Preimages

Entries = Callable[[bytes], bytes | None]
"""Looks up a state entry by its key; None when there is none."""

SOLICITED: Final = b"\x00"
"""Encoding of a request that nobody answered yet: no times."""


class Provision(NamedTuple):
    """A preimage on its way into a service's account, with the keys of the entries it touches."""

    service: int
    request_key: bytes
    preimage_key: bytes
    data: bytes


def provision(service: int, data: bytes) -> Provision:
    """The provision of ``data``, up to 2^32 - 1 octets, to ``service``."""
    digest = blake2b(data)
    return Provision(
        service, keys.request(service, len(data), digest), keys.preimage(service, digest), data
    )


def is_providable(entries: Entries, item: Provision) -> bool:
    """Function Y: the service exists, and waits for this preimage (section 12.2)."""
    return entries(item.request_key) == SOLICITED and entries(keys.service(item.service)) is not None


def check(preimages: Preimages, prior: Entries) -> tuple[Provision, ...]:
    """Judge the extrinsic on the *prior* accounts (section 12.4).

    Returns:
        What :func:`integrate` takes once accumulation is done.

    Raises:
        PreimagesError: ``preimages_not_sorted_unique``, ``preimage_unneeded``.
    """
    for index in range(1, len(preimages)):
        if preimages[index - 1] >= preimages[index]:
            raise PreimagesError("preimages_not_sorted_unique", index=index)
    provisions = tuple([provision(service, data) for service, data in preimages])
    for index, item in enumerate(provisions):
        if not is_providable(prior, item):
            raise PreimagesError("preimage_unneeded", index=index, service=item.service)
    return provisions


def integrate(
    provisions: Iterable[Provision], accounts: Entries, slot: int
) -> dict[bytes, bytes | None]:
    """Function I: the entries that provisions change; what nobody waits for is dropped silently.

    Args:
        provisions: distinct provisions.
        accounts: the accounts they go into (for the extrinsic: those after accumulation).
        slot: the block's slot, noted as the time of availability.
    """
    times = b"\x01" + slot.to_bytes(4, "little")
    changes: dict[bytes, bytes | None] = {}
    for item in provisions:
        if is_providable(accounts, item):
            changes[item.request_key] = times
            changes[item.preimage_key] = item.data
    return changes
