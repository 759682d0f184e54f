"""Host calls as lines of text and as records for JSON; both formats are stable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jamliquor.pvm.host.codes import SELF
from jamliquor.pvm.host.describe import SHOWN_OCTETS, Octets, result_name
from jamliquor.pvm.invocations import HostCall

_LINE_OCTETS: Final = 64
_LEVELS: Final = ("fatal", "warn", "info", "debug", "trace")

Arguments = Sequence[tuple[str, int | Octets]]


def call_line(slot: int, call: HostCall) -> str:
    """One line: slot, service, name, arguments, ``->``, result, what was delivered, gas left."""
    parts = [str(slot), _service(call.service), _name(call)]
    if call.message is None:
        parts.append(arguments_text(call.shown))
    else:
        parts.append(log_text(call.message))
    parts += ["->", result_name(call.name, call.result)]
    if call.delivered is not None:
        parts.append(f"data={octets_text(call.delivered)}")
    parts.append(f"gas={call.gas}")
    return " ".join(filter(None, parts))


def call_record(slot: int, call: HostCall) -> dict[str, Any]:
    """The same for JSON: registers as numbers, octets in hexadecimal, cut behind 4096 of them."""
    record: dict[str, Any] = {
        "slot": slot,
        "service": call.service,
        "call": call.name,
        "arguments": {name: _json(value) for name, value in call.shown},
        "registers": list(call.arguments),
        "result": result_name(call.name, call.result),
        "gas": call.gas,
    }
    if call.delivered is not None:
        record["data"] = _json(call.delivered)
    if call.message is not None:
        record["message"] = log_record(call.message)
    return record


def arguments_text(shown: Arguments) -> str:
    """``name=value`` for each argument; octets in hexadecimal."""
    return " ".join(
        f"{name}={octets_text(value) if isinstance(value, Octets) else _number(name, value)}"
        for name, value in shown
    )


def log_text(message: tuple[int, bytes, bytes]) -> str:
    """What a ``log`` call says (JIP-1), with everything unprintable escaped."""
    level, target, text = message
    named = f" target={quoted(target)}" if target else ""
    return f"level={_level(level)}{named} message={quoted(text)}"


def log_record(message: tuple[int, bytes, bytes]) -> dict[str, Any]:
    """The same for JSON."""
    level, target, text = message
    return {
        "level": _level(level),
        "target": target.decode(errors="replace") or None,
        "message": text.decode(errors="replace"),
    }


def octets_text(octets: Octets) -> str:
    """Hexadecimal octets; of many the first 64, and how many there are."""
    if octets.data is None:
        return f"unreadable({octets.size})"
    if octets.size <= _LINE_OCTETS:
        return "0x" + octets.data.hex()
    return f"0x{octets.data[:_LINE_OCTETS].hex()}..({octets.size})"


def quoted(octets: bytes) -> str:
    """Text in quotes, so that nothing in it can move a terminal's cursor or fake a line."""
    letters = []
    for letter in octets.decode(errors="backslashreplace"):
        if letter in '"\\':
            letters.append("\\" + letter)
        elif letter.isprintable():
            letters.append(letter)
        else:
            letters.append(letter.encode("unicode_escape").decode())
    return '"' + "".join(letters) + '"'


def _json(value: int | Octets) -> Any:
    if isinstance(value, int):
        return value
    if value.data is None:
        return {"size": value.size, "readable": False}
    if value.size > SHOWN_OCTETS:
        return {"size": value.size, "first": "0x" + value.data.hex()}
    return "0x" + value.data.hex()


def _number(name: str, value: int) -> str:
    return "self" if name == "service" and value == SELF else str(value)


def _service(service: int | None) -> str:
    return "-" if service is None else str(service)


def _name(call: HostCall) -> str:
    return f"call_{call.name}" if call.name.isdecimal() else call.name


def _level(level: int) -> str:
    return _LEVELS[level] if level < len(_LEVELS) else str(level)
