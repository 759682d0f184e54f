"""Exit codes, and what each error of the package means as one."""

from __future__ import annotations

import enum

from jamliquor.conformance.bad_input import BadInput
from jamliquor.errors import (
    DecodeError,
    HostError,
    InvalidBlock,
    ProofError,
    ReplayMismatch,
    StoreClosed,
    WitnessIncomplete,
)


class ExitCode(enum.IntEnum):
    """What the command's caller learns from its exit code."""

    DONE = 0
    USAGE = 2
    BAD_INPUT = 3
    REFUSED = 4
    MISMATCH = 5
    HOST = 6
    INTERRUPTED = 130


HELP = """\b
Exit codes:
  0    everything agreed
  2    wrong usage
  3    bad input: a file is missing, damaged or of another kind
  4    a block was refused that should have been accepted
  5    a result differs from the recorded one
  6    this machine or installation failed
  130  stopped by Ctrl-C or SIGTERM
"""


def origin(error: BaseException) -> BaseException:
    """The error that tells why, where one only says that a write failed before."""
    while isinstance(error, StoreClosed) and isinstance(error.__context__, HostError):
        error = error.__context__
    return error


def exit_code(error: BaseException) -> ExitCode:
    """The exit code for an error that ends a command; what nobody foresaw is the host's."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, BadInput | DecodeError | ProofError | WitnessIncomplete):
        return ExitCode.BAD_INPUT
    if isinstance(error, ReplayMismatch):
        return ExitCode.MISMATCH
    if isinstance(error, InvalidBlock):
        return ExitCode.REFUSED
    return ExitCode.HOST


def sentence(error: BaseException) -> str:
    """One line about an error that ends a command."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    if isinstance(error, MemoryError):
        return "out of memory; close other programs or use a machine with more"
    if isinstance(error, OSError):
        return str(error)
    if type(error).__module__.startswith("jamliquor."):
        return str(error)
    return f"{type(error).__name__}: {error}; this is a bug: run again with --debug and report it"
