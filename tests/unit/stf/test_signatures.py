"""The signatures of a block: which error wins, with a thread and without."""

from __future__ import annotations

import gc
import weakref

import pytest

from jamliquor.crypto import bandersnatch, ed25519, ring
from jamliquor.errors import HeaderError, InvalidBlock
from jamliquor.stf.signatures import SignatureChecks

VRF_KEYS = [bandersnatch.SecretKey.from_seed(bytes([index])) for index in range(6)]
RING = [key.public for key in VRF_KEYS]
ROOT = ring.commitment(RING)
PROOF = VRF_KEYS[2].prove(RING, 2, b"ticket", b"")
SIGNER = ed25519.SecretKey.from_seed(bytes(32))
KINDS = ("vrf", "ed25519", "ring")


def demanded(bad: set[str], *, with_ring: bool = True) -> SignatureChecks:
    """Two signatures of each kind, the second one bad for the kinds that are named."""
    checks = SignatureChecks()
    for number in range(2):
        errors = {kind: HeaderError(f"{kind}_{number}") for kind in KINDS}
        message = {kind: b"other" if kind in bad and number else b"" for kind in KINDS}
        signature = VRF_KEYS[0].sign(b"context", b"")
        checks.vrf(RING[0], b"context", message["vrf"], signature, errors["vrf"])
        signed = SIGNER.sign(b"")
        checks.ed25519(SIGNER.public, message["ed25519"], signed, errors["ed25519"])
        if with_ring:
            checks.ring(ROOT, 6, b"ticket" + message["ring"], PROOF, errors["ring"])
    return checks


def run(checks: SignatureChecks, *, parallel: bool) -> str | None:
    """The error's code, however far the work has come when it is joined."""
    try:
        checks.start(parallel=parallel)
        checks.join()
    except InvalidBlock as error:
        return error.code
    return None


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (set(), None),
        ({"vrf"}, "vrf_1"),
        ({"ed25519"}, "ed25519_1"),
        ({"ring"}, "ring_1"),
        ({"ring", "ed25519"}, "ed25519_1"),
        (set(KINDS), "vrf_1"),
    ],
)
def test_the_first_bad_signature_decides(
    bad: set[str], expected: str | None, *, parallel: bool
) -> None:
    assert run(demanded(bad), parallel=parallel) == expected
    without_ring = None if expected == "ring_1" else expected
    assert run(demanded(bad, with_ring=False), parallel=parallel) == without_ring


def test_a_commitment_that_is_none_is_an_error_of_the_first_proof() -> None:
    for parallel in (False, True):
        checks = SignatureChecks()
        checks.ring(b"\xff" * 144, 6, b"ticket", PROOF, HeaderError("first"))
        checks.ring(b"\xff" * 144, 6, b"ticket", PROOF, HeaderError("second"))
        assert run(checks, parallel=parallel) == "first"


def test_nothing_demanded_holds() -> None:
    assert run(SignatureChecks(), parallel=True) is None


def test_nothing_is_left_to_a_thread_without_a_core_for_it() -> None:
    checks = demanded({"vrf"}, with_ring=False)
    with pytest.raises(HeaderError) as refused:
        checks.start(parallel=False)
    assert refused.value.code == "vrf_1"


@pytest.mark.parametrize("with_ring", [False, True])
def test_the_seal_is_judged_before_guests_run(*, with_ring: bool) -> None:
    checks = SignatureChecks()
    seal = VRF_KEYS[0].sign(b"context", b"header")
    checks.vrf(RING[0], b"context", b"another header", seal, HeaderError("seal"))
    checks.vrf(RING[0], b"context", b"header", seal, HeaderError("entropy"))
    if with_ring:
        checks.ring(ROOT, 6, b"ticket", PROOF, HeaderError("ring"))
    with pytest.raises(HeaderError) as refused:
        checks.start(parallel=True, seal_first=True)
    assert refused.value.code == "seal"
    cases = (set(), None), ({"vrf"}, "vrf_1"), ({"ed25519"}, "ed25519_1"), ({"ring"}, "ring_1")
    for bad, expected in (*cases, (set(KINDS), "vrf_1")):
        checks = demanded(bad, with_ring=True)
        code = None
        try:
            checks.start(parallel=True, seal_first=True)
            checks.join()
        except InvalidBlock as error:
            code = error.code
        assert code == expected


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(("bad", "expected"), [(set(), "no_ring"), ({"vrf"}, "vrf_1")])
def test_a_commitment_to_nothing_is_judged_in_its_turn(
    bad: set[str], expected: str, parallel: bool
) -> None:
    checks = demanded(bad, with_ring=False)
    checks.ring(b"\xff" * 144, 6, b"ticket", PROOF, HeaderError("no_ring"))
    assert run(checks, parallel=parallel) == expected


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_raised_error_and_its_frames_do_not_hold_each_other(kind: str, parallel: bool) -> None:
    gc.disable()
    try:
        checks = demanded({kind})
        gone = weakref.ref(checks)
        assert run(checks, parallel=parallel) == f"{kind}_1"
        del checks
        assert gone() is None
    finally:
        gc.enable()
