"""Runs a node with a database for many blocks of the block maker; tells memory, disk and speed.

    python scripts/soak_node.py --blocks 10000
    python scripts/soak_node.py --blocks 5000 --tickets 0 --burst 1000
    python scripts/soak_node.py --seconds 172800 --folder /mnt/card

The node follows a socket, prunes and finalises as a board would; the blocks (tickets, work of four
services, forks, skipped slots) are made by this process. A burst follows on the others; its blocks are
all made before they are sent, as fast as the node takes them. Exits with 1 when the node's head is not
the maker's, when memory grows by 1 MB or more in 10 000 blocks over the last half (of the burst, if
there is one), or when the directory outgrows its budget.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jamliquor.node.devnet import Devnet, Kind, Options
from jamliquor.store.archive import ArchiveWriter

ROWS = 20
MOST_GROWTH = 1e6
CONNECT_SECONDS = 30.0


class Sample(NamedTuple):
    """The node after a number of blocks: octets of memory and of disk."""

    blocks: int
    resident: int
    disk: int


def chain(devnet: Devnet, blocks: int, seconds: float) -> Iterator[bytes]:
    """Blocks until there are so many, or so much time has passed."""
    end = time.monotonic() + seconds
    made = 0
    while made < blocks and time.monotonic() < end:
        for happened in devnet.advance():
            if happened.kind in (Kind.BLOCK, Kind.FORK) and happened.octets is not None:
                made += 1
                yield happened.octets


def resident(pid: int) -> int:
    """Resident octets of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("the node is gone")


def on_disk(folder: Path) -> int:
    """Octets of disk that a folder's files take."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


class Soak:
    """Sends blocks to a node that runs, and watches it."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], sample_seconds: float) -> None:
        self._folder = folder
        self._pid = process.pid
        self._pause = sample_seconds
        self._sampled = 0.0
        self.times = array("f")
        self.samples: list[Sample] = []

    def run(self, sock: socket.socket, blocks: Iterator[bytes]) -> None:
        """Send each block when the one before it was decided."""
        answers = sock.makefile("rb")
        for block in blocks:
            begun = time.perf_counter()
            sock.sendall(len(block).to_bytes(4, "little") + block)
            answer = answers.readline()
            self.times.append((time.perf_counter() - begun) * 1000)
            if not answer.startswith(b"imported"):
                raise SystemExit(f"block {len(self.times)}: {answer.decode().strip() or 'no answer'}")
            if time.monotonic() - self._sampled >= self._pause:
                self._sample()
        self._sample()

    def _sample(self) -> None:
        self._sampled = time.monotonic()
        sample = Sample(len(self.times), resident(self._pid), on_disk(self._folder))
        self.samples.append(sample)
        told = (
            f"{sample.blocks} blocks, {sample.resident / 1e6:.1f} MB, disk {sample.disk / 1e6:.1f} MB"
        )
        print(told, file=sys.stderr)


def figures(soak: Soak, budget: int, burst: int) -> dict[str, object]:
    """Medians in milliseconds, sizes in octets; growth over the last half of the blocks, or burst."""
    last = (burst or len(soak.times)) / 2
    half = [one for one in soak.samples if one.blocks >= len(soak.times) - last]
    growth = 0.0
    if len({one.blocks for one in half}) > 1:
        points = [(one.blocks, one.resident) for one in half]
        growth = statistics.linear_regression(*zip(*points, strict=True)).slope * 10_000
    tenth = max(1, len(soak.times) // 10)
    return {
        "blocks": len(soak.times),
        "first_tenth_ms": round(statistics.median(soak.times[:tenth]), 3),
        "last_tenth_ms": round(statistics.median(soak.times[-tenth:]), 3),
        "p99_ms": round(sorted(soak.times)[int(0.99 * (len(soak.times) - 1))], 3),
        "growth_per_10000_blocks_bytes": round(growth),
        "rss_peak_bytes": max(one.resident for one in soak.samples),
        "disk_peak_bytes": max(one.disk for one in soak.samples),
        "disk_budget_bytes": budget,
        "samples": [one._asdict() for one in soak.samples[:: max(1, len(soak.samples) // ROWS)]],
    }


def connected(path: Path) -> socket.socket:
    """A connection to the node, as soon as it listens."""
    end = time.monotonic() + CONNECT_SECONDS
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(path))
        except OSError:
            sock.close()
            if time.monotonic() > end:
                raise SystemExit("the node does not listen") from None
            time.sleep(0.05)
        else:
            return sock


def soak(given: argparse.Namespace, home: Path) -> dict[str, object]:
    """Make the genesis, run the node, send it everything, end it; what was measured."""
    rates = {"fork_rate": 0.05, "skip_rate": 0.05, "fallback_rate": 0.2}
    devnet = Devnet(Options(seed=given.seed, tickets=given.tickets, **rates))
    begun = devnet.genesis
    with ArchiveWriter(home / "genesis.jam", devnet.params, begun.header, begun.state.root) as archive:
        archive.entries(begun.state.items())
    blocks = chain(devnet, given.blocks or sys.maxsize, given.seconds or float("inf"))
    node, feed = home / "node", home / "feed"
    limits = ["--storage-budget", given.budget, "--keep-blocks", str(given.keep_blocks)]
    command = [sys.executable, "-m", "jamliquor", "import", str(home / "genesis.jam")]
    command += ["--db", str(node), "--follow", str(feed), *limits, "--finality", "depth:8", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        with connected(feed) as sock:
            running = Soak(node, process, given.sample_seconds)
            running.run(sock, blocks)
            if given.burst:
                running.run(sock, iter(list(chain(devnet, given.burst, float("inf")))))
        found = figures(running, int(given.budget.rstrip("M")) * 10**6, given.burst)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate()
    finally:
        process.kill()
        process.wait()
    end = json.loads(told)
    found["same_head"] = end["head"]["hash"] == "0x" + devnet.node.head_record.hash.hex()
    found["exit_code"] = process.returncode
    return found


def main() -> int:
    """Print the figures as JSON; 1 when they are not as they have to be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--blocks", type=int, help="blocks to send as they are made")
    length.add_argument("--seconds", type=float, help="how long to go on")
    parser.add_argument("--burst", type=int, default=0, help="blocks to send at once after that")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tickets", type=int, help="in an epoch; proving them takes most of the time")
    parser.add_argument("--budget", default="1000M", help="of the directory, in megabytes")
    parser.add_argument("--keep-blocks", type=int, default=256, help="slots whose blocks are kept")
    parser.add_argument("--sample-seconds", type=float, default=2.0)
    parser.add_argument("--folder", type=Path, help="a file system to use instead of the temporary one")
    given = parser.parse_args()
    if not (given.blocks or given.seconds):
        given.blocks = 10_000
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        found = soak(given, Path(folder))
    print(json.dumps(found, indent=2))
    grown = found["growth_per_10000_blocks_bytes"]
    assert isinstance(grown, int), "a whole number of octets"
    within = int(str(found["disk_peak_bytes"])) <= int(str(found["disk_budget_bytes"]))
    return int(grown >= MOST_GROWTH or not within or not found["same_head"])


if __name__ == "__main__":
    sys.exit(main())
