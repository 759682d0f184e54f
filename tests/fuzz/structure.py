"""Changes that understand a value: fields to their edges, items swapped, repeated, dropped."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from jamliquor.codec import Codec

_EDGES = tuple({0, 1, 2} | {2**bits + d for bits in (7, 8, 14, 16, 32, 63, 64) for d in (-1, 0)})


def varied(value: Any, choice: random.Random) -> Any:
    """The value with one change somewhere in it."""
    places: list[tuple[tuple[int, ...], Any]] = []
    _collect(value, (), places)
    if not places:
        return value
    path, found = choice.choice(places)
    return _replaced(value, path, _changed(found, choice))


def varied_octets(
    subject: Codec[Any],
    data: bytes,
    choice: random.Random,
    vary: Callable[[Any, random.Random], Any] = varied,
) -> bytes | None:
    """The same for an encoding; None where it is none, or the changed value has none."""
    try:
        value = subject.decode(data)
        for _ in range(choice.choice((1, 1, 1, 2, 3))):
            value = vary(value, choice)
        return subject.encode(value)
    except (ValueError, TypeError, AttributeError, struct.error):
        return None


def _collect(value: Any, path: tuple[int, ...], places: list[tuple[tuple[int, ...], Any]]) -> None:
    if not isinstance(value, tuple):
        places.append((path, value))
        return
    if value and not hasattr(value, "_fields"):
        places.append((path, value))
    for index, item in enumerate(value):
        _collect(item, (*path, index), places)


def _replaced(value: Any, path: tuple[int, ...], new: Any) -> Any:
    if not path:
        return new
    items = list(value)
    items[path[0]] = _replaced(items[path[0]], path[1:], new)
    return value._make(items) if hasattr(value, "_make") else tuple(items)


def _changed(value: Any, choice: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return choice.choice((*_EDGES, value + 1, max(0, value - 1)))
    if isinstance(value, bytes):
        return _octets(value, choice)
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return _items(value, choice)
    return value


def _octets(value: bytes, choice: random.Random) -> bytes:
    if not value or choice.random() < 0.2:
        return choice.choice((bytes(len(value)), b"\xff" * len(value)))
    at = choice.randrange(len(value))
    return value[:at] + bytes([value[at] ^ 1 << choice.randrange(8)]) + value[at + 1 :]


def _items(items: tuple[Any, ...], choice: random.Random) -> tuple[Any, ...]:
    first, second = choice.randrange(len(items)), choice.randrange(len(items))
    kind = choice.randrange(4)
    changed = list(items)
    if kind == 0:
        changed[first], changed[second] = changed[second], changed[first]
    elif kind == 1:
        changed.insert(second, changed[first])
    elif kind == 2:
        del changed[first]
    else:
        changed.reverse()
    return tuple(changed)
