"""The hash functions of section 3.8.1, and BLAKE3 for files of our own."""

from __future__ import annotations

import hashlib

from jamliquor._native import check, ffi, lib

__all__ = ["blake2b", "blake3", "keccak"]


def blake2b(data: bytes | memoryview) -> bytes:
    """Blake2b with a 32-byte digest and no key, the paper's default hash (section 3.8.1)."""
    return hashlib.blake2b(data, digest_size=32).digest()


def blake3(data: bytes) -> bytes:
    """BLAKE3, 32 bytes: the checksum of chunks in files; no part of the protocol."""
    out = ffi.new("uint8_t[32]")
    check(lib.jam_blake3(data, len(data), out))
    return bytes(out)


def keccak(data: bytes) -> bytes:
    """Keccak-256 with the original padding, 32 bytes (section 3.8.1); not SHA3-256."""
    out = ffi.new("uint8_t[32]")
    check(lib.jam_keccak_hash(data, len(data), out))
    return bytes(out)
