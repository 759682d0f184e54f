"""Mutation testing of ``jamliquor/stf``: changes a chapter in one place and runs that chapter's tests.

``python scripts/mutate.py [--count 300] [--seed 0] [CHAPTER ...]``

Everything but the state transition and the tests is imported once; each mutant is a forked child that
imports the rest with the changed chapter. Survivors are printed as they are found, and all outcomes go
to ``.cache/mutation/CHAPTER.json``.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.util
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
STF = ROOT / "jamliquor" / "stf"
SECONDS = 30
"""A mutant that takes longer counts as killed."""

TESTS = {
    "transition": ["tests/unit/chain"],
}
"""Tests of a chapter, where they are not ``tests/unit/stf/test_CHAPTER.py``."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


def variants(node: ast.AST) -> Iterator[tuple[str, dict[str, Any]]]:
    """What else a node could be: a description, and the fields to change."""
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            other = COMPARISONS[type(operator)]
            yield f"{other.__name__}", {"ops": [*node.ops[:at], other(), *node.ops[at + 1 :]]}
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        other_op = OPERATORS[type(node.op)]
        yield other_op.__name__, {"op": other_op()}
    elif isinstance(node, ast.BoolOp):
        swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield type(swapped).__name__, {"op": swapped}
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value)
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        for value in (True, False):
            if not (isinstance(node, ast.While) and isinstance(node.test, ast.Constant)):
                yield f"if {value}", {"test": ast.Constant(value)}
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return None", {"value": ast.Constant(None)}
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "drop not", {"op": ast.Not(), "operand": ast.UnaryOp(ast.Not(), node.operand)}
    elif isinstance(node, ast.Starred):
        yield "no items", {"value": ast.Tuple([], ast.Load())}
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "no condition", {"ifs": []}
    elif isinstance(node, ast.Call) and len(node.args) > 1:
        yield "arguments swapped", {"args": [node.args[1], node.args[0], *node.args[2:]]}
    elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
        for at in range(len(node.elts)):
            yield "item dropped", {"elts": node.elts[:at] + node.elts[at + 1 :]}
    elif isinstance(node, ast.Slice):
        for end in ("lower", "upper"):
            if getattr(node, end) is not None:
                yield f"no {end} end", {end: None}


def _constants(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, bool):
        yield str(not value), {"value": not value}
    elif isinstance(value, int):
        yield str(value + 1), {"value": value + 1}
        yield str(value - 1), {"value": value - 1}
    elif isinstance(value, bytes | str) and value:
        other = value[:-1] + (b"?" if isinstance(value, bytes) else "?")  # type: ignore[operator]
        yield repr(other), {"value": other}


def mutants(tree: ast.Module) -> list[tuple[int, str, ast.Module]]:
    """Every mutant of a module: line, description, tree."""
    found: list[tuple[int, str, ast.Module]] = []
    for path in _places(tree, ()):
        node = _at(tree, path)
        for what, fields in variants(node):
            mutant = copy.deepcopy(tree)
            changed = _at(mutant, path)
            for name, value in fields.items():
                setattr(changed, name, value)
            found.append((_line(tree, path), what, ast.fix_missing_locations(mutant)))
        if isinstance(node, ast.Expr | ast.Raise | ast.AugAssign) and not _is_text(node):
            mutant = copy.deepcopy(tree)
            field, index = path[-1]
            getattr(_at(mutant, path[:-1]), field)[index] = ast.Pass()
            found.append((node.lineno, "statement dropped", ast.fix_missing_locations(mutant)))
    return found


Place = tuple[tuple[str, int | None], ...]


