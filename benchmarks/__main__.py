"""``python -m benchmarks``: measure, write results, and the page of all results."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine, page
from benchmarks.harness import ROOT, Options
from benchmarks.names import NAMES
from jamliquor.node.bench.compare import compare, lines

_RESULTS = ROOT / "benchmarks" / "results"
_QUICK_RESULTS = ROOT / ".cache" / "benchmarks"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for."""
    if arguments[:1] == ["compare"]:
        parser = argparse.ArgumentParser(prog="python -m benchmarks compare")
        parser.add_argument("before", type=Path)
        parser.add_argument("after", type=Path)
        files = parser.parse_args(arguments[1:])
        print("\n".join(lines(compare(files.before, files.after))))
        return 0
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, or compare two results: compare BEFORE.json AFTER.json",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="few repetitions, small inputs")
    parser.add_argument("--out", type=Path, help="folder of the results")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.names) - set(NAMES)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    out = chosen.out or (_QUICK_RESULTS if chosen.quick else _RESULTS)
    out.mkdir(parents=True, exist_ok=True)
    for name in [name for name in NAMES if name in chosen.names or not chosen.names]:
        _measure(name, Options(chosen.quick), out)
    place = out.parent if out == _RESULTS else out
    (place / "README.md").write_text(page.render(out), encoding="utf-8")
    return 0


def _measure(name: str, options: Options, out: Path) -> None:
    benchmark = importlib.import_module(f"benchmarks.{name}")
    about = machine.record()
    figures = []
    print(f"{name}:", flush=True)
    for figure in benchmark.run(options):
        target = "" if figure.target is None else f"  (target {figure.target:g})"
        value = figure.quantiles["median"]
        print(f"  {figure.name:<44}{value:12.4g} {figure.unit}{target}", flush=True)
        figures.append(figure.record())
    page.write(out / f"{name}.json", benchmark.TITLE, benchmark.METHOD, options, about, figures)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
