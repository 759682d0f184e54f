"""Work reports: what a guarantor computes from a work package (section 14.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from jamliquor.author.availability import specification
from jamliquor.codec import Hash, codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.errors import JamliquorError
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import Engine
from jamliquor.pvm.invocations import is_authorized, refine
from jamliquor.state.accounts import AccountsView
from jamliquor.types.work import (
    WorkDigest,
    WorkError,
    WorkItem,
    WorkPackage,
    WorkReport,
)

__all__ = ["Computed", "ImportedSegment", "Unreportable", "authorizer", "bundle", "compute"]

_IMPORT_PROOF_HASHES: Final = 12
"""Hashes that justify one of 3072 segments (equation 14.6)."""


class Unreportable(JamliquorError):
    """No report may be made of a work package.

    Attributes:
        code: stable machine-readable name of the reason.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class ImportedSegment(NamedTuple):
    """A segment that a work item imports.

    Attributes:
        data: W_G octets.
        path: hashes that justify it by its tree's root, root first.
    """

    data: bytes
    path: tuple[bytes, ...]


class Computed(NamedTuple):
    """What a package comes to.

    Attributes:
        bundle: the auditable bundle: to be cut in chunks, as the segments are.
        segments: what the package exports, W_G octets each.
    """

    report: WorkReport
    bundle: bytes
    segments: tuple[bytes, ...]


class _Refined(NamedTuple):
    digest: WorkDigest
    segments: list[bytes]


class _Path(NamedTuple):
    hashes: tuple[Hash, ...]


def authorizer(code_hash: bytes, configuration: bytes) -> bytes:
    """The authorizer of a package, 32 octets: what the core's pool must hold (section 14.3)."""
    return blake2b(code_hash + configuration)


def compute(
    params: ChainParams,
    engine: Engine,
    package: WorkPackage,
    core: int,
    *,
    accounts: AccountsView,
    extrinsics: Sequence[Sequence[bytes]] | None = None,
    imports: Sequence[Sequence[ImportedSegment]] | None = None,
    segment_roots: Mapping[bytes, bytes] | None = None,
) -> Computed:
    """Function Xi: authorize and refine a package, and commit to its data (section 14.4).

    Args:
        accounts: those of a recent state, no earlier than the lookup anchor's.
        extrinsics: the blobs that each work item refers to; None where none does.
        imports: the segments that each work item imports; None where none does.
        segment_roots: segment root by the hash of the package that is imported from.

    Raises:
        Unreportable: ``unauthorized``, ``too_much`` (a limit of section 14.3) or ``wrong_data``
            (blobs or segments are not those that the items name).
    """
    empty = [()] * len(package.items)
    blobs = empty if extrinsics is None else extrinsics
    segments = empty if imports is None else imports
    _check_limits(params, package)
    _check_data(package, blobs, segments)
    trace, auth_gas = is_authorized(params, engine, package, core, accounts)
    if isinstance(trace, WorkError):
        raise Unreportable("unauthorized", f"the authorizer ended with {trace.name}")
    if len(trace) > params.max_report_variable_size:
        raise Unreportable("unauthorized", f"the authorizer gave {len(trace)} octets")
    digests: list[WorkDigest] = []
    exported: list[bytes] = []
    size = len(trace)
    for index in range(len(package.items)):
        result, exports, gas = refine(
            params,
            engine,
            package,
            index,
            core=core,
            auth_trace=trace,
            imports=[[each.data for each in row] for row in segments],
            extrinsics=blobs,
            export_offset=len(exported),
            accounts=accounts,
        )
        done = _refined(params, package.items[index], result, exports, gas, size)
        digests.append(done.digest)
        exported += done.segments
        if isinstance(done.digest.result, bytes):
            size += len(done.digest.result)
    bundled = bundle(params, package, blobs, segments)
    package_hash = blake2b(codec(WorkPackage, params).encode(package))
    report = WorkReport(
        specification=specification(params, package_hash, bundled, exported),
        context=package.context,
        core=core,
        authorizer_hash=authorizer(package.auth_code_hash, package.auth_configuration),
        auth_gas_used=auth_gas,
        auth_trace=trace,
        segment_root_lookup=tuple(sorted((segment_roots or {}).items())),
        digests=tuple(digests),
    )
    return Computed(report, bundled, tuple(exported))


