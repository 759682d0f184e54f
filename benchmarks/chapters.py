"""Where the time of a block goes, by chapter: clocks put around the node's functions from outside."""

from __future__ import annotations

import functools
import importlib
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest import mock

from benchmarks.harness import Figure, Options, single, vectors
from jamliquor.conformance.runner import run_trace
from jamliquor.conformance.traces import find_traces
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine

TITLE = "Where the time of a block goes"
METHOD = """\
A run of its own, with a clock around the functions that the parts are named after: each part's time is
without that of the parts inside it. *Median* is the median over the rounds of the mean a block, *share*
is of the whole block. What a second thread verifies meanwhile is not in *signatures*, only the wait for
it. The clocks themselves take about 0.3 µs a call, most visible in host calls.\
"""

_CHAINS = ("fallback", "preimages", "safrole", "storage", "storage_light")
_PARTS: dict[str, tuple[str, ...]] = {
    "decode block": ("codec.Codec.decode",),
    "encode components": ("state.state.State.child",),
    "read components": ("state.state.State.component",),
    "header": (
        "chain.importer.encode_header",
        "stf.header.check_extrinsic",
        "stf.header.check_markers",
        "stf.header.demand_seal",
        "stf.header.entropy_output",
    ),
    "signatures": ("stf.signatures.SignatureChecks.start", "stf.signatures.SignatureChecks.join"),
    "disputes": ("stf.disputes.judge",),
    "safrole": ("stf.safrole.rotate", "stf.safrole.accumulate_tickets"),
    "ring commitment": ("stf.safrole.ring_root",),
    "assurances": ("stf.assurances.process_assurances",),
    "reports": ("stf.reports.process_guarantees", "stf.reports.report_hashes"),
    "accumulation": ("stf.accumulation.accumulate",),
    "start of guests": (
        "pvm.engine.Engine.find",
        "pvm.engine.Engine.load",
        "pvm.engine.LoadedProgram.start",
    ),
    "host calls": ("pvm.invocations.run_host_calls",),
    "guest instructions": ("pvm.engine._NativeMachine.run_offering",),
    "preimages": ("stf.preimages.check", "stf.preimages.integrate"),
    "history": (
        "stf.history.with_parent_state_root",
        "stf.history.accumulation_root",
        "stf.history.append",
    ),
    "authorization": (
        "stf.authorization.entering_authorizers",
        "stf.authorization.used_authorizers",
        "stf.authorization.rotate_pools",
    ),
    "statistics": ("stf.statistics.update_statistics",),
    "trie: read": ("state.trie.Trie.get",),
    "trie: apply": ("state.trie.Trie.apply",),
    "rest of transition": ("chain.importer.transition",),
    "rest of import": ("chain.importer.Importer.import_block",),
}


def run(options: Options) -> Iterator[Figure]:
    """Measure each chain."""
    for chain in _CHAINS[:1] if options.quick else _CHAINS:
        rounds = [_round(chain) for _ in range(options.rounds)]
        medians = {part: statistics.median(times[part] for times, _ in rounds) * 1e6 for part in _PARTS}
        whole = sum(medians.values())
        for part, microseconds in medians.items():
            extra = {
                "share": round(microseconds / whole * 100, 1),
                "calls": round(rounds[0][1][part], 2),
            }
            yield Figure(f"{chain}: {part}", "µs", single(microseconds), extra=extra)
        yield Figure(f"{chain}: whole block", "µs", single(whole))


class _Clocks:
    """Exclusive time by part: the innermost running part gets the time."""

    def __init__(self) -> None:
        self.times: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._running: list[str] = []
        self._since = 0.0

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function with a clock."""

        @functools.wraps(function)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            if not self._running and part != "rest of import":
                return function(*args, **kwargs)
            self._switch()
            self._running.append(part)
            self.calls[part] += 1
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._running.pop()

        return clocked

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.times[self._running[-1]] += now - self._since
        self._since = now


def _round(chain: str) -> tuple[dict[str, float], dict[str, float]]:
    """Mean seconds and mean number of calls a block, by part."""
    clocks = _Clocks()
    with ExitStack() as patches:
        for part, names in _PARTS.items():
            for name in names:
                owner, attribute = _find(name)
                function = getattr(owner, attribute)
                patch = mock.patch.object(owner, attribute, clocks.around(part, function))
                patches.enter_context(patch)
        [trace] = find_traces([vectors() / "traces" / chain])
        blocks = sum(1 for _ in run_trace(TINY, NativeEngine(), trace))
    return (
        {part: clocks.times[part] / blocks for part in _PARTS},
        {part: clocks.calls[part] / blocks for part in _PARTS},
    )


def _find(name: str) -> tuple[Any, str]:
    """The module or class that a dotted name lies in, and its last part."""
    path, _, attribute = name.rpartition(".")
    module, _, last = path.rpartition(".")
    if last[:1].isupper() or last.startswith("_"):
        return getattr(importlib.import_module(f"jamliquor.{module}"), last), attribute
    return importlib.import_module(f"jamliquor.{path}"), attribute
