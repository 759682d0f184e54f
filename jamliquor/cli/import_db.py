"""``jamliquor import --db``: blocks into a directory that keeps them, once or as a service."""

from __future__ import annotations

import json
import select
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from jamliquor.chain.queue import Held
from jamliquor.cli.chain import params_of
from jamliquor.cli.exits import ExitCode
from jamliquor.cli.machine import peak_rss, settle
from jamliquor.cli.profile import profile_lines, profile_record
from jamliquor.cli.version import version
from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import StoreError, StoreFull, StoreInUse, TreeFull
from jamliquor.node.clock import slot_now
from jamliquor.node.control import Control
from jamliquor.node.directory import Directory, holds_chain
from jamliquor.node.follow import POLL_SECONDS, Feed, open_feed
from jamliquor.node.node import Node
from jamliquor.node.outcome import Outcome, Verdict
from jamliquor.node.questions import Subject
from jamliquor.node.restoring import contents_of, restore
from jamliquor.node.settings import DEFAULTS, Settings
from jamliquor.node.sources import Genesis, Sent, Source, in_groups, open_source
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import NativeEngine
from jamliquor.stf.laps import Laps
from jamliquor.store.window import DEFAULT_KEEP_STATES

if TYPE_CHECKING:
    from jamliquor.cli.report import Report
    from jamliquor.cli.session import StopRequest

_MAX_FAILURES = 20
_TELL_SECONDS = 5.0
_RETRY_SECONDS = 5.0

Tell = Callable[[str], None]


class Job(NamedTuple):
    """What the command line asks for.

    Attributes:
        follow: a folder or a socket to serve, or None.
        snapshot: what to fill a new directory from, or None.
        params: what ``--chain`` names, or None.
        laps: measures the parts of each import, or None.
    """

    folder: Path
    sources: Sequence[Path]
    follow: Path | None
    snapshot: Path | None
    params: ChainParams | None
    settings: Settings
    keep_states: int
    laps: Laps | None = None


class _StopAsked(Exception):
    """Somebody asked to stop while nothing came."""


