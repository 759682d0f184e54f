"""One run of ``jamliquor import``: traces in, findings and a summary out."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jamliquor.cli.findings import finding
from jamliquor.cli.machine import settle
from jamliquor.cli.profile import profile_record
from jamliquor.cli.progress import Progress
from jamliquor.cli.summary import Summary, block_record
from jamliquor.conformance.runner import Result, is_chain, run_trace
from jamliquor.conformance.traces import find_traces, infer_params
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import NativeEngine
from jamliquor.stf.transition import prepare

if TYPE_CHECKING:
    from jamliquor.author.genesis import Genesis
    from jamliquor.cli.report import Report
    from jamliquor.pvm.invocations import HostCall
    from jamliquor.stf.laps import Laps


def _spill_directory() -> str:
    """Where guest memory beyond its cap goes: on many boards /tmp is memory, /var/tmp is not."""
    return os.environ.get("TMPDIR") or "/var/tmp"


class StopRequest(Protocol):
    """Tells whether somebody asked to stop."""

    requested: bool


class Session:
    """Imports the sources in order.

    Args:
        params: the chain's parameters, or None to infer them for each trace.
        each: import every step by itself, also where there is a genesis.
        genesis: of the chain specification, for traces without one that are built on it.
        stop: looked at between blocks.
        report: gets every block, if there is one.
        observe: told of every host call, with its slot, if given.
        laps: measures the parts of each import, if given; part of the record at the end.

    Raises:
        BadInput: a source is no trace; also from :meth:`run`, when a file in one is damaged.
    """

    def __init__(
        self,
        sources: Sequence[Path],
        *,
        params: ChainParams | None,
        each: bool,
        stop: StopRequest,
        report: Report | None,
        observe: Callable[[int, HostCall], None] | None = None,
        genesis: Genesis | None = None,
        laps: Laps | None = None,
    ) -> None:
        self._traces = find_traces(sources)
        self._params = params
        self._each = each
        self._genesis = genesis
        self._stop = stop
        self._report = report
        self._observe = observe
        self._laps = laps
        self._engine = NativeEngine(spill_directory=_spill_directory())
        self.summary = Summary(sum(len(trace.steps) for trace in self._traces))

    def run(self, progress: Progress, tell: Callable[[str], None]) -> None:
        """Import until the end or until somebody stops it; ``tell`` gets lines about failures."""
        behind = 0
        prepare(self._params or infer_params(self._traces[0]))
        settle()
        for trace in self._traces:
            params = self._params or infer_params(trace)
            chained = is_chain(params, trace, each=self._each, genesis=self._genesis)
            results = run_trace(
                params,
                self._engine,
                trace,
                each=self._each,
                observe=self._observe,
                genesis=self._genesis,
                laps=self._laps,
            )
            for number, result in enumerate(results, 1):
                self.summary.add(params.name, result)
                if self._report is not None:
                    self._report.add(block_record(result))
                if not result.outcome.good:
                    progress.pause()
                    for line in itertools.chain(finding(result), _consequence(result, number, chained)):
                        tell(line)
                if self._stop.requested:
                    self.summary.interrupted = self.summary.blocks < self.summary.planned
                    return
                progress.at(behind + number, trace.name)
            behind += len(trace.steps)

    def finish(self) -> dict[str, Any]:
        """Complete the report; the summary as a record."""
        record = self.summary.record()
        if self._laps is not None:
            record["profile"] = profile_record(self._laps)
        if self._report is not None:
            self._report.finish(record)
        return record


def _consequence(result: Result, number: int, chained: bool) -> list[str]:
    left = len(result.trace.steps) - number
    if not chained:
        return ["  every step stands by itself: going on"] if left else []
    return [f"  the state is not known from here; blocks left out: {left}"] if left else []
