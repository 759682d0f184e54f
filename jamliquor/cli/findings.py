"""Tells one result that is not as recorded: which block, why, and which parts of the state."""

from __future__ import annotations

from collections.abc import Iterator

from jamliquor.conformance.runner import Outcome, Result

_LABELS = {
    Outcome.MISMATCH: ("MISMATCH", "state differs"),
    Outcome.WRONGLY_REFUSED: ("REFUSED", "should be accepted"),
    Outcome.WRONGLY_ACCEPTED: ("ACCEPTED", "should be refused"),
}


def finding(result: Result) -> Iterator[str]:
    """The lines about a result that is not good."""
    label, meaning = _LABELS[result.outcome]
    yield f"{label} {result.path.name} of {result.trace.name}, slot {result.slot}: {meaning}"
    yield f"  block     0x{result.hash.hex()}"
    yield f"  expected  0x{result.expected_root.hex()}"
    if result.root is not None:
        yield f"  computed  0x{result.root.hex()}"
    if result.refusal is not None:
        yield from _reason(result)
    for difference in result.differences:
        yield f"  {difference.entry}"
        for field in difference.fields:
            if field.field:
                yield f"    {field.field}"
            yield f"    expected  {field.expected}"
            yield f"    computed  {field.actual}"
        if difference.more:
            yield f"    and {difference.more} more values"
    if not result.complete:
        yield "  and more entries"


def _reason(result: Result) -> Iterator[str]:
    error = result.refusal
    chapter = getattr(error, "chapter", "")
    yield f"  error     {chapter + ': ' if chapter else ''}{error.code if error else ''}"
    detail = getattr(error, "detail", "")
    if detail:
        yield f"  detail    {detail}"
    for name, value in getattr(error, "fields", {}).items():
        shown = "0x" + value.hex() if isinstance(value, bytes) else value
        yield f"  field     {name} = {shown}"