class DatabaseSession:
    """One run: opens the directory, imports the sources, follows, closes.

    Args:
        stop: looked at between blocks.
        tell: gets lines for people about what is not as usual.

    Raises:
        BadInput, StoreError: from :meth:`run`; the directory is as good as before.
    """

    def __init__(self, job: Job, stop: StopRequest, report: Report | None, tell: Tell) -> None:
        self._job = job
        self._stop = stop
        self._report = report
        self._tell = tell
        self._counts: Counter[Verdict] = Counter()
        self._wrongly_refused = 0
        self._failures: list[dict[str, Any]] = []
        self._begun = self._told = time.monotonic()
        self._end: dict[str, Any] = {}
        self._directory: Directory | None = None
        self._node: Node
        self._left: list[Held] = []
        self._control = Control()

    def run(self) -> None:
        """Do everything; the directory is closed in good order whatever happens."""
        self._restore()
        first = self._first_source()
        self._open(None if first is None else first.genesis)
        settle()
        reason = "failed"
        try:
            self._control.listen(self._job.folder, self._tell)
            with suppress(_StopAsked):
                self._import(first)
            if self._job.follow is not None and not self._stop.requested:
                self._follow(self._job.follow)
            else:
                self._node.finish_snapshot(lambda: self._stop.requested, self._attend)
            reason = "stopped" if self._stop.requested else "done"
        finally:
            self._control.close()
            self._close(reason)

    def _restore(self) -> None:
        """Fill a new directory from the snapshot; one of the same chain just goes on."""
        path, folder = self._job.snapshot, self._job.folder
        if path is None:
            return
        if not holds_chain(folder):
            contents = restore(path, folder)
            slot, count = contents.record.slot, contents.entries
            self._tell(f"restored from {path}: slot {slot}, {count} entries")
            return
        contents = contents_of(path)
        with Directory(folder) as directory:
            if directory.genesis != contents.genesis:
                raise StoreError(
                    f"{folder}: holds the chain of genesis 0x{directory.genesis.hex()}, "
                    f"but {path} is of 0x{contents.genesis.hex()}"
                )
        self._tell(f"{folder}: holds this chain already; the snapshot is not needed")

    def _open(self, genesis: Genesis | None) -> None:
        directory = Directory(self._job.folder, genesis, keep_states=self._job.keep_states)
        try:
            node = directory.node(
                NativeEngine(),
                self._job.settings,
                software=version(),
                laps=self._job.laps,
                tell=self._tell,
            )
        except BaseException:
            directory.close()
            raise
        for line in node.recovered:
            self._tell(f"recovered: {line}")
        self._directory, self._node = directory, node
        self._end = _standing(directory, node)
        self._control.subject = Subject(directory.params, directory.genesis, directory.store, node)

    def _close(self, reason: str) -> None:
        if self._directory is None:
            return
        directory, self._directory = self._directory, None
        self._control.subject = None
        self._end = _standing(directory, self._node)
        try:
            self._node.close(reason)
        finally:
            directory.close()

    @property
    def exit_code(self) -> ExitCode:
        """What the run means; the end of a service is its usual way."""
        if self._wrongly_refused and self._job.follow is None:
            return ExitCode.REFUSED
        if self._stop.requested and self._job.follow is None:
            return ExitCode.INTERRUPTED
        return ExitCode.DONE

    def record(self) -> dict[str, Any]:
        """Everything, for JSON."""
        seconds = time.monotonic() - self._begun
        laps = self._job.laps
        return {
            **self._end,
            **({} if laps is None else {"profile": profile_record(laps)}),
            "outcomes": {verdict.value: self._counts[verdict] for verdict in Verdict},
            "seconds": round(seconds, 3),
            "blocks_per_second": round(self._counts[Verdict.IMPORTED] / seconds, 1),
            "peak_rss_bytes": peak_rss(),
            "exit_code": int(self.exit_code),
            "failures": self._failures,
        }

    def lines(self) -> list[str]:
        """The same for people, within 80 columns."""
        record = self.record()
        told = [f"{count} {name}" for name, count in record["outcomes"].items() if count]
        rows = [
            ("chain", record["chain"]),
            ("blocks", ", ".join(told) or "none"),
            ("head", f"slot {record['head']['slot']}, 0x{record['head']['hash'][2:18]}…"),
            ("final", f"slot {record['finalised']['slot']}"),
            ("time", f"{record['seconds']:.2f} s, {record['blocks_per_second']:.0f} blocks/s"),
            ("memory", f"{record['peak_rss_bytes'] / 1e6:.1f} MB at the peak"),
            ("disk", f"{record['store_bytes'] / 1e6:.1f} MB"),
        ]
        lines = [f"{name:<9}{text}" for name, text in rows]
        return lines if self._job.laps is None else [*lines, "", *profile_lines(self._job.laps)]

    def _first_source(self) -> Source | None:
        """The first source, opened early where it has to bring the genesis."""
        if holds_chain(self._job.folder) or not self._job.sources:
            return None
        source = self._source(self._job.sources[0], self._job.params)
        if source.genesis is None:
            advice = "name a source with a genesis first"
            raise BadInput("a new database needs a genesis", source.path, advice=advice)
        return source

    def _import(self, first: Source | None) -> None:
        directory = self._directory
        assert directory is not None, "opened before anything is imported"
        for index, path in enumerate(self._job.sources):
            early = first is not None and index == 0
            source = first if early and first else self._source(path, directory.params)
            _demand_same_chain(source, directory)
            for sent in self._announced(path, source.blocks):
                self._take(sent, None)
                if self._stop.requested:
                    return
            left = self._node.give_up("its source ended")
            if left:
                self._count(left, refused=False)
                raise _missing(source, left)

    def _source(self, path: Path, params: ChainParams | None) -> Source:
        return open_source(path, params, self._await)

    def _await(self, descriptor: int) -> None:
        """Wait until there is something to read, and answer questions meanwhile."""
        while not select.select([descriptor], [], [], 0)[0]:
            if self._stop.requested:
                # What is not open needs no good end.
                raise KeyboardInterrupt if self._directory is None else _StopAsked
            self._attend(POLL_SECONDS, descriptor)

    def _announced(self, path: Path, blocks: Iterator[Sent]) -> Iterator[Sent]:
        """The blocks; of those of a file or a folder the node hears some at a time."""
        if not (path.is_file() or path.is_dir()):
            # A pipe may be slow: whoever waits for the next block cannot tell of it.
            yield from blocks
            return
        for group in in_groups(blocks):
            self._node.announce([sent.octets for sent in group])
            yield from group

    def _take(self, sent: Sent, now: int | None) -> list[Outcome]:
        # Before the block: if this fails, it is offered again.
        self._control.poll()
        outcomes = self._node.receive(sent.octets, sent.source, now=now)
        self._count(outcomes, refused=sent.refused)
        moment = time.monotonic()
        if moment - self._told >= _TELL_SECONDS and self._job.follow is None:
            self._told = moment
            slot = self._node.head_record.slot
            self._tell(f"{self._counts[Verdict.IMPORTED]} blocks imported, head at slot {slot}")
        return outcomes

    def _count(self, outcomes: list[Outcome], *, refused: bool) -> None:
        for outcome in outcomes:
            self._counts[outcome.verdict] += 1
            if self._report is not None:
                self._report.add(outcome_record(outcome))
            wrong = outcome.verdict is Verdict.REFUSED and not refused
            self._wrongly_refused += wrong
            if wrong or outcome.verdict is Verdict.DROPPED:
                if len(self._failures) < _MAX_FAILURES:
                    self._failures.append(outcome_record(outcome))
                if wrong:
                    self._tell(
                        f"{outcome.source}: block 0x{outcome.hash.hex()} of slot {outcome.slot} "
                        f"refused: {outcome.reason}"
                    )

    def _follow(self, path: Path) -> None:
        feed = open_feed(path, self._control)
        self._tell(f"following {path}; head at slot {self._node.head_record.slot}")
        trouble = ""
        try:
            while not self._stop.requested:
                try:
                    self._serve(feed)
                    trouble = ""
                except (StoreFull, StoreInUse, TreeFull, BadInput) as error:
                    if str(error) != trouble:
                        trouble = str(error)
                        self._tell(f"{trouble}; trying again every {_RETRY_SECONDS:g} s")
                    self._pause(_RETRY_SECONDS)
        finally:
            feed.close()

    def _serve(self, feed: Feed) -> None:
        """Take what has come; a directory that had to be closed is opened again first."""
        if self._directory is None:
            self._open(None)
        now = slot_now(self._node.params)
        try:
            for held in self._left:
                self._count(self._node.receive(held.block, held.source, now=now), refused=False)
            self._left = []
            self._count(self._node.tick(now), refused=False)
            self._control.poll()
            feed.poll(lambda sent: self._take(sent, slot_now(self._node.params)))
        except StoreFull:
            self._make_way()
            raise

    def _make_way(self) -> None:
        """Close a directory whose database takes no write after one that failed."""
        # The next node gets what this one had to do.
        self._left = [*self._node.take_unsettled(), *self._left]
        with suppress(StoreError):
            self._close("the disk is full")

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stop.requested:
            try:
                self._attend(min(left, 0.1))
            except StoreFull:
                self._make_way()

    def _attend(self, seconds: float, *others: int) -> None:
        """Wait for questions or other descriptors, so long at most, and answer a question."""
        self._control.wait(seconds, *others)
        self._control.poll()


