"""Work reports with only what a test is about."""

from __future__ import annotations

from collections.abc import Sequence

from jamliquor.types.work import (
    AvailabilitySpecification,
    RefinementContext,
    WorkDigest,
    WorkReport,
    WorkResult,
)

ZERO = bytes(32)


def digest(service: int, gas: int = 100, result: WorkResult = b"ok") -> WorkDigest:
    """The outcome of a work item."""
    return WorkDigest(service, ZERO, b"\5" * 32, gas, result, 0, 0, 0, 0, 0)


def report(
    package: bytes,
    *digests: WorkDigest,
    core: int = 0,
    prerequisites: Sequence[bytes] = (),
    lookup: Sequence[tuple[bytes, bytes]] = (),
) -> WorkReport:
    """A report on a package."""
    return WorkReport(
        AvailabilitySpecification(package, 0, ZERO, b"\6" * 32, 0),
        RefinementContext(ZERO, ZERO, ZERO, ZERO, 0, tuple(prerequisites)),
        core,
        b"\7" * 32,
        0,
        b"trace",
        tuple(lookup),
        digests,
    )
