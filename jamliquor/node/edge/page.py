"""The report as one HTML file with its plots inside: no script, nothing fetched, fit for a phone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

from jamliquor.node.edge.budgets import BLOCK_MS, IMPORT_MB, LARGE_MB
from jamliquor.node.edge.report import parts, stored, subject, value, verdict

_COLOURS = (
    *("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce", "#b91c1c"),
    *("#0f766e", "#854d0e", "#475569", "#be185d"),
)
_WIDE, _HIGH, _LEFT, _BELOW, _ABOVE = 640, 340, 60, 40, 14
_TICKS = 4
_STYLE = """\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:46rem;padding:1rem;color:#1c1917}
h1{font-size:1.4rem;line-height:1.25}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
td,th{padding:.3rem .5rem;border-bottom:1px solid #d6d3d1;text-align:left;vertical-align:top}
td.n{text-align:right;white-space:nowrap}.met{color:#3f6212}.missed{color:#b91c1c;font-weight:700}
.wide{overflow-x:auto}svg{width:100%;height:auto;background:#fafaf9}
.key{font-size:.85rem}.key span{white-space:nowrap;margin-right:.9rem}
.key i{display:inline-block;width:.8rem;height:.8rem;margin-right:.3rem}
"""


class _Line(NamedTuple):
    name: str
    points: Sequence[tuple[float, float]]


def render(record: dict[str, Any]) -> str:
    """The whole page."""
    title = f"jamliquor on the edge: {subject(record)}"
    machine = record["machine"]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>jamliquor {escape(record['jamliquor'])}, {record['date']}, run on "
        f"{escape(machine['processor'])}, {machine['cores']} cores, "
        f"load before {machine['load']:g}.</p>",
        "<h2>Budgets</h2>",
        _checks(record["checks"]),
        *_plots(record),
        "<h2>Method</h2>",
        _list(record["method"]),
        "<h2>Limits</h2>",
        _list(record["limits"]),
    ]
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
    )
    body = "\n".join(parts)
    return f"{head}\n<body>\n{body}\n</body></html>\n"


def _plots(record: dict[str, Any]) -> list[str]:
    chains = record["chains"]
    kind = "high estimate" if record["estimated"] else "measured"
    small = {name: one for name, one in record["commands"].items() if one["limit_mb"] == IMPORT_MB}
    watched = [*((one["name"], one) for one in chains), *small.items()]
    larger = [(name, one) for name, one in record["commands"].items() if name not in small]
    larger += record["large"]["steps"].items()
    latency = [_Line(one["name"], _distribution(one["high_ms"])) for one in chains]
    written = [(step, one["written_mb"]) for step, one in stored(record).items()]
    slowest = [f"{one['name']}, {parts(one['slowest'])}" for one in chains]
    entries = record["large"]["entries"]
    return [
        "<h2>Memory over time</h2><p>Resident MB of the process tree, by seconds.</p>",
        _lines([_memory(*one) for one in watched], limit=float(IMPORT_MB)),
        f"<p>The full chain specification, and a state of {entries} entries:</p>",
        _lines([_memory(*one) for one in larger], limit=float(LARGE_MB)),
        f"<h2>Latency of a block</h2><p>Milliseconds, {kind}, by the percentage of blocks that take "
        "no longer.</p>",
        _lines(latency, limit=BLOCK_MS),
        f"<p>The slowest blocks, ms by kind of work, {kind}:</p>",
        _list(slowest),
        f"<h2>Processor</h2><p>Percent of one core at a block in six seconds, {kind}.</p>",
        _bars([(one["name"], one["share_percent"][1]) for one in chains], "%"),
        f"<h2>Written</h2><p>MB that went to storage, each sync {record['sync_ms']} ms slower.</p>",
        _bars([*written, ("pruned directory", record["store"]["directory_mb"])], "MB"),
        _list(list(_waits(record))),
    ]


def _memory(name: str, one: dict[str, Any]) -> _Line:
    return _Line(name, [tuple(point) for point in one["samples"]])


def _waits(record: dict[str, Any]) -> Iterator[str]:
    for name, one in stored(record).items():
        if "waits" in one:
            slept = one["waits"] * record["sync_ms"] / 1000
            rate = one.get("entries_per_second")
            told = f", {rate} entries a second" if rate is not None else ""
            yield (
                f"{name}: {one['seconds']:g} s on this machine, {slept:g} s of them in {one['waits']} "
                f"slow syncs{told}"
            )


def _distribution(times: Sequence[float]) -> list[tuple[float, float]]:
    ordered = sorted(times)
    return [((index + 1) * 100 / len(ordered), one) for index, one in enumerate(ordered)]


def _checks(checks: Sequence[dict[str, Any]]) -> str:
    rows = [
        f"<tr><td>{escape(one['name'])}<br><small>{escape(one['note'])}</small></td>"
        f'<td class="n">{value(one)[0]}</td><td class="n">{value(one)[1]}</td>'
        f'<td class="{verdict(one)}">{verdict(one)}</td></tr>'
        for one in checks
    ]
    head = "<tr><th>what</th><th>value</th><th>below</th><th></th></tr>"
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _lines(lines: Sequence[_Line], *, limit: float) -> str:
    """Curves with axes from zero and the budget as a dashed line."""
    points = [point for line in lines for point in line.points]
    right = max((x for x, _ in points), default=1.0) or 1.0
    top = max([limit, *(y for _, y in points)]) * 1.08

    def place(x: float, y: float) -> str:
        across = _LEFT + x / right * (_WIDE - _LEFT - 8)
        return f"{across:.1f},{_HIGH - _BELOW - y / top * (_HIGH - _BELOW - _ABOVE):.1f}"

    drawn = []
    for tick in range(_TICKS + 1):
        x, y = right * tick / _TICKS, top * tick / _TICKS
        across, down = place(x, y).split(",")
        foot = _HIGH - _BELOW
        anchor = "end" if tick == _TICKS else "middle"
        drawn.append(f'<path d="M{_LEFT},{down}H{_WIDE - 8}" stroke="#e7e5e4"/>')
        drawn.append(
            f'<text x="{_LEFT - 6}" y="{float(down) + 4:.1f}" text-anchor="end">{y:.3g}</text>'
        )
        drawn.append(f'<text x="{across}" y="{foot + 18}" text-anchor="{anchor}">{x:.3g}</text>')
    dashes = 'stroke="#1c1917" stroke-dasharray="6 4"'
    drawn.append(f'<path d="M{place(0, limit)}L{place(right, limit)}" {dashes}/>')
    for line, colour in zip(lines, _cycle(len(lines)), strict=True):
        path = "L".join(place(x, y) for x, y in line.points)
        drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    key = [
        f'<span><i style="background:{colour}"></i>{escape(line.name)}</span>'
        for line, colour in zip(lines, _cycle(len(lines)), strict=True)
    ]
    frame = f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" font-size="17">{"".join(drawn)}</svg>'
    return f'{frame}<p class="key">{"".join(key)}<span>dashed: the budget, {limit:g}</span></p>'


def _bars(bars: Sequence[tuple[str, float]], unit: str) -> str:
    most = max((size for _, size in bars), default=1.0) or 1.0
    drawn = []
    for index, ((name, size), colour) in enumerate(zip(bars, _cycle(len(bars)), strict=True)):
        top = index * 34 + 6
        wide = size / most * (_WIDE - 340)
        drawn.append(f'<text x="210" y="{top + 15}" text-anchor="end">{escape(name)}</text>')
        drawn.append(f'<rect x="218" y="{top}" width="{wide:.1f}" height="20" fill="{colour}"/>')
        drawn.append(f'<text x="{224 + wide:.1f}" y="{top + 15}">{size:.3g} {unit}</text>')
    high = len(bars) * 34 + 8
    return f'<svg viewBox="0 0 {_WIDE} {high}" role="img" font-size="18">{"".join(drawn)}</svg>'


def _cycle(count: int) -> list[str]:
    return [_COLOURS[index % len(_COLOURS)] for index in range(count)]
