"""Imports the steps of traces and compares what comes out with what was recorded."""

from __future__ import annotations

import enum
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jamliquor.chain.importer import Importer
from jamliquor.codec import codec
from jamliquor.conformance.bad_input import BadInput
from jamliquor.conformance.difference import Difference, differences
from jamliquor.conformance.traces import (
    CHAIN_ADVICE,
    Step,
    StoredState,
    Trace,
    read_genesis,
    read_step,
)
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import DecodeError, InvalidBlock, UnknownParent
from jamliquor.node.cores import spare_core
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.pvm.invocations import HostCall
from jamliquor.state.state import State
from jamliquor.stf.laps import Laps
from jamliquor.types.header import Header

if TYPE_CHECKING:
    from jamliquor.author.genesis import Genesis

# A trace holds a line of blocks and forks of one block's length.
_KEPT_STATES = 4

MAX_ENTRIES_SHOWN = 24


class Outcome(enum.StrEnum):
    """How an import compares with its record."""

    AGREED = "agreed"
    REFUSED = "refused as recorded"
    WRONGLY_REFUSED = "wrongly refused"
    WRONGLY_ACCEPTED = "wrongly accepted"
    MISMATCH = "mismatch"

    @property
    def good(self) -> bool:
        """Whether import and record agree."""
        return self in (Outcome.AGREED, Outcome.REFUSED)


class Result(NamedTuple):
    """One step, imported.

    Attributes:
        milliseconds: from the block's octets to the verdict, with the state root.
        root: the state root that was computed, or None for a refused block.
        refusal: the error that refused the block, or None.
        differences: what differs from the recorded state, for a mismatch; some of it, if it is much.
        complete: whether ``differences`` holds all entries that differ.
    """

    trace: Trace
    path: Path
    slot: int
    hash: bytes
    expected_root: bytes
    root: bytes | None
    milliseconds: float
    tickets: int
    outcome: Outcome
    refusal: InvalidBlock | UnknownParent | None = None
    differences: tuple[Difference, ...] = ()
    complete: bool = True


Observe = Callable[[int, HostCall], None]
"""Is told of each host call, with the slot of its block, while that block is imported."""


class _Watch:
    """Tells the slot that is being imported along with each host call."""

    def __init__(self, observe: Observe) -> None:
        self.slot = 0
        self._observe = observe

    def __call__(self, call: HostCall) -> None:
        self._observe(self.slot, call)


def is_chain(
    params: ChainParams, trace: Trace, *, each: bool = False, genesis: Genesis | None = None
) -> bool:
    """Whether the steps of a trace are imported one upon the other.

    Args:
        each: they are not, whatever is known.
        genesis: of the chain specification; it serves a trace without its own whose first block is
            built on it.

    Raises:
        BadInput: the first step cannot be used.
    """
    if each or trace.genesis is not None or genesis is None:
        return not each and trace.genesis is not None
    return read_step(trace.steps[0], params).block.header.parent == genesis.hash


def run_trace(
    params: ChainParams,
    engine: Engine,
    trace: Trace,
    *,
    each: bool = False,
    observe: Observe | None = None,
    genesis: Genesis | None = None,
    laps: Laps | None = None,
) -> Iterator[Result]:
    """Import a trace as a chain where :func:`is_chain` says so, else every step by itself.

    A chain ends at the first result that is not good, since nothing can be built on it.

    Args:
        observe: told of the host calls of all services, if given.
        genesis: as in :func:`is_chain`.
        laps: measures the parts of each import, if given.

    Raises:
        BadInput: a file cannot be used, or does not belong where it stands.
        HostError: this machine failed.
    """
    watch = None if observe is None else _Watch(observe)
    if not is_chain(params, trace, each=each, genesis=genesis):
        for path in trace.steps:
            yield _alone(params, engine, trace, read_step(path, params), watch, laps)
        return
    importer = Importer(
        params,
        engine,
        kept_states=_KEPT_STATES,
        observe=watch,
        parallel=spare_core(),
        laps=laps,
    )
    if trace.genesis is not None:
        stored = read_genesis(trace.genesis, params)
        state = load_state(params, stored.state)
        _judging(trace.genesis, lambda: importer.start_genesis(stored.header, state))
    elif genesis is not None:
        importer.start(genesis.hash, genesis.state)
    yield from _chain(params, importer, trace, watch)


