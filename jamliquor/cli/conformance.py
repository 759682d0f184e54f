"""``jamliquor conformance``: tests of targets, ours and others'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jamliquor.cli.chain import params_of
from jamliquor.cli.exits import HELP as EXIT_CODES
from jamliquor.cli.exits import ExitCode
from jamliquor.cli.options import debug_option, json_option
from jamliquor.cli.progress import Progress

if TYPE_CHECKING:
    from jamliquor.cli.report import Report
    from jamliquor.conformance.client import Client
    from jamliquor.conformance.traces import Trace
    from jamliquor.params import ChainParams


@click.group("conformance", short_help="Test a target that speaks the conformance protocol.")
def command() -> None:
    """Test a target that speaks the conformance protocol (fuzz-protocol version 1).

    \b
    Example:
      jamliquor conformance run --socket /tmp/jam_target.sock traces/*/
    """


@command.command("run", epilog=EXIT_CODES)
@click.argument("sources", nargs=-1, required=True, metavar="TRACE...", type=click.Path(path_type=Path))
@click.option(
    "--socket", "path", required=True, type=click.Path(path_type=Path), help="Where the target listens."
)
@click.option(
    "--chain",
    metavar="tiny|full|FILE",
    help="Chain specification, or a JIP-4 file that holds one. Default: what the first trace fits.",
)
@click.option(
    "--repeat", default=1, show_default=True, type=click.IntRange(1), help="Rounds through the traces."
)
@click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds after which a silent target has failed.",
)
@click.option(
    "--report",
    "report_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a JSON report: every block with its time, and the totals.",
)
@json_option
@click.option("--quiet", is_flag=True, help="Print only what is not as recorded.")
@debug_option
@click.pass_context
def run(
    ctx: click.Context,
    *,
    sources: tuple[Path, ...],
    path: Path,
    chain: str | None,
    repeat: int,
    timeout: float,
    report_path: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Replay traces against a target and compare the root after each block with the recorded one.

    TRACE is a folder of steps. A chain begins at its genesis.bin, or where there is none at the
    state after its first step. When a root differs, the target is asked for its state, and what
    differs is printed; the rest of that chain is left out. Times are from a block's first octet sent
    to the answer's last octet received, in milliseconds.

    \b
    Examples:
      jamliquor conformance run --socket /tmp/jam_target.sock traces/fallback
      jamliquor conformance run --socket /tmp/jam_target.sock traces/*/ --json
    """
    from jamliquor.cli.import_ import open_report  # noqa: PLC0415
    from jamliquor.conformance.traces import find_traces, infer_params  # noqa: PLC0415

    traces = find_traces(sources)
    params = infer_params(traces[0]) if chain is None else params_of(chain)
    with open_report(report_path) as report:
        replayed = Replayed(params, traces, report)
        progress = Progress(replayed.planned * repeat, quiet=quiet or as_json)
        for line in replayed.run(path, timeout, repeat, progress):
            progress.pause()
            click.echo(line, err=as_json)
        progress.pause()
        record = replayed.record()
        if report is not None:
            report.finish(record)
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    elif not quiet:
        click.echo("\n".join(_lines(record)))
    ctx.exit(replayed.exit_code)


class Replayed:
    """Traces on their way through a target, and what came of them.

    Attributes:
        planned: blocks of one round.
    """

    def __init__(self, params: ChainParams, traces: list[Trace], report: Report | None) -> None:
        from jamliquor.conformance.client import blocks_to_replay  # noqa: PLC0415
        from jamliquor.conformance.latency import Latencies  # noqa: PLC0415

        self._params = params
        self._traces = traces
        self._report = report
        self._outcomes: Counter[str] = Counter()
        self._latencies = Latencies()
        self._failures = 0
        self._target: dict[str, Any] = {}
        self.planned = sum(map(blocks_to_replay, traces))

    def run(self, path: Path, timeout: float, repeat: int, progress: Progress) -> Iterator[str]:
        """Replay everything; yields lines about what is not as recorded.

        Raises:
            TargetFailure: no target is there, or it left and did not come back.
        """
        from jamliquor.conformance.client import TargetFailure  # noqa: PLC0415

        client: Client | None = None
        try:
            for trace in self._traces * repeat:
                if client is None:
                    client = self._connect(path, timeout)
                try:
                    yield from self._replay(client, trace, progress)
                except TargetFailure as error:
                    self._failures += 1
                    yield f"FAILED {trace.name}: {error}"
                    client.close()
                    client = None
        finally:
            if client is not None:
                client.close()

    def _connect(self, path: Path, timeout: float) -> Client:
        from jamliquor.cli.version import numbers  # noqa: PLC0415
        from jamliquor.conformance import messages  # noqa: PLC0415
        from jamliquor.conformance.client import Client  # noqa: PLC0415

        features = messages.FEATURE_FORKS
        if all(trace.genesis is not None for trace in self._traces):
            # Only then are all ancestors known that a report may name.
            features |= messages.FEATURE_ANCESTRY
        version = messages.Version(*numbers())
        client = Client(self._params, path, version, features=features, timeout=timeout)
        self._target = {
            "name": client.peer.name.decode(errors="replace"),
            "version": str(client.peer.app_version),
            "jam_version": str(client.peer.jam_version),
            "features": client.peer.features & features,
        }
        return client

    def _replay(self, client: Client, trace: Trace, progress: Progress) -> Iterator[str]:
        from jamliquor.cli.findings import finding  # noqa: PLC0415
        from jamliquor.cli.summary import block_record  # noqa: PLC0415
        from jamliquor.conformance.client import replay  # noqa: PLC0415

        for result in replay(self._params, client, trace):
            self._outcomes[result.outcome.value] += 1
            self._latencies.add(result.milliseconds)
            if self._report is not None:
                self._report.add(block_record(result))
            if not result.outcome.good:
                yield from finding(result)
            progress.at(len(self._latencies), trace.name)

    @property
    def exit_code(self) -> ExitCode:
        """A root that differs weighs more than a target that left, and that more than a refusal."""
        from jamliquor.conformance.runner import Outcome  # noqa: PLC0415

        if self._outcomes[Outcome.MISMATCH.value] or self._outcomes[Outcome.WRONGLY_ACCEPTED.value]:
            return ExitCode.MISMATCH
        if self._failures:
            return ExitCode.HOST
        refused = self._outcomes[Outcome.WRONGLY_REFUSED.value]
        return ExitCode.REFUSED if refused else ExitCode.DONE

    def record(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "target": self._target,
            "chain": self._params.name,
            "traces": len(self._traces),
            "blocks": len(self._latencies),
            "outcomes": dict(sorted(self._outcomes.items())),
            "target_failures": self._failures,
            "stats": self._latencies.record(),
            "exit_code": int(self.exit_code),
        }


def _lines(record: dict[str, Any]) -> list[str]:
    target = record["target"]
    outcomes = ", ".join(f"{count} {name}" for name, count in record["outcomes"].items())
    rows = [
        ("target", f"{target['name']} {target['version']}, JAM {target['jam_version']}"),
        ("chain", record["chain"]),
        ("blocks", f"{record['blocks']} of {record['traces']} traces: {outcomes or 'none'}"),
    ]
    rows += [(name, f"{value:.3f} ms") for name, value in record["stats"].items()]
    good = record["exit_code"] == 0
    rows.append(("result", "everything agrees with the record" if good else "NOT as recorded"))
    return [f"{name:<16}{text}" for name, text in rows]
