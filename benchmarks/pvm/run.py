"""Assembles the example guests and runs the comparison: ``python benchmarks/pvm/run.py``.

Needs a Rust toolchain; builds a workspace of its own, so its dependencies stay out of the node's.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from jamliquor.pvm.assembler import assemble

HERE = Path(__file__).resolve().parent
GUESTS = HERE.parent.parent / "examples" / "guests"
INPUTS = {
    "sieve": (1_000_000, 0),
    "hash": (2_000, 0),
    "sort": (100_000, 0),
    "copy": (20, 1 << 20),
}


def main() -> int:
    """Build, run, and pass on the exit status."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments = []
        for name, (first, second) in INPUTS.items():
            blob = Path(scratch) / name
            blob.write_bytes(assemble((GUESTS / f"{name}.asm").read_text()))
            arguments.append(f"{name}={blob},{first},{second}")
        manifest = str(HERE / "Cargo.toml")
        command = ["cargo", "run", "--release", "--quiet", "--manifest-path", manifest, "--"]
        return subprocess.run([*command, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
