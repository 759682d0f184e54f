"""The error family: what condemns a block, what condemns the input, what condemns the host.

* :class:`InvalidBlock` and :class:`DecodeError` speak about data somebody sent.
* :class:`Unjudged` speaks about a block that must wait.
* :class:`HostError` speaks about this machine (memory, disk, a broken core) and never condemns data;
  :class:`StoreError` is the part of it that concerns the directory of blocks and states.
"""

from __future__ import annotations


class JamliquorError(Exception):
    """Base of every error this package raises on purpose."""


class HostError(JamliquorError):
    """The machine or the installation failed; the data at hand is not judged by it."""


class StoreError(HostError):
    """A store of blocks and states cannot be opened, read or written; the sentence names the thing."""


class StoreInUse(StoreError):
    """Another process uses the directory."""


class StoreFull(StoreError):
    """There is no room on the disk. Nothing was lost; when there is room, the work can go on.

    What failed may have to be opened again first: a database takes no write after one that failed.
    """


class StoreClosed(StoreError):
    """A write failed before, and the database takes no more; the error of that write tells why."""


class StoreDamaged(StoreError):
    """Something on disk is missing or is not what was written there; nothing wrong was read.

    The next start repairs what it can (see ``docs/operations.md``).
    """


class DecodeError(JamliquorError, ValueError):
    """Bytes are not the image of an encoding (appendix C).

    Attributes:
        reason: what is wrong, in words.
        path: the field at which decoding stopped, such as ``extrinsic.tickets[2].attempt``.
        offset: position of the offending byte from the start of the input.
    """

    def __init__(self, reason: str, *, path: str = "", offset: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        where = f"{self.path} at byte {self.offset}" if self.path else f"byte {self.offset}"
        return f"{self.reason} ({where})"


class ProofError(JamliquorError):
    """A proof does not show what it claims about a state."""


class ReplayMismatch(JamliquorError):
    """An event of the log, or a state root in it, is not what follows from the events before it."""


class Unjudged(JamliquorError):
    """A block that cannot be judged now; nothing is said against it.

    Attributes:
        code: stable machine-readable name of the reason.
    """

    code = "unjudged"


class FutureBlock(Unjudged):
    """The block's slot has not begun: to be held and tried again, not refused (section 5)."""

    code = "future_slot"

    def __init__(self, slot: int, now: int) -> None:
        super().__init__(f"slot {slot} has not begun: the clock stands at slot {now}")
        self.slot = slot
        self.now = now


class UnknownParent(Unjudged):
    """No state is kept for the block's parent: it never arrived, was refused, or was pruned."""

    code = "unknown_parent"

    def __init__(self, parent: bytes) -> None:
        super().__init__(f"no state is known for the parent 0x{parent.hex()}")
        self.parent = parent


class WitnessIncomplete(Unjudged):
    """A witness lacks something of the state that the block needs."""

    code = "witness_incomplete"


class TreeFull(Unjudged):
    """So many blocks wait for finality that no further one is taken: finalise one first."""

    code = "too_many_unfinalised"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} blocks wait for finality, which is the limit: finalise one first")
        self.limit = limit


class InvalidBlock(JamliquorError):
    """A block breaks a rule of the protocol.

    Attributes:
        code: stable machine-readable name of the rule (the test vectors' error name where one
            exists), such as ``bad_slot``.
        chapter: the chapter whose rule it is, such as ``safrole``.
        fields: the values that show the violation, in the order they were given.
    """

    chapter = "block"

    def __init__(self, code: str, detail: str = "", **fields: object) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.fields = fields

    def __str__(self) -> str:
        text = f"{self.chapter}: {self.code}"
        if self.detail:
            text += f": {self.detail}"
        if self.fields:
            shown = ", ".join(f"{name}={_shown(value)}" for name, value in self.fields.items())
            text += f" ({shown})"
        return text


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


class HeaderError(InvalidBlock):
    """A rule of sections 5 and 6.4 to 6.6: parent, time, author, seal, entropy, markers."""

    chapter = "header"


class SafroleError(InvalidBlock):
    """A rule of section 6: slots, tickets."""

    chapter = "safrole"


class DisputesError(InvalidBlock):
    """A rule of section 10: verdicts, culprits, faults."""

    chapter = "disputes"


class AssurancesError(InvalidBlock):
    """A rule of section 11.2: availability assurances."""

    chapter = "assurances"


class ReportsError(InvalidBlock):
    """A rule of sections 11.3 to 11.5: guarantees and the reports in them."""

    chapter = "reports"


class AccumulationError(InvalidBlock):
    """A rule of section 12 and appendix B that makes the whole block invalid."""

    chapter = "accumulation"


class PreimagesError(InvalidBlock):
    """A rule of section 12.4: preimages in the extrinsic."""

    chapter = "preimages"


class StatisticsError(InvalidBlock):
    """Section 13: the block's activity is more than the statistics can hold."""

    chapter = "statistics"
