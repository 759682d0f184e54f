"""A service in the middle of its accumulation, and single host calls made on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jamliquor.codec import codec
from jamliquor.params import TINY, ChainParams
from jamliquor.pvm.host import table
from jamliquor.pvm.host.context import AccumulateContext, Chain
from jamliquor.pvm.host.fetch import FetchSource
from jamliquor.pvm.invocations import run_host_calls
from jamliquor.state import keys
from jamliquor.state.accounts import Accounts, Draft
from jamliquor.types.state import Privileges, RequestTimes, ServiceAccount
from jamliquor.types.work import WorkError
from tests.support.guest import ScriptedMachine

SELF = 1000
OTHER = 2000
SLOT = 100
NUMBERS = {name: number for number, name in table.NAMES.items()}
HASH = bytes(range(32))
ENTROPY = bytes([7]) * 32
GAS = 1_000

PRIVILEGES = Privileges(1, (2, 3), 4, 5, {})


def account(**fields: Any) -> ServiceAccount:
    """An account with a small balance above its threshold, and what ``fields`` say."""
    record = ServiceAccount(0, bytes(32), 10_000, 0, 0, 0, 0, 0, 1, 2, 3)
    return record._replace(**fields)


def state_of(
    accounts: Mapping[int, ServiceAccount],
    *,
    storage: Mapping[tuple[int, bytes], bytes] | None = None,
    preimages: Mapping[tuple[int, bytes], bytes] | None = None,
    requests: Mapping[tuple[int, bytes, int], RequestTimes] | None = None,
    params: ChainParams = TINY,
) -> dict[bytes, bytes]:
    """Accounts and their items as entries of a state."""
    found = {}
    for service, record in accounts.items():
        found[keys.service(service)] = codec(ServiceAccount, params).encode(record)
    for (service, key), value in (storage or {}).items():
        found[keys.storage(service, key)] = value
    for (service, preimage_hash), value in (preimages or {}).items():
        found[keys.preimage(service, preimage_hash)] = value
    for (service, preimage_hash, length), times in (requests or {}).items():
        encoded = codec(RequestTimes, params).encode(times)
        found[keys.request(service, length, preimage_hash)] = encoded
    return found


def context_of(
    state: Mapping[bytes, bytes],
    *,
    service: int = SELF,
    privileges: Privileges = PRIVILEGES,
    slot: int = SLOT,
    inputs: Sequence[Any] = (),
    params: ChainParams = TINY,
) -> AccumulateContext:
    """A context of accumulation over a state."""
    return AccumulateContext(
        params,
        FetchSource(params, entropy=ENTROPY, inputs=inputs),
        service=service,
        accounts=Draft(Accounts(params, state.get)),
        chain=Chain(("staging",), (("queue", 0), ("queue", 1)), privileges),
        slot=slot,
        entropy=ENTROPY,
    )


class Served(NamedTuple):
    """How one host call went."""

    result: int
    failure: WorkError | None
    gas_used: int
    machine: ScriptedMachine


def call(
    context: Any,
    name: str,
    *arguments: int,
    memory: Mapping[int, bytes] | None = None,
    gas: int = GAS,
    calls: table.Table = table.ACCUMULATE,
    kind: type[ScriptedMachine] = ScriptedMachine,
) -> Served:
    """Make one host call with registers from 7 on, and octets put into memory before."""
    machine = kind([(NUMBERS[name], arguments)], gas)
    for address, data in (memory or {}).items():
        machine.initialize(address, data)
    failure = run_host_calls(machine, context, calls, None)
    result = machine.returned[0] if machine.returned else -1
    return Served(result, failure, gas - max(machine.gas, 0), machine)
