"""Section 8 where the public vectors are silent: which occurrence goes, limits, the queue's turn."""

from __future__ import annotations

import pytest

from jamliquor.params import FULL, TINY, ChainParams
from jamliquor.stf import authorization
from jamliquor.types.extrinsic import Guarantee
from tests.support.reports import report

X, Y, Z, NEW = (bytes((octet,)) * 32 for octet in (1, 2, 3, 9))


@pytest.mark.parametrize("params", [TINY, FULL], ids=["tiny", "full"])
def test_the_queues_turn_with_the_slot(params: ChainParams) -> None:
    queues = tuple(
        tuple(bytes((core % 256, place)) * 16 for place in range(80))
        for core in range(params.core_count)
    )
    for slot in (0, 79, 80, 123_456_789):
        expected = [queue[slot % 80] for queue in queues]
        assert authorization.entering_authorizers(queues, slot) == expected


@pytest.mark.parametrize(
    ("pool", "used", "expected"),
    [
        ((), None, (NEW,)),
        ((X,), None, (X, NEW)),
        ((X, Y), X, (Y, NEW)),
        ((X, Y, X, Z), X, (Y, X, Z, NEW)),
        ((X, Y), Z, (X, Y, NEW)),
        ((X,) * 8, None, (*(X,) * 7, NEW)),
        ((X, *(Y,) * 7), Z, (*(Y,) * 7, NEW)),
        ((*(Y,) * 7, X), X, (*(Y,) * 7, NEW)),
    ],
    ids=[
        "empty",
        "filling",
        "used",
        "the oldest of equals",
        "used but absent",
        "full",
        "full and absent",
        "full and used",
    ],
)
def test_pool(pool: tuple[bytes, ...], used: bytes | None, expected: tuple[bytes, ...]) -> None:
    given = [] if used is None else [(1, used)]
    pools = authorization.rotate_pools(TINY, ((X, Y, Z), pool), (NEW, NEW), given)
    assert pools == ((X, Y, Z, NEW), expected)


def test_what_reports_used() -> None:
    guarantees = tuple(Guarantee(report(bytes([core]) * 32, core=core), 1, ()) for core in (0, 1))
    assert authorization.used_authorizers(guarantees) == [(0, b"\7" * 32), (1, b"\7" * 32)]
