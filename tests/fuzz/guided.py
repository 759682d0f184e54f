"""One target guided by coverage: ``python -m tests.fuzz.guided TARGET SECONDS FOLDER``.

libFuzzer, through atheris, keeps every input that reaches something new in ``FOLDER/TARGET``, and what
raises, hangs or eats memory as ``FOLDER/finding-TARGET-*``, where it also ends the run.
"""

from __future__ import annotations

import gc
import hashlib
import random
import sys
import types
from collections.abc import Callable
from pathlib import Path

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports(include=["jamliquor"], enable_loader_override=True):
    from tests.fuzz.all_targets import TARGETS

LONGEST_RUN = 20
MOST_MEMORY_MB = 600


def _instrument_generated() -> None:
    """Encoders and decoders are compiled from text, where the hook on imports does not see them."""
    for found in gc.get_objects():
        if isinstance(found, types.FunctionType) and found.__code__.co_filename.startswith("<codec"):
            atheris.instrument_func(found)


def _mutator(vary: Callable[[bytes, random.Random], bytes | None]) -> Callable[..., bytes]:
    """Changes with understanding mostly, libFuzzer's own otherwise."""

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        changed = vary(data, random.Random(seed)) if seed % 4 else None
        if changed is None or len(changed) > max_size:
            return bytes(atheris.Mutate(data, max_size))
        return changed

    return mutate


def main(name: str, seconds: str, folder: str) -> None:
    """Fuzz one target; ends the process."""
    target = TARGETS[name]
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = list(target.seeds())
    for seed in seeds:
        data = seed[: target.max_size]
        (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
    check = target.start()
    check(seeds[0][: target.max_size])
    _instrument_generated()
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={target.max_size}",
        f"-timeout={LONGEST_RUN}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        f"-artifact_prefix={folder}/finding-{name}-",
        "-print_final_stats=1",
        "-verbosity=1",
        str(corpus),
    ]
    mutator = {} if target.vary is None else {"custom_mutator": _mutator(target.vary)}
    atheris.Setup([sys.argv[0], *options], check, **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
