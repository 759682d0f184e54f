"""Ring proofs: against the library that makes them, and what verifying many at once costs."""

from __future__ import annotations

import json
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
that a new ring costs before its first proof is made. *Verified together*: proofs in one ring of 6.\
"""

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
