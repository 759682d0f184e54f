"""Keys recomputed by hand from appendix D.1."""

from __future__ import annotations

from hashlib import blake2b

import pytest

from jamliquor.state import keys


def test_component_keys() -> None:
    assert keys.component(11) == b"\x0b" + bytes(30)
    with pytest.raises(ValueError, match="256"):
        keys.component(256)


def test_service_record_spreads_the_identifier() -> None:
    assert keys.service(0x04030201) == b"\xff\1\0\2\0\3\0\4" + bytes(23)
    with pytest.raises(OverflowError):
        keys.service(2**32)


def test_items_interleave_identifier_and_hash() -> None:
    a = blake2b(b"what", digest_size=32).digest()
    key = keys.service_item(0x04030201, b"what")
    assert key[:8] == bytes([1, a[0], 2, a[1], 3, a[2], 4, a[3]])
    assert key[8:] == a[4:27]


def test_items_of_all_kinds() -> None:
    h = bytes(range(32))
    assert keys.storage(7, b"k") == keys.service_item(7, b"\xff\xff\xff\xffk")
    assert keys.preimage(7, h) == keys.service_item(7, b"\xfe\xff\xff\xff" + h)
    assert keys.request(7, 258, h) == keys.service_item(7, b"\2\1\0\0" + h)


def test_descriptions() -> None:
    assert keys.describe(keys.component(keys.RECENT_HISTORY)) == "recent history (C3)"
    assert keys.describe(keys.service(2**32 - 1)) == "service 4294967295 record"
    digest = blake2b(b"\xff\xff\xff\xffk", digest_size=32).hexdigest()
    assert keys.describe(keys.storage(7, b"k")) == f"service 7 item 0x{digest[:54]}"
    assert keys.describe(b"\x11" + bytes(30)).startswith("service 17 item")
    with pytest.raises(ValueError, match="31 bytes"):
        keys.describe(bytes(32))


def test_names_follow_the_indices() -> None:
    assert [index for index, _ in keys.COMPONENT_NAMES] == list(range(1, 17))