def _places(node: ast.AST, path: Place) -> Iterator[Place]:
    """Paths to all nodes that do something: no annotations, texts, imports, class bodies of fields."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        items = value if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            if not isinstance(item, ast.AST) or isinstance(item, ast.Import | ast.ImportFrom):
                continue
            if _is_text(item) or _is_listing(item):
                continue
            here = (*path, (field, index if isinstance(value, list) else None))
            yield here
            yield from _places(item, here)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_listing(node: ast.AST) -> bool:
    """Assignments that only name things: ``__all__``, ``__slots__``, type variables and aliases."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    if node.targets[0].id in ("__all__", "__slots__"):
        return True
    called = isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    return isinstance(node.value, ast.Subscript) or (called and node.value.func.id == "TypeVar")  # type: ignore[attr-defined]


def _at(tree: ast.AST, path: Place) -> Any:
    node: Any = tree
    for field, index in path:
        node = getattr(node, field)
        if index is not None:
            node = node[index]
    return node


def _line(tree: ast.AST, path: Place) -> int:
    line = 0
    for end in range(len(path) + 1):
        line = getattr(_at(tree, path[:end]), "lineno", line)
    return line


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a tree instead of its file."""

    def __init__(self, name: str, tree: ast.Module, path: Path) -> None:
        self.name, self.tree, self.path = name, tree, path

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.path))

    def exec_module(self, module: Any) -> None:
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


def _preload() -> None:
    """Import everything once, then forget what may depend on a chapter."""
    # Plugins cost a child more time than most tests.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-q", "--assert=plain", "-p", "no:cacheprovider", "--collect-only"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        pytest.main([*options, "tests/unit/stf", "tests/unit/chain"])
    _forget()


def _forget() -> None:
    for name in list(sys.modules):
        if name.startswith(("jamliquor.stf", "jamliquor.author", "jamliquor.chain.", "tests.")):
            del sys.modules[name]


def _killed(name: str, tree: ast.Module, path: Path, tests: list[str]) -> bool:
    """Whether some test fails with the changed chapter."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.alarm(SECONDS)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        sys.meta_path.insert(0, _Changed(name, tree, path))
        code = 1
        try:
            # Failures are counted, not shown: making a readable report takes longer than the tests.
            options = ["-x", "-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"]
            code = pytest.main([*options, *tests])
        finally:
            os._exit(int(code))
    return os.waitpid(child, 0)[1] != 0


def run(chapter: str, count: int, seed: int, others: list[str]) -> dict[str, Any]:
    """Try up to ``count`` mutants of a chapter; what its own tests let through meets the others."""
    path = STF / f"{chapter}.py"
    every = mutants(ast.parse(path.read_text()))
    chosen = sorted(random.Random(seed).sample(range(len(every)), min(count, len(every))))
    own = TESTS.get(chapter, [f"tests/unit/stf/test_{chapter}.py"])
    name = f"jamliquor.stf.{chapter}"
    if _killed(name, ast.parse(path.read_text()), path, own):
        raise SystemExit(f"{chapter}: its tests fail without a change")
    counts: Counter[str] = Counter()
    survivors = []
    began = time.monotonic()
    for index in chosen:
        line, what, tree = every[index]
        if _killed(name, tree, path, own):
            counts["killed"] += 1
        elif others and _killed(name, tree, path, others):
            counts["killed by others"] += 1
            survivors.append((line, what, "others"))
        else:
            counts["survived"] += 1
            survivors.append((line, what, "nobody"))
            text = path.read_text().splitlines()[line - 1].strip()
            print(f"  {chapter}.py:{line}: {what}: {text}", flush=True)
    took = time.monotonic() - began
    result = {"chapter": chapter, "possible": len(every), "tried": len(chosen), **counts}
    print(json.dumps(result | {"seconds": round(took)}), flush=True)
    return result | {"survivors": survivors}


def main() -> None:
    """Run the chapters named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("chapters", nargs="*")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--others", nargs="*", default=[], help="tests for what a chapter's let through"
    )
    given = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    folder = ROOT / ".cache" / "mutation"
    folder.mkdir(parents=True, exist_ok=True)
    chapters = given.chapters or sorted(p.stem for p in STF.glob("*.py") if p.stem != "__init__")
    _preload()
    for chapter in chapters:
        result = run(chapter, given.count, given.seed, given.others)
        (folder / f"{chapter}.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
