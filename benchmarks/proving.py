"""Ring proofs: against the library that makes them, what verifying many at once costs, and levers."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Iterable, Iterator

from benchmarks.harness import ROOT, Figure, Options
from jamliquor.crypto import bandersnatch, ring

TITLE = "Ring proofs"
METHOD = """\
*Proof* is one made with the prover at hand, *library* the same by ark-vrf's own prover, in turn within
one process (`native/vrf/examples/proving.rs`); *ratio* is ours over the library's. *New prover* is all
that a new ring costs before its first proof is made. *Verified together*: proofs in one ring of 6.
*Lever* figures come from `benchmarks/proving`, a workspace of its own, and are the least of several
rounds. A proof on one core, two at a time on two threads, by the library, and by the library with
its own two threads, each with the peak memory of its process. What a new prover consists of: reference
string *loaded*, rules *set up*, the ring's *key* made. The *sum* of a column's products by the library,
for a column of bits, and with tables of every point's multiples.\
"""

_LEVERS = ROOT / "benchmarks" / "proving"
_PARTS = {
    "load": ("loaded", "ms"),
    "setup": ("set up", "ms"),
    "key": ("key", "ms"),
    "sum": ("sum", "ms"),
    "bits_sum": ("sum of bits", "ms"),
    "table_sum": ("sum with tables", "ms"),
    "table_made": ("tables made", "ms"),
    "table_mb": ("tables", "MB"),
}
_MOST_BATCH = 16
_RATIO = 1.1


def run(options: Options) -> Iterator[Figure]:
    """Measure proving in the core, verifying from Python."""
    command = ["cargo", "run", "--release", "--quiet", "-p", "jamliquor-vrf", "--example", "proving"]
    runs = []
    for _ in range(1 if options.quick else 3):
        done = subprocess.run(command, cwd=ROOT / "native", check=True, capture_output=True, text=True)
        runs.append([json.loads(line) for line in done.stdout.splitlines()])
    for rows in zip(*runs, strict=True):
        size = rows[0]["ring"]
        yield Figure(f"ring of {size}: proof", "ms", _median(row["ours"] for row in rows))
        yield Figure(f"ring of {size}: library", "ms", _median(row["library"] for row in rows))
        ratios = _median(row["ours"] / row["library"] for row in rows)
        yield Figure(f"ring of {size}: ratio", "times", ratios, _RATIO)
        yield Figure(f"ring of {size}: new prover", "ms", _median(row["new_prover"] for row in rows))
    yield from _verified(options)
    yield from _levers(options)


def _levers(options: Options) -> Iterator[Figure]:
    rounds = 1 if options.quick else 3
    for size in (6,) if options.quick else (6, 1023):
        modes = (
            ("one core", "proof", None),
            ("side by side", "pair", None),
            ("library", "library", None),
            ("library on two threads", "library", 2),
        )
        for name, mode, threads in modes:
            rows = [_lever(size, mode, threads) for _ in range(rounds)]
            yield Figure(f"lever, ring of {size}: {name}", "ms", _least(rows, "proof"))
            yield Figure(f"lever, ring of {size}: {name}, memory", "MB", _least(rows, "peak_mb"))
        rows = [_lever(size, "parts", None) for _ in range(rounds)]
        for key, (name, unit) in _PARTS.items():
            yield Figure(f"lever, ring of {size}: {name}", unit, _least(rows, key))


def _lever(size: int, mode: str, threads: int | None) -> dict[str, float]:
    """One run; ``threads`` are the library's own, which are another build."""
    manifest = str(_LEVERS / "Cargo.toml")
    folder = str(_LEVERS / "target" / ("threads" if threads else "plain"))
    command = ["cargo", "run", "--release", "--quiet", "--manifest-path", manifest]
    command += ["--target-dir", folder, *(["--features", "threads"] if threads else [])]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads or 1)}
    done = subprocess.run(
        [*command, "--", str(size), mode],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    made: dict[str, float] = json.loads(done.stdout)
    return made


def _least(rows: Iterable[dict[str, float]], key: str) -> dict[str, float]:
    return {"median": min(row[key] for row in rows)}


def _verified(options: Options) -> Iterator[Figure]:
    secrets = [bandersnatch.SecretKey.from_seed(bytes([index])) for index in range(6)]
    members = [secret.public for secret in secrets]
    root = ring.commitment(members)
    contexts = [b"ticket %d" % number for number in range(_MOST_BATCH)]
    proofs = [(context, b"", secrets[0].prove(members, 0, context, b"")) for context in contexts]
    for count in (1, 3, _MOST_BATCH):
        spans = []
        for _ in range(options.rounds + 1):
            begun = time.perf_counter()
            ring.verify_batch(root, 6, proofs[:count])
            spans.append((time.perf_counter() - begun) * 1e3)
        yield Figure(f"verified together: {count}", "ms", _median(spans[1:]))


def _median(values: Iterable[float]) -> dict[str, float]:
    return {"median": statistics.median(values)}
