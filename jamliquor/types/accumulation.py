"""What a service is given when it accumulates: operands and deferred transfers (section 12.2)."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from jamliquor.codec.schema import U32, U64, Case, Choice, FixedBytes, Hash, Natural
from jamliquor.types.work import WorkResult


class Operand(NamedTuple):
    """A work item's outcome and what its report says of the package (equation 12.13)."""

    package_hash: Hash
    segment_root: Hash
    authorizer_hash: Hash
    payload_hash: Hash
    gas: Natural
    result: WorkResult
    auth_trace: bytes


class DeferredTransfer(NamedTuple):
    """Balance on its way to another service, with a memo and gas to handle it (equation 12.14)."""

    source: U32
    destination: U32
    amount: U64
    memo: Annotated[bytes, FixedBytes("memo_size")]
    gas: U64


AccumulationInput = Annotated[
    Operand | DeferredTransfer,
    Choice(
        Case(0, schema=Operand, kind=Operand),
        Case(1, schema=DeferredTransfer, kind=DeferredTransfer),
    ),
]
"""Operand or transfer, as ``fetch`` shows it to the service."""