def bundle(
    params: ChainParams,
    package: WorkPackage,
    extrinsics: Sequence[Sequence[bytes]],
    imports: Sequence[Sequence[ImportedSegment]],
) -> bytes:
    """The auditable bundle: package, extrinsic data, imported segments, their proofs.

    Only the proofs have lengths in front; the package tells the others.
    """
    path = codec(_Path, params)
    parts = [codec(WorkPackage, params).encode(package)]
    parts += [blob for row in extrinsics for blob in row]
    parts += [each.data for row in imports for each in row]
    parts += [path.encode(_Path(each.path)) for row in imports for each in row]
    return b"".join(parts)


def _refined(
    params: ChainParams,
    item: WorkItem,
    result: bytes | WorkError,
    exports: list[bytes],
    gas: int,
    size: int,
) -> _Refined:
    """Functions I and C: a work item's digest and segments.

    Args:
        size: octets of output in the report so far.
    """
    length = len(result) if isinstance(result, bytes) else 0
    if length + size > params.max_report_variable_size:
        result = WorkError.OVERSIZE
    elif len(exports) != item.export_count:
        result = WorkError.BAD_EXPORTS
    if isinstance(result, WorkError):
        exports = [bytes(params.segment_size)] * item.export_count
    digest = WorkDigest(
        service=item.service,
        code_hash=item.code_hash,
        payload_hash=blake2b(item.payload),
        accumulate_gas=item.accumulate_gas,
        result=result,
        gas_used=gas,
        import_count=len(item.imports),
        extrinsic_count=len(item.extrinsics),
        extrinsic_size=sum(reference.length for reference in item.extrinsics),
        export_count=item.export_count,
    )
    return _Refined(digest, exports)


def _check_limits(params: ChainParams, package: WorkPackage) -> None:
    """Equations 14.4, 14.5 and 14.8."""
    items = package.items
    footprint = params.segment_size + 32 * _IMPORT_PROOF_HASHES
    octets = len(package.auth_token) + len(package.auth_configuration)
    for item in items:
        octets += len(item.payload) + len(item.imports) * footprint
        octets += sum(reference.length for reference in item.extrinsics)
    sums = (
        ("work items", len(items), params.max_work_items),
        ("exports", sum(item.export_count for item in items), params.max_exports),
        ("imports", sum(len(item.imports) for item in items), params.max_imports),
        ("extrinsics", sum(len(item.extrinsics) for item in items), params.max_extrinsics),
        ("octets", octets, params.max_bundle_size),
        (
            "gas to accumulate",
            sum(item.accumulate_gas for item in items),
            params.report_accumulation_gas - 1,
        ),
        ("gas to refine", sum(item.refine_gas for item in items), params.refine_gas - 1),
    )
    for name, found, limit in sums:
        if found > limit:
            raise Unreportable("too_much", f"{found} {name} where {limit} are allowed")
    if not items:
        raise Unreportable("too_much", "a package has one work item at least")


def _check_data(
    package: WorkPackage,
    extrinsics: Sequence[Sequence[bytes]],
    imports: Sequence[Sequence[ImportedSegment]],
) -> None:
    if not len(package.items) == len(extrinsics) == len(imports):
        raise Unreportable("wrong_data", "blobs and segments come in a row for each work item")
    for item, blobs, segments in zip(package.items, extrinsics, imports, strict=True):
        if [(blake2b(blob), len(blob)) for blob in blobs] != list(item.extrinsics):
            raise Unreportable("wrong_data", f"not the blobs that service {item.service} asked for")
        if len(segments) != len(item.imports):
            raise Unreportable("wrong_data", f"not the segments that service {item.service} imports")
