"""What differs between two states, in words."""

from __future__ import annotations

from jamliquor.codec import codec
from jamliquor.conformance.difference import Difference, FieldDifference, differences
from jamliquor.params import TINY
from jamliquor.state import keys
from jamliquor.state.state import State
from jamliquor.types.state import DisputeRecords, Privileges, ServiceAccount

ACCOUNT = ServiceAccount(0, b"\x01" * 32, 100, 10, 10, 81, 0, 2, 5, 6, 0)


def compare(
    expected: dict[bytes, bytes], actual: dict[bytes, bytes], **limits: int
) -> list[Difference]:
    states = (State.from_entries(TINY, entries.items()) for entries in (expected, actual))
    return list(differences(TINY, *states, **limits))


def account(**changed: object) -> bytes:
    return codec(ServiceAccount, TINY).encode(ACCOUNT._replace(**changed))


def test_equal_states() -> None:
    entries = {keys.service(7): account()}
    assert compare(entries, entries) == []


def test_service_record_by_field() -> None:
    key = keys.service(7)
    [found] = compare({key: account()}, {key: account(balance=90, items=3)})
    assert found == Difference(
        "service 7 record",
        (FieldDifference("balance", "100", "90"), FieldDifference("items", "2", "3")),
        0,
    )


def test_service_that_only_one_state_has() -> None:
    [found] = compare({}, {keys.service(7): account()}, max_fields=100)
    assert FieldDifference("balance", "absent", "100") in found.fields
    [found] = compare({keys.service(7): account()}, {}, max_fields=2)
    assert found.fields[0] == FieldDifference("", "a ServiceAccount", "absent")
    assert found.more == len(ServiceAccount._fields) - 1


def test_nested_values_sets_and_dictionaries() -> None:
    encode = codec(DisputeRecords, TINY).encode
    none = frozenset[bytes]()
    key = keys.component(keys.DISPUTES)
    left = encode(DisputeRecords(frozenset({b"\x01" * 32}), none, none, none))
    right = encode(DisputeRecords(none, none, none, frozenset({b"\x02" * 32})))
    [found] = compare({key: left}, {key: right})
    assert found.entry == "disputes (C5)"
    assert found.fields == (
        FieldDifference("good 0x" + "01" * 32, "present", "absent"),
        FieldDifference("offenders 0x" + "02" * 32, "absent", "present"),
    )

    encode_privileges = codec(Privileges, TINY).encode
    key = keys.component(keys.PRIVILEGES)
    before = encode_privileges(Privileges(1, (2, 3), 4, 5, {6: 7}))
    after = encode_privileges(Privileges(1, (2, 9), 4, 5, {6: 8, 9: 1}))
    [found] = compare({key: before}, {key: after})
    assert found.fields == (
        FieldDifference("assigners[1]", "3", "9"),
        FieldDifference("always_accumulate[6]", "7", "8"),
        FieldDifference("always_accumulate[9]", "absent", "1"),
    )


def test_items_of_services_are_octets_from_where_they_part() -> None:
    key = keys.storage(7, b"name")
    [found] = compare({key: bytes(50) + b"\x01"}, {key: bytes(50) + b"\x02\x03"})
    assert found.entry.startswith("service 7 item 0x")
    assert found.fields == (FieldDifference("", "51 octets, 50: 0x01", "52 octets, 50: 0x0203"),)
    [found] = compare({key: b"\x05"}, {})
    assert found.fields == (FieldDifference("", "0x05", "absent"),)


def test_component_that_does_not_decode() -> None:
    key = keys.component(keys.TIME)
    [found] = compare({key: bytes(4)}, {key: bytes(5)})
    assert found.fields == (FieldDifference("", "0x00000000", "0x0000000000"),)
