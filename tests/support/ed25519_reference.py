"""Ed25519 verification by ZIP-215 in plain Python, written from that text: slow and independent."""

from __future__ import annotations

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

#: x, y, z, t with x/z, y/z the affine coordinates and t = x*y/z.
Point = tuple[int, int, int, int]

IDENTITY: Point = (0, 1, 1, 0)


def decode(encoding: bytes) -> Point | None:
    """The point of 32 bytes; y may exceed the field, and a zero x may carry a sign."""
    number = int.from_bytes(encoding, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    numerator, denominator = (y * y - 1) % P, (D * y * y + 1) % P
    # The candidate root of RFC 8032, section 5.1.3.
    x = numerator * denominator**3 * pow(numerator * denominator**7, (P - 5) // 8, P) % P
    if denominator * x * x % P == -numerator % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if denominator * x * x % P != numerator:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def encode(point: Point) -> bytes:
    """The canonical 32 bytes of a point."""
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def add(p: Point, q: Point) -> Point:
    """The sum; the formula is complete on this curve."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar: int, point: Point) -> Point:
    """The multiple by a non-negative scalar."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def _base() -> Point:
    point = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert point is not None
    return point


BASE = _base()


def holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether 8·s·B = 8·R + 8·k·A, with s canonical and A, R on the curve."""
    a, r = decode(public_key), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    k = int.from_bytes(digest, "little") % ORDER
    left, right = multiply(8 * s, BASE), multiply(8, add(r, multiply(k, a)))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % P == 0
