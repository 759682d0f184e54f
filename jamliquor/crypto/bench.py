"""How long the primitives take here: medians for ``jamliquor bench vrf``.

The clock is an argument, because this package reads none.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from jamliquor.crypto import bandersnatch, ed25519, key_derivation, ring

__all__ = ["measure", "ring_proof"]

_TINY_RING = 6
_FULL_RING = 1023
_AUX = bytes(300)


def measure(clock: Callable[[], float], repeat: int = 15) -> dict[str, float]:
    """Medians in milliseconds over ``repeat`` runs of each primitive.

    ``ring_new_key_ms`` is all that a new ring of 6 keys costs before its first proof is verified,
    ``ring_new_key_full_ms`` the same for 1023 keys. ``ring_prove_ms`` is one proof in a tiny ring
    whose prover is at hand.

    Args:
        clock: gives seconds, such as :func:`time.perf_counter`.
        repeat: runs of each; the median damps what else the machine does.
    """

    def median(run: Callable[[], object]) -> float:
        run()
        spans = []
        for _ in range(repeat):
            start = clock()
            run()
            spans.append(clock() - start)
        return round(statistics.median(spans) * 1000, 3)

    return {**_vrf(median), **_ring(median), **_ed25519(median)}


def ring_proof() -> Callable[[], object]:
    """A call that verifies one ring proof of a tiny ring, the yardstick of other figures."""
    secrets = _secrets(_TINY_RING)
    keys = [secret.public for secret in secrets]
    root = ring.commitment(keys)
    items = [(b"context", b"", secrets[0].prove(keys, 0, b"context", b""))]
    return lambda: ring.verify_batch(root, len(keys), items)


_Median = Callable[[Callable[[], object]], float]


def _secrets(count: int) -> list[bandersnatch.SecretKey]:
    seeds = (key_derivation.trivial_seed(index) for index in range(count))
    derived = (key_derivation.bandersnatch_secret_seed(seed) for seed in seeds)
    return [bandersnatch.SecretKey.from_seed(seed) for seed in derived]


def _vrf(median: _Median) -> dict[str, float]:
    [secret] = _secrets(1)
    signature = secret.sign(b"context", _AUX)
    return {
        "vrf_verify_ms": median(
            lambda: bandersnatch.verify(secret.public, b"context", _AUX, signature)
        ),
        "vrf_sign_ms": median(lambda: secret.sign(b"context", _AUX)),
    }


def _ring(median: _Median) -> dict[str, float]:
    secrets = _secrets(_TINY_RING)
    keys = [secret.public for secret in secrets]
    full = keys + [secret.public for secret in _secrets(_FULL_RING)[_TINY_RING:]]
    root = ring.commitment(keys)
    contexts = [b"first", b"second", b"third"]
    items = [(context, b"", secrets[0].prove(keys, 0, context, b"")) for context in contexts]

    def new_key(members: list[bytes]) -> None:
        ring.prepare_uncached(ring.commitment(members), len(members))

    return {
        "ring_verify_ms": median(lambda: ring.verify_batch(root, _TINY_RING, items[:1])),
        "ring_verify_batch3_ms": median(lambda: ring.verify_batch(root, _TINY_RING, items)),
        "ring_new_key_ms": median(lambda: new_key(keys)),
        "ring_new_key_full_ms": median(lambda: new_key(full)),
        "ring_prove_ms": median(lambda: secrets[0].prove(keys, 0, b"context", b"")),
    }


def _ed25519(median: _Median) -> dict[str, float]:
    items = []
    for index in range(64):
        secret = ed25519.SecretKey.from_seed(key_derivation.trivial_seed(index))
        items.append((secret.public, _AUX, secret.sign(_AUX)))
    return {
        "ed25519_verify_ms": median(lambda: ed25519.verify(*items[0])),
        "ed25519_batch64_ms": median(lambda: ed25519.verify_batch(items)),
    }
