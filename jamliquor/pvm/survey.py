"""What a program holds: sizes, entry points, host calls, the mix of its instructions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jamliquor.crypto.hashing import blake2b
from jamliquor.pvm.host.table import NAMES
from jamliquor.pvm.image import Image, Kind
from jamliquor.pvm.opcodes import INSTRUCTIONS
from jamliquor.pvm.operands import decode
from jamliquor.pvm.program import PAGE_SIZE, ProgramBlob

__all__ = ["survey"]

_ENTRIES = ((0, "refine or is_authorized"), (5, "accumulate"))


def survey(image: Image) -> dict[str, Any]:
    """A record about a program: numbers of octets and counts, names as strings.

    ``exports`` are the positions at which an invocation of appendix B can enter, ``imports`` the
    host calls that the code names, each with how often it stands there.
    """
    octets = image.encode()
    program = image.program
    starts = [at for at in range(len(program.code)) if program.is_opcode(at)]
    mix = Counter(_name(program, at) for at in starts)
    calls = Counter(decode(program, at).x for at in starts if _name(program, at) == "ecalli")
    return {
        "kind": image.kind.noun,
        "blake2b": "0x" + blake2b(octets).hex(),
        "octets": len(octets),
        **_wrapping(image),
        "code_octets": len(program.code),
        "instructions": len(starts),
        "basic_blocks": len(program.basic_blocks),
        "jump_table": f"{program.jump_count} entries of {program.jump_width} octets",
        "exports": _exports(image, program),
        "imports": {_call(number): count for number, count in sorted(calls.items())},
        "mix": dict(sorted(mix.items(), key=lambda item: (-item[1], item[0]))),
    }


def _wrapping(image: Image) -> dict[str, Any]:
    standard = image.standard
    if standard is None:
        return {}
    record: dict[str, Any] = {}
    if image.metadata is not None:
        record["metadata"] = _shown(image.metadata)
    return record | {
        "read_only_octets": len(standard.read_only),
        "read_write_octets": len(standard.read_write),
        "heap_octets": standard.heap_pages * PAGE_SIZE,
        "stack_octets": standard.stack_size,
    }


def _exports(image: Image, program: ProgramBlob) -> dict[str, int]:
    if image.kind is Kind.PROGRAM:
        return {}
    return {name: at for at, name in _ENTRIES if program.is_opcode(at)}


def _name(program: ProgramBlob, at: int) -> str:
    row = INSTRUCTIONS.get(program.code[at])
    return "(no such opcode)" if row is None else row.name


def _call(number: int) -> str:
    return f"{number} {NAMES.get(number, '(no such host call)')}"


def _shown(octets: bytes) -> str:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return "0x" + octets.hex()
    return text if text.isprintable() else "0x" + octets.hex()
