"""Starting the command: quick, light, and helpful."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from jamliquor.cli.version import version
from tests.support.command import run
from tests.support.traces import step_file

HEAVY = (
    "asyncio",
    "email",
    "http",
    "importlib.metadata",
    "json",
    "multiprocessing",
    "numpy",
    "psutil",
    "random",
    "rich",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "unittest",
    "urllib.request",
    "xml",
)


def loaded(*arguments: object) -> set[str]:
    """Names of the modules that a run of the command imports."""
    ran = run(*arguments, before=(sys.executable, "-X", "importtime", "-m", "jamliquor"))
    return set(re.findall(r"^import time:.*\| +(\S+)$", ran.err, re.MULTILINE))


def heavy(modules: set[str]) -> list[str]:
    return sorted(name for name in modules if any(name == m or name.startswith(m + ".") for m in HEAVY))


def test_version_loads_nothing_of_others() -> None:
    modules = loaded("--version")
    assert not [name for name in modules if name.split(".")[0] in ("click", "cffi", "_cffi_backend")]
    assert {name for name in modules if name.startswith("jamliquor.")} == {
        "jamliquor.cli",
        "jamliquor.cli.version",
    }


def test_version_is_that_of_the_core() -> None:
    manifest = Path(__file__).parents[2] / "native" / "ffi" / "Cargo.toml"
    workspace = manifest.parents[1] / "Cargo.toml"
    text = manifest.read_text() + workspace.read_text()
    assert f'version = "{version()}"' in text
    assert run("--version").out == f"jamliquor {version()}\n"
    assert run("-V", "--help").out.startswith("jamliquor ")


def test_import_loads_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "00000001.bin"
    path.write_bytes(step_file())
    assert heavy(loaded("import", path)) == []


def test_help_loads_no_command() -> None:
    modules = loaded("--help")
    assert heavy(modules) == []
    own = {name for name in modules if name.startswith("jamliquor.")}
    assert own == {"jamliquor.cli", "jamliquor.cli.main", "jamliquor.cli.version"}


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("import",),
        ("doctor",),
        ("bench",),
        ("bench", "vrf"),
        ("keys",),
        ("chain-spec",),
        ("chain-spec", "new"),
    ],
)
def test_help_has_examples_and_fits_80_columns(command: tuple[str, ...]) -> None:
    ran = run(*command, "--help")
    assert ran.code == 0 and "Example" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_wrong_usage() -> None:
    assert "there are: author, bench, " in (ran := run("imprt")).err and ran.code == 2
    assert run("import").code == 2
    assert run("import", "--frob", ".").code == 2
