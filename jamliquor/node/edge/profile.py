"""What is known of a board: its core, clock and memory, and cycles an instruction by kind of code."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

NAMES = ("pi-zero-2w", "pi-3", "pi-4", "pi-5")
"""The boards that come with jamliquor."""

CODE = {
    "ring": "multiplication",
    "vrf": "multiplication",
    "ed25519": "multiplication",
    "trie": "arithmetic",
    "guest": "interpreter",
    "python": "interpreter",
}
"""Which kind of code does each kind of work."""

OPERATIONS = {"sign": "vrf", "prove": "ring", "compile": "python", "host_call": "python"}
"""Which kind of work a call with a budget of its own is like; the slowest kind where none fits."""


class Range(NamedTuple):
    """An estimate: what is hoped for, and what budgets are judged by."""

    low: float
    high: float

    def times(self, count: float) -> Range:
        """So many of them."""
        return Range(self.low * count, self.high * count)


class Profile(NamedTuple):
    """A board.

    Attributes:
        cpi: cycles an instruction by kind of code.
        sync_ms: how much longer each sync of its storage is to take.
        note: where the figures come from.
    """

    name: str
    title: str
    core: str
    clock_mhz: float
    cores: int
    memory_mb: int
    cpi: dict[str, Range]
    note: str
    sync_ms: int = 0
    sync_note: str = ""

    def factors(self, here: dict[str, float]) -> dict[str, Range]:
        """How many times longer each kind of work takes on the board.

        Args:
            here: milliseconds of the yardsticks on this machine.
        """
        each = self.by_instruction()
        counts = _counted()["instructions"]
        return {
            kind: each[kind].times(counts[kind] / milliseconds) for kind, milliseconds in here.items()
        }

    def by_instruction(self) -> dict[str, Range]:
        """Milliseconds on the board of one instruction of each kind of work."""
        return {kind: self.cpi[code].times(1e-3 / self.clock_mhz) for kind, code in CODE.items()}

    def operations(self) -> dict[str, Range]:
        """Milliseconds on the board of the calls that have a budget, by their instructions."""
        each, counts = self.by_instruction(), _counted()["operations"]
        return {name: each[kind].times(counts[name]) for name, kind in OPERATIONS.items()}

    def start(self) -> Range:
        """Milliseconds from nothing to the first imported block, by its instructions alone."""
        return self.by_instruction()["python"].times(_counted()["start"])


def load(name: str, path: Path | None = None) -> Profile:
    """A profile by its name, or for ``custom`` from a file of the same form.

    Raises:
        ValueError: the file is no profile.
        OSError: it cannot be read.
    """
    text = (path or _data() / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    try:
        found: dict[str, Any] = tomllib.loads(text)
        cpi = {kind: Range(**found["cpi"][kind]) for kind in sorted(set(CODE.values()))}
        fields = {
            key: found[key] for key in ("title", "core", "clock_mhz", "cores", "memory_mb", "note")
        }
        card = {key: found[key] for key in ("sync_ms", "sync_note") if key in found}
        return Profile(name=name, cpi=cpi, **fields, **card)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path or name} is no board's profile: {error}") from None


def read_counts(path: Path) -> dict[str, Any]:
    """Instructions of blocks and calls, as ``edge/calibrate.sh blocks`` writes them.

    Raises:
        ValueError: the file holds none.
        OSError: it cannot be read.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["operations"].keys() == OPERATIONS.keys() and found["made"] and found["chains"]:
            return found
        raise KeyError("operations")
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} holds no counts of instructions: {error}") from None


def _data() -> Path:
    return Path(str(resources.files(__package__)))


def _counted() -> dict[str, Any]:
    return tomllib.loads((_data() / "instructions.toml").read_text(encoding="utf-8"))