def _chain(
    params: ChainParams, importer: Importer, trace: Trace, watch: _Watch | None
) -> Iterator[Result]:
    for path in trace.steps:
        step = read_step(path, params)
        prior = importer.state_of(step.block.header.parent)
        if prior is not None and prior.root != step.prior.root:
            raise BadInput(
                f"the chain has 0x{prior.root.hex()} there, the step 0x{step.prior.root.hex()}",
                path,
                offset=0,
                field="prior.state_root",
                advice="import the steps by themselves with --each",
            )
        if prior is None and not step.refused:
            parent = f"0x{step.block.header.parent.hex()}"
            advice = "import the steps by themselves with --each"
            raise BadInput(f"no earlier block is its parent {parent}", path, advice=advice)
        result = _import(params, importer, trace, step, watch)
        yield result
        if not result.outcome.good:
            return


def _alone(
    params: ChainParams,
    engine: Engine,
    trace: Trace,
    step: Step,
    watch: _Watch | None,
    laps: Laps | None,
) -> Result:
    importer = Importer(
        params,
        engine,
        kept_states=1,
        check_ancestry=False,
        observe=watch,
        parallel=spare_core(),
        laps=laps,
    )
    state = load_state(params, step.prior)
    _judging(step.path, lambda: importer.start(step.block.header.parent, state))
    return _import(params, importer, trace, step, watch)


def load_state(params: ChainParams, stored: StoredState) -> State:
    """The recorded state, if it has the root that was recorded.

    Raises:
        BadInput: it has not, or the file changed since it was opened.
    """
    try:
        state = State.from_entries(params, stored.entries())
    except ValueError as error:
        raise BadInput(str(error), stored.path, field=f"{stored.field}.entries") from None
    if state.root != stored.root:
        raise BadInput(
            f"0x{stored.root.hex()} is recorded, but the entries give 0x{state.root.hex()}",
            stored.path,
            field=f"{stored.field}.state_root",
            advice="the file is damaged: fetch it again",
        )
    return state


def _judging(path: Path, action: Callable[[], object]) -> None:
    """Run what decodes recorded state; a failure is the file's, not a block's."""
    try:
        action()
    except DecodeError as error:
        raise BadInput(str(error), path, advice=f"fetch it again, or {CHAIN_ADVICE}") from None


def _import(
    params: ChainParams, importer: Importer, trace: Trace, step: Step, watch: _Watch | None
) -> Result:
    if watch is not None:
        watch.slot = step.block.header.slot
    refusal: InvalidBlock | UnknownParent | None = None
    imported = None
    begun = time.perf_counter()
    try:
        imported = importer.import_block(step.encoded_block)
    except (InvalidBlock, UnknownParent) as error:
        # Its frames hold states; with it in one of them they would stay until the collector comes.
        refusal = error.with_traceback(None)
    except DecodeError as error:
        raise BadInput(str(error), step.path, advice=f"fetch it again, or {CHAIN_ADVICE}") from None
    milliseconds = (time.perf_counter() - begun) * 1000
    root = None if imported is None else imported.root
    result = Result(
        trace=trace,
        path=step.path,
        slot=step.block.header.slot,
        hash=blake2b(codec(Header, params).encode(step.block.header)),
        expected_root=step.posterior.root,
        root=root,
        milliseconds=milliseconds,
        tickets=len(step.block.extrinsic.tickets),
        outcome=judge_outcome(step, root),
        refusal=refusal,
    )
    if imported is None or result.outcome is not Outcome.MISMATCH:
        return result
    expected = load_state(params, step.posterior)
    found = differences(params, expected, imported.state)
    shown = tuple(itertools.islice(found, MAX_ENTRIES_SHOWN))
    return result._replace(differences=shown, complete=next(found, None) is None)


def judge_outcome(step: Step, root: bytes | None) -> Outcome:
    """How a root, or None for a refusal, compares with the record."""
    if root is None:
        return Outcome.REFUSED if step.refused else Outcome.WRONGLY_REFUSED
    if step.refused:
        return Outcome.WRONGLY_ACCEPTED
    return Outcome.AGREED if root == step.posterior.root else Outcome.MISMATCH
