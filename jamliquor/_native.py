"""The only importer of the compiled core (``store/_db.py`` excepted): codes become exceptions here.

Every export of the core returns an ``int``: zero or a documented positive verdict, or a negative
code with a sentence behind ``jam_last_error``. :func:`check` turns the negative ones into
exceptions, so callers only ever see verdicts.
"""

from __future__ import annotations

from jamliquor._core import ffi, lib
from jamliquor.errors import HostError, StoreDamaged

__all__ = ["check", "ffi", "last_error", "lib", "take_buffer"]

_ABI_VERSION = 1

_ERR_ARGUMENT = -1
_ERR_DAMAGED = -5

if lib.jam_abi_version() != _ABI_VERSION:
    raise HostError(
        "the compiled core does not belong to this version of jamliquor; run `make setup` "
        "(or reinstall the wheel)"
    )


def last_error() -> str:
    """The core's sentence about the calling thread's last failed call."""
    capacity = 512
    out = ffi.new("uint8_t[]", capacity)
    length = min(int(lib.jam_last_error(out, capacity)), capacity)
    return bytes(ffi.buffer(out, length)).decode("utf-8", "replace")


def check(code: int) -> int:
    """Pass on a verdict of the core, or raise what its failure code means.

    Raises:
        ValueError: an argument was malformed; the caller's bug or, where documented, bad data.
        StoreDamaged: a part of a state that lies on disk is not what it was, or was pruned.
        HostError: memory, files or a quota failed, or the core itself is broken.
    """
    if code >= 0:
        return code
    if code == _ERR_ARGUMENT:
        raise ValueError(last_error())
    if code == _ERR_DAMAGED:
        raise StoreDamaged(last_error())
    raise HostError(f"native core: {last_error()} (code {code})")


def take_buffer(pointer: object) -> bytes:
    """Copy a byte buffer that the core allocated into Python, and free it there."""
    try:
        return bytes(ffi.buffer(lib.jam_buffer_data(pointer), lib.jam_buffer_len(pointer)))
    finally:
        lib.jam_buffer_free(pointer)
