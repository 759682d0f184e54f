"""The shipped powers of tau and Lagrange points, checked with an independent BLS12-381 (py-ecc)."""

from __future__ import annotations

from pathlib import Path

import pytest
from py_ecc.optimized_bls12_381 import (
    FQ,
    FQ2,
    G1,
    G2,
    Z1,
    add,
    b,
    b2,
    curve_order,
    eq,
    is_on_curve,
    multiply,
    neg,
    pairing,
)

DATA = Path(__file__).parents[3] / "native" / "vrf" / "data"
POWERS = (DATA / "zcash-powers-of-tau-2-11.bin").read_bytes()

#: Generator of the domain of 2048 rows (VRF specification, section 4.1).
OMEGA_2048 = 49307615728544765012166121802278658070711169839041683575071795236746050763237


def g1(data: bytes, index: int):
    x, y = (int.from_bytes(data[at : at + 48], "big") for at in (96 * index, 96 * index + 48))
    point = (FQ(x), FQ(y), FQ.one())
    assert is_on_curve(point, b)
    return point


def g2(data: bytes):
    x1, x0, y1, y0 = (int.from_bytes(data[at : at + 48], "big") for at in (0, 48, 96, 144))
    point = (FQ2([x0, x1]), FQ2([y0, y1]), FQ2.one())
    assert is_on_curve(point, b2)
    return point


POWERS_IN_G1 = POWERS[8 : -8 - 2 * 192]
TAU_G2 = g2(POWERS[-192:])


def test_the_powers_are_powers() -> None:
    assert eq(g1(POWERS_IN_G1, 0), G1)
    assert eq(g2(POWERS[-384:-192]), G2)
    assert len(POWERS_IN_G1) // 96 == 3 * 2048 + 1
    assert pairing(G2, g1(POWERS_IN_G1, 6144)) == pairing(TAU_G2, g1(POWERS_IN_G1, 6143))


@pytest.mark.parametrize("size", [512, 1024, 2048])
def test_lagrange_points_follow_from_the_powers(size: int) -> None:
    # (X - w^i)·L_i(X) = w^i·(X^n - 1)/n in the exponent, for a random sum over some positions:
    # e(sum r·L, tau) = e(sum r·w^i·(L + (tau^n - 1)/n), 1).
    table = (DATA / f"ring-{size}.bin").read_bytes()
    capacity = size - 257
    assert len(table) == 96 * (3 + capacity)
    omega = pow(OMEGA_2048, 2048 // size, curve_order)
    vanishing = multiply(add(g1(POWERS_IN_G1, size), neg(G1)), pow(size, -1, curve_order))
    left = right = Z1
    for factor, position in enumerate((0, 1, 5, 6, 7, capacity // 2, capacity - 1), start=12345):
        point, root = g1(table, 3 + position), pow(omega, position, curve_order)
        left = add(left, multiply(point, factor))
        right = add(right, multiply(add(point, vanishing), factor * root % curve_order))
    assert pairing(TAU_G2, left) == pairing(G2, right)
