"""Hashes, signatures and ring proofs (section 3.8, appendix G): typed faces of the native core.

Verification raises :class:`BadSignature`; nothing here returns a verdict that could be dropped.
Secrets live in native handles, which are wiped when freed.
"""

from __future__ import annotations

from jamliquor.crypto.errors import BadKey, BadRingProof, BadSignature

__all__ = ["BadKey", "BadRingProof", "BadSignature"]
