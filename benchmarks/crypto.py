"""The cryptographic primitives, by the measure that ``jamliquor bench vrf`` uses."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.harness import Figure, Options, over_rounds
from jamliquor.crypto.bench import measure

TITLE = "Cryptography"
METHOD = """\
Medians of `jamliquor bench vrf`, taken in several rounds; *p99* and *max* are the worst of those
medians. A new ring key is all that a new validator set costs before its first proof is verified.\
"""

_TARGETS = {"ring_new_key_ms": 15.0, "ring_new_key_full_ms": 60.0, "vrf_sign_ms": 100.0}


def run(options: Options) -> Iterator[Figure]:
    """Measure each primitive."""
    runs = [measure(time.perf_counter, 3 if options.quick else 11) for _ in range(options.rounds)]
    for name in runs[0]:
        label = name.removesuffix("_ms").replace("_", " ")
        found = over_rounds([[one[name] for one in runs]])
        yield Figure(label, "ms", found, _TARGETS.get(name))
