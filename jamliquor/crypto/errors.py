"""What verification raises."""

from __future__ import annotations

from jamliquor.errors import JamliquorError


class BadKey(JamliquorError, ValueError):
    """Bytes are no public key, so that no signature can hold under them."""

    def __str__(self) -> str:
        return "not a public key"


class BadSignature(JamliquorError, ValueError):
    """A signature does not hold: wrong length, undecodable, or refused by its equation.

    Attributes:
        index: position of the first bad item in the batch; 0 for a single verification.
    """

    what = "signature"

    def __init__(self, index: int = 0) -> None:
        super().__init__(index)
        self.index = index

    def __str__(self) -> str:
        return f"bad {self.what} at position {self.index}"


class BadRingProof(BadSignature):
    """A ring proof does not hold, or nothing can hold because the commitment does not decode."""

    what = "ring proof"
