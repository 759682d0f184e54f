"""Public vectors of accumulation (section 12)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from jamliquor.codec import U32, Case, Choice, Hash, codec
from jamliquor.params import ChainParams
from jamliquor.pvm.engine import NativeEngine
from jamliquor.state import keys
from jamliquor.stf.accumulation import accumulate
from jamliquor.stf.history import accumulation_root
from jamliquor.types.state import (
    AccumulationHistory,
    Privileges,
    ReadyQueue,
    RequestTimes,
    ServiceAccount,
    ServiceRecord,
)
from jamliquor.types.work import WorkReport
from tests.support.stf import load, stf_vectors


class StorageItem(NamedTuple):
    key: bytes
    value: bytes


class PreimageItem(NamedTuple):
    hash: Hash
    blob: bytes


class RequestItem(NamedTuple):
    hash: Hash
    length: U32
    times: RequestTimes


class AccountData(NamedTuple):
    service: ServiceAccount
    storage: tuple[StorageItem, ...]
    preimages: tuple[PreimageItem, ...]
    requests: tuple[RequestItem, ...]


class AccountItem(NamedTuple):
    id: U32
    data: AccountData


class ServiceStatistics(NamedTuple):
    id: U32
    record: ServiceRecord


class State(NamedTuple):
    slot: U32
    entropy: Hash
    ready_queue: ReadyQueue
    accumulated: AccumulationHistory
    privileges: Privileges
    statistics: tuple[ServiceStatistics, ...]
    accounts: tuple[AccountItem, ...]


class Input(NamedTuple):
    slot: U32
    reports: tuple[WorkReport, ...]


class Vector(NamedTuple):
    input: Input
    pre_state: State
    output: Annotated[bytes | None, Choice(Case(0, schema=Hash, kind=bytes), Case(1))]
    post_state: State


def entries(params: ChainParams, accounts: tuple[AccountItem, ...]) -> dict[bytes, bytes]:
    """The accounts as entries of a state."""
    found = {}
    for service, data in accounts:
        found[keys.service(service)] = codec(ServiceAccount, params).encode(data.service)
        for item in data.storage:
            found[keys.storage(service, item.key)] = item.value
        for preimage in data.preimages:
            found[keys.preimage(service, preimage.hash)] = preimage.blob
        for request in data.requests:
            times = codec(RequestTimes, params).encode(request.times)
            found[keys.request(service, request.length, request.hash)] = times
    return found


@pytest.fixture(scope="module")
def engine() -> NativeEngine:
    return NativeEngine()


@pytest.mark.parametrize("path", stf_vectors("accumulate"))
def test_accumulate(path: Path, engine: NativeEngine) -> None:
    params, vector = load(path, Vector)
    pre, post = vector.pre_state, vector.post_state
    state: dict[bytes, bytes] = entries(params, pre.accounts)

    result = accumulate(
        params,
        engine,
        slot=vector.input.slot,
        prior_slot=pre.slot,
        entropy=pre.entropy,
        available=vector.input.reports,
        ready_queue=pre.ready_queue,
        history=pre.accumulated,
        privileges=pre.privileges,
        staging=(),
        authorization_queues=((),) * params.core_count,
        get=state.get,
    )

    for key, value in result.changes.items():
        state.pop(key, None)
        if value is not None:
            state[key] = value
    assert state == entries(params, post.accounts)
    assert result.privileges == post.privileges
    assert result.ready_queue == post.ready_queue
    assert result.history == post.accumulated
    assert accumulation_root(result.outputs) == vector.output
    expected = {
        service: (record.accumulate_count, record.accumulate_gas) for service, record in post.statistics
    }
    assert result.statistics == expected
