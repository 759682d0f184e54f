"""Mutation testing of ``jamliquor/stf``: changes a chapter in one place and runs that chapter's tests.

``python scripts/mutate.py [--count 300] [--seed 0] [CHAPTER ...]``

Tests are collected once; each mutant is a forked child in which the chapter's functions get the changed
code. Survivors are printed as they are found, and outcomes go to ``.cache/mutation/CHAPTER.json``.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import signal
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest import runner

ROOT = Path(__file__).resolve().parent.parent
STF = ROOT / "jamliquor" / "stf"
PATIENCE = 5
"""A mutant that takes so many times as long as no change, and as many seconds, counts as killed."""
FIRST_RUN_SECONDS = 300

TESTS = {
    "transition": [
        "tests/unit/chain/test_importer.py",
        "tests/unit/chain/test_altered_blocks.py",
        "tests/unit/chain/test_blind_spots.py",
    ],
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


def _apply(module: types.ModuleType, tree: ast.Module) -> None:
    """Give the functions of an imported module the code of a changed one, wherever they are used."""
    fresh = types.ModuleType(module.__name__)
    fresh.__file__ = module.__file__
    exec(compile(tree, str(module.__file__), "exec"), fresh.__dict__)
    for name, new in list(vars(fresh).items()):
        old = vars(module).get(name)
        if isinstance(new, type) and new.__module__ == module.__name__:
            for attribute, function in vars(new).items():
                _recode(vars(old).get(attribute), function)
        elif not name.startswith("__") and not _recode(old, new) and old != new:
            _replace(old, new)


def _recode(old: Any, new: Any) -> bool:
    """Whether both were functions, of whatever wrapping."""
    for wrapper in ("__wrapped__", "__func__", "fget"):
        if hasattr(new, wrapper):
            return _recode(getattr(old, wrapper), getattr(new, wrapper))
    if not (isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType)):
        return False
    old.__code__, old.__defaults__ = new.__code__, new.__defaults__
    old.__kwdefaults__ = new.__kwdefaults__
    return True


def _replace(old: Any, new: Any) -> None:
    """Put a changed constant wherever it was imported."""
    if old is None or isinstance(new, type | types.ModuleType):
        return
    for module in list(sys.modules.values()):
        for name, value in list(vars(module).items()):
            if value is old:
                setattr(module, name, new)


class _Loop:
    """Takes the place of pytest's loop over the tests it collected: one loop for each mutant."""

    def __init__(self, chapter: str, count: int, seed: int) -> None:
        self.chapter, self.count, self.seed = chapter, count, seed
        self.result: dict[str, Any] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try up to ``count`` mutants of the chapter on the collected tests."""
        module = sys.modules[f"jamliquor.stf.{self.chapter}"]
        text = (STF / f"{self.chapter}.py").read_text()
        every = mutants(ast.parse(text))
        chosen = sorted(random.Random(self.seed).sample(range(len(every)), min(self.count, len(every))))
        began = time.monotonic()
        if _killed(session, module, ast.parse(text), FIRST_RUN_SECONDS):
            raise SystemExit(f"{self.chapter}: its tests fail without a change")
        limit = round(PATIENCE * (1 + time.monotonic() - began))
        survivors = []
        for index in chosen:
            line, what, tree = every[index]
            if not _killed(session, module, tree, limit):
                source = text.splitlines()[line - 1].strip()
                survivors.append((line, what, source))
                print(f"  {self.chapter}.py:{line}: {what}: {source}", file=sys.stderr, flush=True)
        self.result = {
            "chapter": self.chapter,
            "possible": len(every),
            "tried": len(chosen),
            "killed": len(chosen) - len(survivors),
            "survived": len(survivors),
            "seconds": round(time.monotonic() - began),
        }
        print(json.dumps(self.result), file=sys.stderr, flush=True)
        self.result["survivors"] = survivors
        return True


def _killed(session: pytest.Session, module: types.ModuleType, tree: ast.Module, limit: int) -> bool:
    """Whether some test fails, in a child, with the changed chapter."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(limit)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        _apply(module, tree)
        items = session.items
        for at, item in enumerate(items):
            following = items[at + 1] if at + 1 < len(items) else None
            reports = runner.runtestprotocol(item, log=False, nextitem=following)
            if any(report.failed for report in reports):
                break
        else:
            code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Run the chapters named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("chapters", nargs="*")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    # Plugins cost time, and change how tests run.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    folder = ROOT / ".cache" / "mutation"
    folder.mkdir(parents=True, exist_ok=True)
    chapters = given.chapters or sorted(p.stem for p in STF.glob("*.py") if p.stem != "__init__")
    for chapter in chapters:
        loop = _Loop(chapter, given.count, given.seed)
        tests = TESTS.get(chapter, [f"tests/unit/stf/test_{chapter}.py"])
        pytest.main(["-q", "--assert=plain", "-s", "-p", "no:cacheprovider", *tests], plugins=[loop])
        (folder / f"{chapter}.json").write_text(json.dumps(loop.result, indent=1))


if __name__ == "__main__":
    main()