def import_into(
    options: dict[str, Any],
    sources: Sequence[Path],
    chain: str | None,
    stop: StopRequest,
    report: Report | None,
    *,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Run ``import --db`` with the options of the command line, and print what came of it."""
    chosen = {name: value for name, value in options.items() if value is not None}
    folder, follow = chosen.pop("db"), chosen.pop("follow", None)
    snapshot = chosen.pop("from_snapshot", None)
    keep_states = chosen.pop("keep_states", DEFAULT_KEEP_STATES)
    laps = Laps(time.perf_counter) if chosen.pop("profile") else None
    params = None if chain is None else params_of(chain)
    settings = DEFAULTS._replace(**chosen)
    job = Job(folder, sources, follow, snapshot, params, settings, keep_states, laps)
    tell = _say_nothing if quiet else _say
    session = DatabaseSession(job, stop, report, tell)
    session.run()
    record = session.record()
    if report is not None:
        report.finish(record)
    if as_json:
        click.echo(json.dumps(record))
    elif not quiet:
        click.echo("\n".join(session.lines()))
    return session.exit_code


def _say(line: str) -> None:
    click.echo(line, err=True)


def _say_nothing(line: str) -> None:
    pass


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """One outcome for JSON."""
    return {
        "source": outcome.source,
        "slot": outcome.slot,
        "hash": "0x" + outcome.hash.hex(),
        "root": None if outcome.root is None else "0x" + outcome.root.hex(),
        "ms": round(outcome.milliseconds, 3),
        "outcome": outcome.verdict.value,
        "error": outcome.code,
        "reason": outcome.reason,
    }


def _standing(directory: Directory, node: Node) -> dict[str, Any]:
    head, final = node.head_record, node.tree.root
    return {
        "db": str(directory.folder),
        "chain": node.params.name,
        "genesis": "0x" + directory.genesis.hex(),
        "head": {"hash": "0x" + head.hash.hex(), "slot": head.slot, "number": head.number},
        "finalised": {"hash": "0x" + final.hash.hex(), "slot": final.slot, "number": final.number},
        "state_root": "0x" + head.state_root.hex(),
        "store_bytes": directory.store.size_on_disk,
        "recovered": node.recovered,
    }


def _demand_same_chain(source: Source, directory: Directory) -> None:
    if source.genesis is None:
        return
    found = source.genesis_hash
    if found != directory.genesis:
        raise StoreError(
            f"{directory.folder}: holds the chain of genesis 0x{directory.genesis.hex()}, "
            f"but {source.path} begins with 0x{found.hex()}"
        )
    first = directory.store.record(found)
    if first is not None and first.state_root != source.genesis.state_root:
        raise StoreError(
            f"{directory.folder}: its first state has root 0x{first.state_root.hex()}, "
            f"but that of {source.path} has 0x{source.genesis.state_root.hex()}"
        )


def _missing(source: Source, left: list[Outcome]) -> BadInput:
    roots = {one.waited_for for one in left} - {one.hash for one in left}
    parent = min(root for root in roots if root is not None)
    child = next(one for one in left if one.waited_for == parent)
    more = f" ({len(left)} blocks waited)" if len(left) > 1 else ""
    return BadInput(
        f"the parent 0x{parent.hex()} of block 0x{child.hash.hex()} (slot {child.slot}) is missing"
        + more,
        source.path,
        advice="import the blocks before it first",
    )
