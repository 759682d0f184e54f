"""Walks through a file forwards without holding more of it than one value."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from jamliquor.codec import runtime
from jamliquor.conformance.bad_input import BadInput

TRUNCATED_ADVICE = "the file is cut short or no trace: fetch it again"

_KNOWN_HEADS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%PDF", "a PDF document"),
)


class Cursor:
    """A position in a file, with the readers of appendix C that walking it takes.

    Every length is compared with what is left of the file before anything is read, so a hostile
    length costs nothing. Use it as a context manager.

    Raises:
        BadInput: the file cannot be read, is empty, or is plainly of another kind.
    """

    __slots__ = ("_file", "offset", "path", "size")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        try:
            if path.exists() and not path.is_file():
                raise BadInput("not a file", path, advice="name a trace folder or a step file")
            self._file = path.open("rb")
            self.size = os.fstat(self._file.fileno()).st_size
        except FileNotFoundError:
            raise BadInput("does not exist", path, advice="check the name") from None
        except OSError as error:
            raise unreadable(path, error) from None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def left(self) -> int:
        """Octets between the position and the end."""
        return self.size - self.offset

    def refuse_other_kinds(self) -> None:
        """Raises BadInput for an empty file and for common formats that are no traces."""
        head = self.peek(64)
        if not head:
            raise BadInput("the file is empty", self.path, offset=0, advice="fetch it again")
        kind = next((name for mark, name in _KNOWN_HEADS if head.startswith(mark)), None)
        if kind is None and all(9 <= octet < 127 for octet in head):
            kind = "a text"
        if kind:
            raise BadInput(
                f"this is {kind}, not a step of a trace",
                self.path,
                offset=0,
                advice="name the binary file (.bin)",
            )

    def peek(self, count: int) -> bytes:
        """Up to ``count`` octets at the position, which stays."""
        data = self._read(count)
        self._file.seek(self.offset)
        return data

    def take(self, count: int, field: str) -> bytes:
        """The next ``count`` octets."""
        self._need(count, field)
        data = self._read(count)
        if len(data) != count:
            raise self.error("the file shrank while it was read", field)
        self.offset += count
        return data

    def skip(self, count: int, field: str) -> None:
        """Go on by ``count`` octets."""
        self._need(count, field)
        self.move(self.offset + count)

    def move(self, offset: int) -> None:
        """Go to ``offset``, which lies within the file."""
        self.offset = offset
        self._file.seek(offset)

    def natural(self, field: str) -> int:
        """The next general natural (appendix C.1.1)."""
        head = self.peek(9)
        try:
            value, length = runtime.decode_natural(head, 0)
        except (IndexError, runtime.Refusal) as error:
            reason = str(error) if isinstance(error, runtime.Refusal) else "the file ends here"
            raise self.error(reason, field, TRUNCATED_ADVICE) from None
        self.move(self.offset + length)
        return value

    def error(self, reason: str, field: str, advice: str = "") -> BadInput:
        """An error about ``field`` at the position."""
        return BadInput(reason, self.path, offset=self.offset, field=field, advice=advice)

    def _need(self, count: int, field: str) -> None:
        if count > self.left:
            raise self.error(f"{count} octets announced, {self.left} left", field, TRUNCATED_ADVICE)

    def _read(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise unreadable(self.path, error) from None


def unreadable(path: Path, error: OSError) -> BadInput:
    """What an error of the file system means for the person at the keyboard."""
    reason = f"cannot be read: {error.strerror or error}"
    return BadInput(reason, path, advice="check that you may read it (ls -l)")
