"""The error for files that are not what a command was promised."""

from __future__ import annotations

from pathlib import Path

from jamliquor.errors import JamliquorError


class BadInput(JamliquorError):
    """A file or folder cannot be used; says what is wrong, where, and what to do.

    Attributes:
        reason: what is wrong, in words.
        path: the file or folder.
        offset: position in the file, or None when no position is to blame.
        field: the part of the file, such as ``prior.entries[3].value``.
        advice: what the person at the keyboard can do.
    """

    def __init__(
        self, reason: str, path: Path, *, offset: int | None = None, field: str = "", advice: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path
        self.offset = offset
        self.field = field
        self.advice = advice

    def __str__(self) -> str:
        where = [str(self.path)]
        if self.offset is not None:
            where.append(f"byte {self.offset}")
        if self.field:
            where.append(self.field)
        text = f"{', '.join(where)}: {self.reason}"
        return f"{text}; {self.advice}" if self.advice else text
