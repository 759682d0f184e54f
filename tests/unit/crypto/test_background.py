"""Signatures that a thread of the core verifies."""

from __future__ import annotations

import pytest

from jamliquor.crypto import bandersnatch, ed25519
from jamliquor.crypto.background import Checks

SIGNER = ed25519.SecretKey.from_seed(bytes(32))
VRF = bandersnatch.SecretKey.from_seed(b"seed")
GOOD = (SIGNER.public, b"message", SIGNER.sign(b"message"))
BAD = (SIGNER.public, b"another", GOOD[2])


def test_the_first_bad_item_of_the_first_bad_batch_is_told() -> None:
    for _ in range(50):
        checks = Checks()
        checks.add_vrf([(VRF.public, b"context", b"", VRF.sign(b"context", b""))])
        checks.add_ed25519([GOOD, GOOD, BAD])
        checks.add_ed25519([BAD])
        checks.start()
        assert checks.join() == (1, 2)


def test_checks_that_are_forgotten_do_no_harm() -> None:
    for _ in range(20):
        checks = Checks()
        checks.add_ed25519([GOOD] * 8)
        checks.start()
        del checks


def test_wrong_use_is_refused() -> None:
    checks = Checks()
    with pytest.raises(ValueError, match="another length"):
        checks.add_ed25519([(b"short", b"", GOOD[2])])
    with pytest.raises(ValueError, match="not started"):
        checks.join()
    checks.start()
    assert checks.join() is None
    with pytest.raises(ValueError, match="not started"):
        checks.join()
