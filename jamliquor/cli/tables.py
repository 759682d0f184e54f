"""Plain tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines with aligned columns; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    right = [all(row[i].lstrip("-").isdecimal() for row in cells) for i in range(len(heads))]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = []
    for row in [list(heads), *cells]:
        shown = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(shown).rstrip())
    return lines


def pairs(rows: Iterable[tuple[str, object]]) -> list[str]:
    """Lines of names and values, aligned."""
    listed = list(rows)
    width = max((len(name) for name, _ in listed), default=0)
    return [f"{name:<{width}}  {value}" for name, value in listed]


def short(octets: bytes) -> str:
    """The beginning of a hash: enough to tell it from others."""
    return f"0x{octets[:8].hex()}…"
