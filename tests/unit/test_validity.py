"""The table of conditions in ``docs/validity.md`` is complete, and its tests exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "validity.md"
CHAPTERS = sorted((ROOT / "jamliquor" / "stf").glob("*.py"))
CODE = re.compile(r"[a-z]+(_[a-z]+)+")
DEFECTS = ROOT / "docs" / "testing.md"
REFERENCE = re.compile(r"`(tests/\S+?\.py)::([^`]+)`")
ROW = re.compile(r"^\|.*\| (?:`([A-Za-z_]+)`.*) \| `(tests/\S+?\.py)::([^`]+)` \|$")


def _codes(source: str) -> Iterator[str]:
    """Codes of errors raised: given to an error, or handed to what raises one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            found: list[ast.expr] = node.args
        elif isinstance(node, ast.Tuple):
            found = node.elts[:1]
        else:
            continue
        for item in found:
            text = item.value if isinstance(item, ast.Constant) else None
            if isinstance(text, str) and CODE.fullmatch(text):
                yield text


def _rows() -> list[tuple[str, Path, str]]:
    """Code, file and name of the test in each row of the table."""
    rows = []
    for line in TABLE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith(("| condition", "| ---")):
            match = ROW.match(line)
            assert match, f"a row without code or test: {line}"
            rows.append((match[1], ROOT / match[2], match[3]))
    return rows


@cache
def _tests(path: Path) -> frozenset[str]:
    """Names of the tests in a file, those of classes as ``Class::name``."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)
            }
    return frozenset(names)


def test_every_code_is_in_the_table() -> None:
    raised = {code for path in CHAPTERS for code in _codes(path.read_text())}
    listed = {code for code, _, _ in _rows()}
    assert raised - listed == set()
    assert listed - raised <= {"DecodeError", "future_slot", "unknown_parent"}
    assert len(raised) > 50


@pytest.mark.parametrize(("code", "path", "name"), _rows())
def test_the_named_test_exists_and_speaks_of_the_code(code: str, path: Path, name: str) -> None:
    function, _, case = name.partition("[")
    assert function in _tests(path), f"{path.name} has no {function}"
    source = path.read_text()
    assert case.rstrip("]") in source
    spoken = {"future_slot": "FutureBlock", "unknown_parent": "UnknownParent"}
    assert spoken.get(code, code) in source


@pytest.mark.parametrize(("path", "name"), REFERENCE.findall(DEFECTS.read_text()))
def test_the_tests_of_known_defects_exist(path: str, name: str) -> None:
    function, _, case = name.partition("[")
    assert function in _tests(ROOT / path)
    assert case.rstrip("]") in (ROOT / path).read_text()
