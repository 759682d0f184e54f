"""The public vectors of section 12.4; accounts are state entries, as the chapter takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import pytest

from jamliquor.codec import U8, U32, Case, Choice, Hash, codec
from jamliquor.errors import PreimagesError
from jamliquor.params import ChainParams
from jamliquor.state import keys
from jamliquor.stf import preimages
from jamliquor.types.extrinsic import Preimages
from jamliquor.types.state import RequestTimes, ServiceRecord
from tests.support.stf import load, stf_vectors

CODES = ("preimage_unneeded", "preimages_not_sorted_unique")


class Account(NamedTuple):
    blobs: dict[Hash, bytes]
    requests: dict[tuple[Hash, U32], RequestTimes]


class State(NamedTuple):
    accounts: dict[U32, Account]
    statistics: dict[U32, ServiceRecord]


class Input(NamedTuple):
    preimages: Preimages
    slot: U32


class Vector(NamedTuple):
    input: Input
    prior: State
    output: Annotated[int | None, Choice(Case(0), Case(1, schema=U8, kind=int))]
    posterior: State


def entries(params: ChainParams, state: State) -> dict[bytes, bytes]:
    """The accounts as the entries of a state; the vectors leave records out, so they are a mark."""
    found: dict[bytes, bytes] = {}
    for service, account in state.accounts.items():
        found[keys.service(service)] = b"record"
        for digest, blob in account.blobs.items():
            found[keys.preimage(service, digest)] = blob
        for (digest, length), times in account.requests.items():
            found[keys.request(service, length, digest)] = codec(RequestTimes, params).encode(times)
    return found


@pytest.mark.parametrize("path", stf_vectors("preimages"))
def test_vector(path: Path) -> None:
    params, case = load(path, Vector)
    prior = entries(params, case.prior)
    if case.output is None:
        provisions = preimages.check(case.input.preimages, prior.get)
        changes = preimages.integrate(provisions, prior.get, case.input.slot)
        assert prior | changes == entries(params, case.posterior)
    else:
        with pytest.raises(PreimagesError) as caught:
            preimages.check(case.input.preimages, prior.get)
        assert caught.value.code == CODES[case.output]
