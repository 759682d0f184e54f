"""``jamliquor doctor``: is this installation sound, and what machine is this?"""

from __future__ import annotations

import platform
import sys
import time
from typing import Any

import click

from jamliquor.cli.exits import ExitCode
from jamliquor.cli.machine import memory, processor
from jamliquor.cli.options import debug_option, json_option
from jamliquor.cli.version import version


@click.command("doctor", short_help="Check the installation and this machine.")
@json_option
@debug_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check the installation: the compiled core, and every primitive with a known answer.

    Exits with 0 when everything works, with 6 when something does not.

    \b
    Examples:
      jamliquor doctor
      jamliquor doctor --json
    """
    record = _examine()
    if as_json:
        import json  # noqa: PLC0415

        click.echo(json.dumps(record))
    else:
        click.echo("\n".join(_lines(record)))
    ctx.exit(ExitCode.DONE if record["sound"] else ExitCode.HOST)


def _examine() -> dict[str, Any]:
    name, cores, features = processor()
    available, total = memory()
    core, checks = _core_and_checks()
    return {
        "jamliquor": version(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": name,
        "cores": cores,
        "features": features,
        "memory_available_bytes": available,
        "memory_total_bytes": total,
        "core": core,
        "checks": checks,
        "sound": all(check["error"] is None for check in checks),
    }


def _core_and_checks() -> tuple[str, list[dict[str, Any]]]:
    """Version of the compiled core, and what came of each self-test."""
    begun = time.perf_counter()
    try:
        from jamliquor._native import lib  # noqa: PLC0415 - a broken core is a finding
        from jamliquor.crypto.self_test import PRIMITIVES  # noqa: PLC0415

        core = f"ABI {lib.jam_abi_version()}"
    except Exception as error:
        return "unusable", [_check("core", begun, error)]
    checks = [_check("core", begun, None)]
    for name, test in PRIMITIVES:
        begun = time.perf_counter()
        try:
            test()
        except Exception as error:
            checks.append(_check(name, begun, error))
        else:
            checks.append(_check(name, begun, None))
    return core, checks


def _check(name: str, begun: float, error: Exception | None) -> dict[str, Any]:
    told = None if error is None else f"{type(error).__name__}: {error}"
    return {"name": name, "ms": round((time.perf_counter() - begun) * 1000, 2), "error": told}


def _lines(record: dict[str, Any]) -> list[str]:
    rows = [
        ("jamliquor", f"{record['jamliquor']}, core {record['core']}"),
        ("python", f"{record['python']} ({sys.executable})"),
        ("system", record["system"]),
        ("processor", f"{record['processor']}, {record['cores']} cores"),
        ("features", " ".join(record["features"]) or "none that matter"),
        ("memory", _memory(record["memory_available_bytes"], record["memory_total_bytes"])),
    ]
    lines = [f"{name:<11}{text}" for name, text in rows]
    lines.append("")
    for check in record["checks"]:
        told = "works" if check["error"] is None else f"FAILED: {check['error']}"
        lines.append(f"{check['name']:<18}{check['ms']:9.2f} ms  {told}")
    lines.append("")
    lines.append("sound" if record["sound"] else "NOT sound: reinstall jamliquor (or `make setup`)")
    return lines


def _memory(available: int | None, total: int | None) -> str:
    if available is None or total is None:
        return "the system does not say"
    return f"{available / 1e6:.0f} MB available of {total / 1e6:.0f} MB"
