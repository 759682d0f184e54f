"""Work reports computed from packages: results, limits, exports, bundles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jamliquor.author import work
from jamliquor.author.availability import segments_root, specification
from jamliquor.author.genesis import GenesisService, genesis
from jamliquor.author.work import ImportedSegment, Unreportable, compute
from jamliquor.codec import codec
from jamliquor.crypto.hashing import blake2b
from jamliquor.data.services import service_code
from jamliquor.params import TINY
from jamliquor.pvm.engine import NativeEngine
from jamliquor.pvm.source import build
from jamliquor.state.accounts import Accounts
from jamliquor.types.work import (
    ExtrinsicReference,
    ImportReference,
    RefinementContext,
    WorkError,
    WorkItem,
    WorkPackage,
)
from tests.support.maker import validator_keys

ENGINE = NativeEngine()
NOWHERE = RefinementContext(bytes(32), bytes(32), bytes(32), bytes(32), 0, ())
ECHO, EXPORTER, REFUSER = 10, 11, 12

EXPORT = build(
    """
    .metadata ""
    .standard 0 0
    .read_only "segment"
        load_imm r7, READ_ONLY
        load_imm r8, 7
        ecalli export
        load_imm r8, 0
        jump_ind r0, 0
    """
).encode()
PANIC = build('.metadata ""\n.standard 0 0\n    trap\n').encode()
CODES = {0: service_code("authorizer"), ECHO: service_code("echo"), EXPORTER: EXPORT, REFUSER: PANIC}


@pytest.fixture(scope="module")
def accounts() -> Accounts:
    held = [GenesisService(service, code, 10**9) for service, code in CODES.items()]
    state = genesis(TINY, validator_keys(), held).state
    return Accounts(TINY, state.get)


def item(service: int = ECHO, payload: bytes = b"payload", **changes: object) -> WorkItem:
    made = WorkItem(service, blake2b(CODES[service]), 100_000, 1000, 0, payload, (), ())
    return made._replace(**changes)  # type: ignore[arg-type]


def package(*items: WorkItem, host: int = 0, configuration: bytes = b"") -> WorkPackage:
    return WorkPackage(host, blake2b(CODES[host]), NOWHERE, b"", configuration, items)


def test_a_report_says_what_was_refined(accounts: Accounts) -> None:
    given = package(item(payload=b"one"), item(payload=b"two"), configuration=b"c")
    report, bundle, segments = compute(TINY, ENGINE, given, 1, accounts=accounts)
    encoded = codec(WorkPackage, TINY).encode(given)
    assert bundle == encoded
    assert segments == ()
    assert report.specification == specification(TINY, blake2b(encoded), bundle, ())
    assert report.auth_trace == b"\x01\x00"
    assert report.core == 1
    assert report.authorizer_hash == work.authorizer(blake2b(CODES[0]), b"c")
    assert [digest.result for digest in report.digests] == [b"one", b"two"]
    assert [digest.payload_hash for digest in report.digests] == [blake2b(b"one"), blake2b(b"two")]
    assert all(digest.gas_used > 0 for digest in report.digests)


def test_exports_are_counted_and_committed_to(accounts: Accounts) -> None:
    given = package(item(EXPORTER, export_count=1), item(), item(EXPORTER, export_count=1))
    report, _, segments = compute(TINY, ENGINE, given, 0, accounts=accounts)
    assert segments == (b"segment".ljust(4104, b"\0"),) * 2
    assert report.specification.segment_count == 2
    assert report.specification.segment_root == segments_root(segments)


def test_wrong_exports_become_an_error_and_zeros(accounts: Accounts) -> None:
    given = package(item(EXPORTER, export_count=2), item())
    report, _, segments = compute(TINY, ENGINE, given, 0, accounts=accounts)
    assert [digest.result for digest in report.digests] == [WorkError.BAD_EXPORTS, b"payload"]
    assert segments == (bytes(4104),) * 2


def test_failures_are_results(accounts: Accounts) -> None:
    unknown = item()._replace(code_hash=bytes(32))
    report = compute(
        TINY, ENGINE, package(item(REFUSER), unknown, item(refine_gas=10)), 0, accounts=accounts
    ).report
    results = [digest.result for digest in report.digests]
    assert results == [WorkError.PANIC, WorkError.BAD, WorkError.OUT_OF_GAS]


def test_outputs_have_a_limit_together(accounts: Accounts) -> None:
    small = replace(TINY, max_report_variable_size=20)
    given = package(item(payload=b"x" * 10), item(payload=b"y" * 9), item(payload=b"z" * 8))
    report = compute(small, ENGINE, given, 0, accounts=accounts).report
    # Two octets are the trace.
    results = [digest.result for digest in report.digests]
    assert results == [b"x" * 10, WorkError.OVERSIZE, b"z" * 8]


def test_the_bundle_carries_all_data(accounts: Accounts) -> None:
    blobs = (b"first", b"second")
    references = tuple(ExtrinsicReference(blake2b(blob), len(blob)) for blob in blobs)
    imports = (ImportReference(bytes(32), 0),)
    segment = ImportedSegment(bytes(4104), (b"\1" * 32, b"\2" * 32))
    given = package(item(imports=imports, extrinsics=references), item())
    computed = compute(
        TINY,
        ENGINE,
        given,
        0,
        accounts=accounts,
        extrinsics=[blobs, ()],
        imports=[[segment], []],
    )
    head = codec(WorkPackage, TINY).encode(given)
    proofs = b"\2" + b"\1" * 32 + b"\2" * 32
    assert computed.bundle == head + b"firstsecond" + bytes(4104) + proofs
    digest = computed.report.digests[0]
    assert (digest.import_count, digest.extrinsic_count, digest.extrinsic_size) == (1, 2, 11)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (package(item(), host=REFUSER), "unauthorized"),
        (package(), "too_much"),
        (package(*[item()] * 17), "too_much"),
        (package(item(accumulate_gas=TINY.report_accumulation_gas)), "too_much"),
        (package(item(refine_gas=TINY.refine_gas)), "too_much"),
        (package(item(export_count=3073)), "too_much"),
        (package(item(payload=bytes(TINY.max_bundle_size + 1))), "too_much"),
        (package(item(extrinsics=(ExtrinsicReference(bytes(32), 3),))), "wrong_data"),
        (package(item(imports=(ImportReference(bytes(32), 0),))), "wrong_data"),
    ],
)
def test_no_report(accounts: Accounts, given: WorkPackage, code: str) -> None:
    with pytest.raises(Unreportable) as caught:
        compute(TINY, ENGINE, given, 0, accounts=accounts)
    assert caught.value.code == code
