"""Enforces the direction of imports: pure code never imports I/O code, one door to the core.

Run from the project's root; prints each violation and exits with 1 if there is any.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

PURE = {
    "codec",
    "types",
    "crypto",
    "state",
    "stf",
    "pvm",
    "chain",
    "author",
    "params",
    "errors",
}
"""Folders and modules that take time, seeds and bytes as arguments."""

IMPURE = {"store", "node", "conformance", "cli", "__main__"}

OUTSIDE = {
    "asyncio",
    "datetime",
    "multiprocessing",
    "random",
    "secrets",
    "select",
    "selectors",
    "socket",
    "subprocess",
    "tempfile",
    "time",
    "urllib",
}
"""Standard modules that touch sockets, clocks, processes or randomness."""

CORE = "jamliquor._core"
DOORS = {"_native.py", "store/_db.py"}


def imported(path: Path) -> list[tuple[int, str]]:
    """Line and dotted name of every import in a file, also those inside functions."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def violations(root: Path) -> list[str]:
    """A line for each import that goes the wrong way."""
    found: list[str] = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if relative.parts[0] == "_core":
            continue
        home = relative.parts[0].removesuffix(".py")
        for line, name in imported(path):
            where = f"{path}:{line}: {name}"
            parts = name.split(".")
            if name.startswith(CORE) and relative.as_posix() not in DOORS:
                found.append(f"{where}: only {', '.join(sorted(DOORS))} may import the compiled core")
            if home in PURE and parts[0] == "jamliquor" and len(parts) > 1 and parts[1] in IMPURE:
                found.append(f"{where}: pure code imports I/O code")
            if home in PURE and parts[0] in OUTSIDE:
                found.append(f"{where}: pure code takes such things as arguments")
    return found


if __name__ == "__main__":
    problems = violations(Path("jamliquor"))
    print("\n".join(problems) or "imports go the right way")
    sys.exit(bool(problems))
