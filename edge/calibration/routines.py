"""Runs one of OpenSSL's routines over 1 MiB some times: ``routines.py NAME TIMES``, for counting.

``OPENSSL_armcap=0`` must be set, so that the plain 64-bit code runs, the one that its sources give
cycles an octet for.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys

DATA = bytes(1 << 20)


def _hash(name: str, times: int) -> None:
    for _ in range(times):
        hashlib.new(name, DATA).digest()


def _poly1305(times: int) -> None:
    crypto = ctypes.CDLL("libcrypto.so.3")
    crypto.EVP_MAC_fetch.restype = crypto.EVP_MAC_CTX_new.restype = ctypes.c_void_p
    algorithm = ctypes.c_void_p(crypto.EVP_MAC_fetch(None, b"POLY1305", None))
    context = ctypes.c_void_p(crypto.EVP_MAC_CTX_new(algorithm))
    if not crypto.EVP_MAC_init(context, bytes(32), ctypes.c_size_t(32), None):
        raise RuntimeError("OpenSSL has no Poly1305 here")
    for _ in range(times):
        crypto.EVP_MAC_update(context, DATA, ctypes.c_size_t(len(DATA)))


if __name__ == "__main__":
    if sys.argv[1] == "poly1305":
        _poly1305(int(sys.argv[2]))
    else:
        _hash(sys.argv[1], int(sys.argv[2]))
