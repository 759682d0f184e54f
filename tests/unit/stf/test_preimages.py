"""Section 12.4 where the public vectors are silent: services that vanish, requests that change."""

from __future__ import annotations

import pytest

from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import PreimagesError
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.stf import preimages
from jamliquor.types.extrinsic import Preimage
from jamliquor.types.state import RequestTimes

SLOT = 0x01020304


def request(service: int, data: bytes) -> bytes:
    return keys.request(service, len(data), blake2b(data))


def preimage(service: int, data: bytes) -> bytes:
    return keys.preimage(service, blake2b(data))


def times(*slots: int) -> bytes:
    return codec(RequestTimes, TINY).encode(slots)


def soliciting(*wanted: tuple[int, bytes]) -> dict[bytes, bytes]:
    """The entries of services that wait for preimages."""
    records = {keys.service(service): b"record" for service, _ in wanted}
    return records | {request(service, data): times() for service, data in wanted}


BOTH = (Preimage(7, b"one"), Preimage(8, b""))
ENTRIES = soliciting(*BOTH)


def test_what_is_solicited_is_integrated() -> None:
    provisions = preimages.check(BOTH, ENTRIES.get)
    assert preimages.integrate(provisions, ENTRIES.get, SLOT) == {
        request(7, b"one"): times(SLOT),
        preimage(7, b"one"): b"one",
        request(8, b""): times(SLOT),
        preimage(8, b""): b"",
    }


def test_nothing_provided_is_nothing_changed() -> None:
    assert preimages.check((), ENTRIES.get) == ()
    assert preimages.integrate((), ENTRIES.get, SLOT) == {}


@pytest.mark.parametrize(
    "extrinsic",
    [
        (Preimage(8, b""), Preimage(7, b"one")),
        (Preimage(7, b"one"), Preimage(7, b"one")),
        (Preimage(7, b"one"), Preimage(7, b"")),
        (Preimage(7, b"two"), Preimage(7, b"one, longer")),
    ],
)
def test_order_is_by_service_and_octets(extrinsic: tuple[Preimage, ...]) -> None:
    with pytest.raises(PreimagesError) as caught:
        preimages.check(extrinsic, soliciting(*extrinsic).get)
    assert caught.value.code == "preimages_not_sorted_unique"


@pytest.mark.parametrize(
    "changes",
    [
        {request(7, b"one"): None},
        {request(7, b"one"): times(3)},
        {request(7, b"one"): times(3, 5)},
        {request(7, b"one"): times(3, 5, 6)},
        {request(7, b"one"): None, keys.request(7, 4, blake2b(b"one")): times()},
        {request(7, b"one"): None, request(9, b"one"): times()},
        {keys.service(7): None},
    ],
    ids=[
        "no request",
        "provided",
        "forgotten",
        "available again",
        "another length",
        "another service",
        "no service",
    ],
)
def test_not_needed(changes: dict[bytes, bytes | None]) -> None:
    """Refused when true of the prior accounts, dropped when accumulation made it so."""
    changed = {key: value for key, value in (ENTRIES | changes).items() if value is not None}
    with pytest.raises(PreimagesError) as caught:
        preimages.check(BOTH, changed.get)
    assert caught.value.code == "preimage_unneeded"
    provisions = preimages.check(BOTH, ENTRIES.get)
    assert preimages.integrate(provisions, changed.get, SLOT) == {
        request(8, b""): times(SLOT),
        preimage(8, b""): b"",
    }
