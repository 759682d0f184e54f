"""Authorization: the pools of authorizers by core (section 8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jamliquor.params import ChainParams
from jamliquor.types.extrinsic import Guarantees
from jamliquor.types.state import AuthorizationPools, AuthorizationQueues


def entering_authorizers(queues: AuthorizationQueues, slot: int) -> list[bytes]:
    """The authorizer that enters each pool at ``slot``, of the posterior queues (equation 8.2)."""
    return [queue[slot % len(queue)] for queue in queues]


def used_authorizers(guarantees: Guarantees) -> list[tuple[int, bytes]]:
    """Core and authorizer of each guaranteed report."""
    return [(guarantee.report.core, guarantee.report.authorizer_hash) for guarantee in guarantees]


def rotate_pools(
    params: ChainParams,
    pools: AuthorizationPools,
    entering: Sequence[bytes],
    used: Iterable[tuple[int, bytes]],
) -> AuthorizationPools:
    """The posterior pools: without what was used, with what enters (equations 8.2 and 8.3).

    Args:
        pools: the prior pools, by core, oldest authorizer first.
        entering: what :func:`entering_authorizers` gives.
        used: what :func:`used_authorizers` gives, at most one a core.
    """
    by_core = dict(used)
    size = params.authorization_pool_size
    return tuple(
        [
            (*_without_oldest(pool, by_core.get(core)), authorizer)[-size:]
            for core, (pool, authorizer) in enumerate(zip(pools, entering, strict=True))
        ]
    )


def _without_oldest(pool: tuple[bytes, ...], authorizer: bytes | None) -> tuple[bytes, ...]:
    """The pool without its oldest occurrence of ``authorizer``, if it has one."""
    if authorizer is None or authorizer not in pool:
        return pool
    place = pool.index(authorizer)
    return pool[:place] + pool[place + 1 :]
