"""Decoding and encoding of blocks, reports and the components of the state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.harness import Figure, Options, measure, scaled, vectors
from jamliquor.codec import codec
from jamliquor.conformance.traces import find_traces, read_step
from jamliquor.params import NAMED, TINY, ChainParams
from jamliquor.state import keys
from jamliquor.state.state import COMPONENT_TYPES
from jamliquor.types.block import Block
from jamliquor.types.header import Header
from jamliquor.types.work import WorkReport

TITLE = "Codec"
METHOD = """\
Single calls. Block, header and report are those of the public codec vectors; the components are
those of the last state of the chain `storage` (tiny).\
"""

_VECTORS = (("block", Block), ("header_0", Header), ("work_report", WorkReport))


def run(options: Options) -> Iterator[Figure]:
    """Measure both directions of everything."""
    for params in NAMED.values():
        for name, kind in _VECTORS:
            data = (vectors() / "codec" / params.name / f"{name}.bin").read_bytes()
            yield from _both(f"{name.removesuffix('_0')}, {params.name}", kind, data, params, options)
    [trace] = find_traces([vectors() / "traces" / "storage"])
    entries = dict(read_step(trace.steps[-1], TINY).posterior.entries())
    for index, kind in COMPONENT_TYPES.items():
        name = f"component {index:02} {keys.describe(keys.component(index))}"
        yield from _both(name, kind, entries[keys.component(index)], TINY, options)


def _both(name: str, kind: Any, data: bytes, params: ChainParams, options: Options) -> Iterator[Figure]:
    form = codec(kind, params)
    value = form.decode(data)
    count = 20 if options.quick else 200
    extra = {"octets": len(data)}
    decoding = measure(lambda: form.decode(data), options, count)
    yield Figure(f"{name}: decode", "µs", scaled(decoding, 1e6), extra=extra)
    encoding = measure(lambda: form.encode(value), options, count)
    yield Figure(f"{name}: encode", "µs", scaled(encoding, 1e6), extra=extra)
