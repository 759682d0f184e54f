"""The long run: every target, or those named, each in a process of its own, guided by coverage.

``python -m tests.fuzz --seconds 60 [TARGET ...]`` needs the extra ``fuzz``;
``python -m tests.fuzz --replay [TARGET ...]`` runs what earlier runs have kept, for coverage tools.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.all_targets import TARGETS

FOLDER = Path(".cache/fuzz")
SLACK = 900
"""Seconds for a target to get ready on a machine that is busy."""


def main() -> int:
    """Returns 1 if there was a finding."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--replay", action="store_true", help="run what was kept, once")
    given = parser.parse_args()
    names = given.targets or list(TARGETS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if given.replay:
        for name in names:
            print(f"{name}: {_replay(name)} inputs")
        return 0
    return max([_guided(name, given.seconds) for name in names])


def _replay(name: str) -> int:
    check = TARGETS[name].start()
    inputs = [path.read_bytes() for path in sorted((FOLDER / name).glob("*"))]
    for data in inputs or TARGETS[name].seeds():
        check(data)
    return len(inputs)


def _guided(name: str, seconds: int) -> int:
    """Run one target, print its figures and add them to ``figures.jsonl``."""
    log = FOLDER / f"{name}.log"
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds), str(FOLDER)]
    with log.open("w") as out:
        ended = subprocess.run(
            command, stdout=out, stderr=subprocess.STDOUT, timeout=seconds + SLACK, check=False
        )
    text = log.read_text(errors="replace")
    figures = {
        "target": name,
        "seconds": seconds,
        "runs": _last(r"^Done (\d+) runs", text) or _last(r"^#(\d+)", text),
        "edges": _last(r"cov: (\d+)", text),
        "corpus": _last(r"corp: (\d+)", text),
        "peak_mb": _last(r"peak_rss_mb: +(\d+)", text),
        "ended": ended.returncode,
    }
    with (FOLDER / "figures.jsonl").open("a") as out:
        out.write(json.dumps(figures) + "\n")
    print(json.dumps(figures), flush=True)
    if ended.returncode:
        print(f"{name}: a finding, see {log}", flush=True)
    return 1 if ended.returncode else 0


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    sys.exit(main())
