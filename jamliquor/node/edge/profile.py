"""What is known of a board: its core, clock and memory, and cycles an instruction by kind of code."""

from __future__ import annotations

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


class Range(NamedTuple):
    """An estimate: what is hoped for, and what budgets are judged by."""

    low: float
    high: float


class Profile(NamedTuple):
    """A board.

    Attributes:
        cpi: cycles an instruction by kind of code.
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

    def factors(self, here: dict[str, float]) -> dict[str, Range]:
        """How many times longer each kind of work takes on the board.

        Args:
            here: milliseconds of the yardsticks on this machine.
        """
        counts = _counted()["instructions"]
        found = {}
        for kind, milliseconds in here.items():
            cpi = self.cpi[CODE[kind]]
            scale = counts[kind] / (self.clock_mhz * 1e3) / milliseconds
            found[kind] = Range(cpi.low * scale, cpi.high * scale)
        return found

    def start(self) -> Range:
        """Milliseconds from nothing to the first imported block, by its instructions alone."""
        scale = _counted()["start"] / (self.clock_mhz * 1e3)
        cpi = self.cpi[CODE["python"]]
        return Range(cpi.low * scale, cpi.high * scale)


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
        return Profile(name=name, cpi=cpi, **fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path or name} is no board's profile: {error}") from None


def _data() -> Path:
    return Path(str(resources.files(__package__)))


def _counted() -> dict[str, Any]:
    return tomllib.loads((_data() / "instructions.toml").read_text(encoding="utf-8"))
