"""Import of a chain: in this process, and through the socket of the conformance protocol."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from jamliquor.chain.importer import Importer
from jamliquor.codec import codec
from jamliquor.conformance import messages
from jamliquor.conformance.client import Client, TargetFailure
from jamliquor.crypto.bench import ring_proof
from jamliquor.data.chains import DEVNET_TINY
from jamliquor.errors import InvalidBlock
from jamliquor.node.bench.figures import Figure, normalised, over_rounds, rounded_figure, timed
from jamliquor.node.cores import spare_core
from jamliquor.node.sources import Source, open_source
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state.state import State
from jamliquor.types.header import Header

YARDSTICK = "yardstick: verify one ring proof"
"""Name of the figure that others are normalised by; its fastest run counts, since noise only adds."""

_KEPT_STATES = 64
_YARDSTICKS = 5
_STARTED = b"listening"


class Chain(NamedTuple):
    """A chain in memory: nothing is read while it is timed."""

    name: str
    params: ChainParams
    header: Header
    entries: tuple[tuple[bytes, bytes], ...]
    blocks: tuple[bytes, ...]


def load(path: Path | None) -> Chain:
    """A chain archive or a trace folder with its genesis; None: the chain that comes with the package.

    Raises:
        BadInput: it cannot be used.
        ValueError: it has no genesis.
    """
    bundled = Path(str(resources.files("jamliquor.data"))) / DEVNET_TINY.file
    source: Source = open_source(path or bundled, None)
    if source.genesis is None:
        raise ValueError(f"{path} has no genesis to import a chain from")
    genesis = source.genesis
    entries = tuple(genesis.entries)
    header = codec(Header, genesis.params).decode(genesis.header)
    blocks = tuple(sent.octets for sent in source.blocks)
    name = (path or bundled).stem
    return Chain(name, genesis.params, header, entries, blocks)


def run(chain: Chain, rounds: int, *, socket: bool) -> Iterator[Figure]:
    """Time of a block that is accepted, and the yardstick of the same run.

    Raises:
        TargetFailure: the target did not start, or left.
    """
    verify = ring_proof()
    yardsticks: list[list[float]] = []
    samples: list[list[float]] = []
    with _importing(chain, socket=socket) as once:
        for _ in range(rounds):
            yardsticks.append([span * 1000 for span in timed(verify, _YARDSTICKS)])
            gc.collect()
            samples.append(once())
    found = over_rounds(samples)
    how = ", through the socket" if socket else ""
    extra = {"blocks": len(samples[0]), "refused": len(chain.blocks) - len(samples[0])}
    ring = min(min(one) for one in yardsticks)
    yield Figure(f"{chain.name}{how}", "ms", found, extra={**extra, **normalised(found, ring)})
    fastest = {"fastest": rounded_figure(ring)}
    yield Figure(YARDSTICK, "ms", over_rounds(yardsticks), extra=fastest)


@contextmanager
def _importing(chain: Chain, *, socket: bool) -> Iterator[Callable[[], list[float]]]:
    if not socket:
        yield lambda: _in_process(chain)
        return
    with target(chain.params) as client:
        yield lambda: _through(chain, client)


def _in_process(chain: Chain) -> list[float]:
    """Milliseconds of each accepted block, by a new importer with a new engine."""
    importer = Importer(chain.params, NativeEngine(), kept_states=_KEPT_STATES, parallel=spare_core())
    importer.start_genesis(chain.header, State.from_entries(chain.params, chain.entries))
    spent = []
    for octets in chain.blocks:
        begun = time.perf_counter()
        try:
            importer.import_block(octets)
        except InvalidBlock:
            continue
        spent.append((time.perf_counter() - begun) * 1000)
    return spent


def _through(chain: Chain, client: Client) -> list[float]:
    """The same by a target in another process, from the first octet sent to the last received."""
    client.initialize(chain.header, _Entries(chain.entries))
    spent = []
    for octets in chain.blocks:
        begun = time.perf_counter()
        answer = client.import_block(octets)
        if isinstance(answer, bytes):
            spent.append((time.perf_counter() - begun) * 1000)
    return spent


class _Entries(NamedTuple):
    """A state that a client sends."""

    pairs: tuple[tuple[bytes, bytes], ...]

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values."""
        return iter(self.pairs)


@contextmanager
def target(params: ChainParams) -> Iterator[Client]:
    """A connection to ``jamliquor fuzz`` in a process of its own, which ends with it.

    Raises:
        TargetFailure: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="jam") as folder:
        path = Path(folder) / "s"
        command = _command("fuzz", "--socket", path, "--chain", params.name, "--data", folder)
        command += ["--log-level", "error"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None, "it is a pipe"
                if not process.stdout.readline().startswith(_STARTED):
                    raise TargetFailure("the target did not start")
                version = messages.Version(0, 1, 0)
                with Client(params, path, version, features=messages.FEATURE_FORKS) as client:
                    yield client
            finally:
                process.terminate()


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "jamliquor", *map(str, arguments)]
