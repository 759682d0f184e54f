"""What differs between two states, told for people: components decoded, other entries in hex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from jamliquor.codec import codec
from jamliquor.errors import DecodeError
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.state.state import COMPONENT_TYPES, State
from jamliquor.types.state import ServiceAccount

ABSENT = "absent"

_SHOWN_OCTETS = 32
_SHOWN_PART = 20
_TYPES_BY_KEY = {keys.component(index): kind for index, kind in COMPONENT_TYPES.items()}


class FieldDifference(NamedTuple):
    """One value that differs.

    Attributes:
        field: path within the entry, such as ``tickets[3].id``; empty when the entry is not decoded.
        expected: the recorded value, shortened for display.
        actual: the computed value, shortened for display.
    """

    field: str
    expected: str
    actual: str


class Difference(NamedTuple):
    """One entry of the state that differs.

    Attributes:
        entry: what the key stands for, such as ``safrole (C4)`` or ``service 7 record``.
        fields: what differs in it, at most as many as were asked for.
        more: how many further values differ.
    """

    entry: str
    fields: tuple[FieldDifference, ...]
    more: int


def differences(
    params: ChainParams, expected: State, actual: State, *, max_fields: int = 8
) -> Iterator[Difference]:
    """The entries that differ, in key order, found one by one.

    Args:
        expected: the state as it was recorded.
        actual: the state as it was computed.
        max_fields: how many values to show for each entry.
    """
    for key in expected.trie.changed_keys(actual.trie):
        found = list(_entry(params, key, expected.get(key), actual.get(key)))
        yield Difference(keys.describe(key), tuple(found[:max_fields]), len(found[max_fields:]))


def _entry(
    params: ChainParams, key: bytes, expected: bytes | None, actual: bytes | None
) -> Iterator[FieldDifference]:
    kind = _kind(key)
    if kind is not None:
        try:
            decode = codec(kind, params).decode
            left, right = (ABSENT if value is None else decode(value) for value in (expected, actual))
            yield from _values("", left, right)
            return
        except DecodeError:
            # A malformed entry can still be shown as octets.
            pass
    yield from _values("", *(ABSENT if value is None else value for value in (expected, actual)))


def _kind(key: bytes) -> Any:
    """The type of the entry, or None for what services store."""
    if key == keys.service(int.from_bytes(key[1:8:2], "little")):
        return ServiceAccount
    return _TYPES_BY_KEY.get(key)


def _values(path: str, expected: Any, actual: Any) -> Iterator[FieldDifference]:
    """Differences below ``path`` of two values of one type, depth first."""
    if expected == actual:
        return
    if type(expected) is not type(actual):
        yield FieldDifference(path, _shown(expected), _shown(actual))
        for value in (expected, actual):
            if isinstance(value, ServiceAccount):
                yield from _fields_of_one(value, value is expected)
    elif isinstance(expected, tuple) and hasattr(expected, "_fields"):
        for name in expected._fields:
            inner = f"{path}.{name}" if path else name
            yield from _values(inner, getattr(expected, name), getattr(actual, name))
    elif isinstance(expected, tuple):
        yield from _sequences(path, expected, actual)
    elif isinstance(expected, dict):
        for name in sorted(expected.keys() | actual.keys()):
            inner = f"{path}[{_shown(name)}]"
            yield from _values(inner, expected.get(name, ABSENT), actual.get(name, ABSENT))
    elif isinstance(expected, frozenset):
        for item in sorted(expected ^ actual):
            inner = f"{path} {_shown(item)}".lstrip()
            here = ("present", ABSENT) if item in expected else (ABSENT, "present")
            yield FieldDifference(inner, *here)
    elif isinstance(expected, bytes):
        yield _octets(path, expected, actual)
    else:
        yield FieldDifference(path, _shown(expected), _shown(actual))


def _fields_of_one(account: ServiceAccount, is_expected: bool) -> Iterator[FieldDifference]:
    """The fields of an account that only one state has."""
    for name, value in account._asdict().items():
        here = (_shown(value), ABSENT) if is_expected else (ABSENT, _shown(value))
        yield FieldDifference(name, *here)


def _octets(path: str, expected: bytes, actual: bytes) -> FieldDifference:
    """Two octet strings, long ones from where they part."""
    if max(len(expected), len(actual)) <= _SHOWN_OCTETS:
        return FieldDifference(path, _shown(expected), _shown(actual))
    shorter = min(len(expected), len(actual))
    parting = next((at for at in range(shorter) if expected[at] != actual[at]), shorter)
    shown = [
        f"{len(value)} octets, {parting}: {_shown(value[parting : parting + _SHOWN_PART])}"
        for value in (expected, actual)
    ]
    return FieldDifference(path, *shown)


def _sequences(
    path: str, expected: tuple[Any, ...], actual: tuple[Any, ...]
) -> Iterator[FieldDifference]:
    if len(expected) != len(actual):
        yield FieldDifference(path, f"{len(expected)} items", f"{len(actual)} items")
    for index in range(max(len(expected), len(actual))):
        left = expected[index] if index < len(expected) else ABSENT
        right = actual[index] if index < len(actual) else ABSENT
        yield from _values(f"{path}[{index}]", left, right)


def _shown(value: Any) -> str:
    """A value in a few words: octets in hex, long ones cut."""
    if value is None:
        return "none"
    if isinstance(value, bytes):
        if len(value) <= _SHOWN_OCTETS:
            return "0x" + value.hex()
        return f"{len(value)} octets 0x{value[:_SHOWN_PART].hex()}…"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return f"a {type(value).__name__}"
    if isinstance(value, tuple | dict | frozenset):
        return f"{len(value)} items"
    return str(value)
