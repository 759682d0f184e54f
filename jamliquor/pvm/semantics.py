"""What the instructions without memory or jumps compute, row by row of section A.5.

Registers are naturals below 2^64. Every function's result is reduced to that by the caller, so a
negative result stands for its two's complement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jamliquor.pvm.operands import signed

__all__ = ["COMPARISONS", "LOADS", "STORES", "THREE_OPERANDS", "TWO_OPERANDS"]

_ALL = (1 << 64) - 1


def _s64(value: int) -> int:
    return signed(value, 8)


def _s32(value: int) -> int:
    """The signed reading of the low 32 bits, which sign-extends when it is reduced again."""
    return signed(value & 0xFFFFFFFF, 4)


def _u32(value: int) -> int:
    return value & 0xFFFFFFFF


def _divide(a: int, b: int) -> int:
    """Division that rounds towards zero; all ones by zero."""
    if b == 0:
        return _ALL
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _modulo(a: int, b: int) -> int:
    """The paper's smod: the modulo of the absolute values with the sign of the numerator."""
    if b == 0:
        return a
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


def _rotate_right(value: int, distance: int, bits: int) -> int:
    distance %= bits
    return (value >> distance | value << (bits - distance)) & ((1 << bits) - 1)


def _trailing_zeroes(value: int, bits: int) -> int:
    return (value & -value).bit_length() - 1 if value else bits


TWO_OPERANDS: Final[dict[str, Callable[[int], int]]] = {
    "move_reg": lambda a: a,
    "count_set_bits_64": lambda a: a.bit_count(),
    "count_set_bits_32": lambda a: _u32(a).bit_count(),
    "leading_zero_bits_64": lambda a: 64 - a.bit_length(),
    "leading_zero_bits_32": lambda a: 32 - _u32(a).bit_length(),
    "trailing_zero_bits_64": lambda a: _trailing_zeroes(a, 64),
    "trailing_zero_bits_32": lambda a: _trailing_zeroes(_u32(a), 32),
    "sign_extend_8": lambda a: signed(a & 0xFF, 1),
    "sign_extend_16": lambda a: signed(a & 0xFFFF, 2),
    "zero_extend_16": lambda a: a & 0xFFFF,
    "reverse_bytes": lambda a: int.from_bytes(a.to_bytes(8, "little"), "big"),
}
"""Forms of two registers: the one written from the one read."""

THREE_OPERANDS: Final[dict[str, Callable[[int, int], int]]] = {
    "add_32": lambda a, b: _s32(a + b),
    "sub_32": lambda a, b: _s32(a - b),
    "mul_32": lambda a, b: _s32(a * b),
    "div_u_32": lambda a, b: _s32(_u32(a) // _u32(b)) if _u32(b) else _ALL,
    "div_s_32": lambda a, b: _s32(_divide(_s32(a), _s32(b))),
    "rem_u_32": lambda a, b: _s32(_u32(a) % _u32(b)) if _u32(b) else _s32(a),
    "rem_s_32": lambda a, b: _modulo(_s32(a), _s32(b)),
    "shlo_l_32": lambda a, b: _s32(a << b % 32),
    "shlo_r_32": lambda a, b: _s32(_u32(a) >> b % 32),
    "shar_r_32": lambda a, b: _s32(a) >> b % 32,
    "add_64": lambda a, b: a + b,
    "sub_64": lambda a, b: a - b,
    "mul_64": lambda a, b: a * b,
    "div_u_64": lambda a, b: a // b if b else _ALL,
    "div_s_64": lambda a, b: _divide(_s64(a), _s64(b)),
    "rem_u_64": lambda a, b: a % b if b else a,
    "rem_s_64": lambda a, b: _modulo(_s64(a), _s64(b)),
    "shlo_l_64": lambda a, b: a << b % 64,
    "shlo_r_64": lambda a, b: a >> b % 64,
    "shar_r_64": lambda a, b: _s64(a) >> b % 64,
    "and": lambda a, b: a & b,
    "xor": lambda a, b: a ^ b,
    "or": lambda a, b: a | b,
    "mul_upper_s_s": lambda a, b: _s64(a) * _s64(b) >> 64,
    "mul_upper_u_u": lambda a, b: a * b >> 64,
    "mul_upper_s_u": lambda a, b: _s64(a) * b >> 64,
    "set_lt_u": lambda a, b: int(a < b),
    "set_lt_s": lambda a, b: int(_s64(a) < _s64(b)),
    "rot_l_64": lambda a, b: _rotate_right(a, -b, 64),
    "rot_l_32": lambda a, b: _s32(_rotate_right(_u32(a), -b, 32)),
    "rot_r_64": lambda a, b: _rotate_right(a, b, 64),
    "rot_r_32": lambda a, b: _s32(_rotate_right(_u32(a), b, 32)),
    "and_inv": lambda a, b: a & ~b,
    "or_inv": lambda a, b: a | ~b,
    "xnor": lambda a, b: ~(a ^ b),
    "max": lambda a, b: max(_s64(a), _s64(b)),
    "max_u": max,
    "min": lambda a, b: min(_s64(a), _s64(b)),
    "min_u": min,
    "add_imm_32": lambda b, x: _s32(b + x),
    "and_imm": lambda b, x: b & x,
    "xor_imm": lambda b, x: b ^ x,
    "or_imm": lambda b, x: b | x,
    "mul_imm_32": lambda b, x: _s32(b * x),
    "set_lt_u_imm": lambda b, x: int(b < x),
    "set_lt_s_imm": lambda b, x: int(_s64(b) < _s64(x)),
    "shlo_l_imm_32": lambda b, x: _s32(b << x % 32),
    "shlo_r_imm_32": lambda b, x: _s32(_u32(b) >> x % 32),
    "shar_r_imm_32": lambda b, x: _s32(b) >> x % 32,
    "neg_add_imm_32": lambda b, x: _s32(x - b),
    "set_gt_u_imm": lambda b, x: int(b > x),
    "set_gt_s_imm": lambda b, x: int(_s64(b) > _s64(x)),
    "shlo_l_imm_alt_32": lambda b, x: _s32(x << b % 32),
    "shlo_r_imm_alt_32": lambda b, x: _s32(_u32(x) >> b % 32),
    "shar_r_imm_alt_32": lambda b, x: _s32(x) >> b % 32,
    "add_imm_64": lambda b, x: b + x,
    "mul_imm_64": lambda b, x: b * x,
    "shlo_l_imm_64": lambda b, x: b << x % 64,
    "shlo_r_imm_64": lambda b, x: b >> x % 64,
    "shar_r_imm_64": lambda b, x: _s64(b) >> x % 64,
    "neg_add_imm_64": lambda b, x: x - b,
    "shlo_l_imm_alt_64": lambda b, x: x << b % 64,
    "shlo_r_imm_alt_64": lambda b, x: x >> b % 64,
    "shar_r_imm_alt_64": lambda b, x: _s64(x) >> b % 64,
    "rot_r_64_imm": lambda b, x: _rotate_right(b, x, 64),
    "rot_r_64_imm_alt": lambda b, x: _rotate_right(x, b, 64),
    "rot_r_32_imm": lambda b, x: _s32(_rotate_right(_u32(b), x, 32)),
    "rot_r_32_imm_alt": lambda b, x: _s32(_rotate_right(_u32(x), b, 32)),
}
"""Forms of three registers (A, B) and of two registers and an immediate (B, X)."""

COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt_u": lambda a, b: a < b,
    "le_u": lambda a, b: a <= b,
    "ge_u": lambda a, b: a >= b,
    "gt_u": lambda a, b: a > b,
    "lt_s": lambda a, b: _s64(a) < _s64(b),
    "le_s": lambda a, b: _s64(a) <= _s64(b),
    "ge_s": lambda a, b: _s64(a) >= _s64(b),
    "gt_s": lambda a, b: _s64(a) > _s64(b),
}
"""Conditions of branches, by the part of the name between ``branch_`` and ``_imm``."""

LOADS: Final[dict[str, Callable[[bytes], int]]] = {
    "u8": lambda octets: int.from_bytes(octets, "little"),
    "i8": lambda octets: int.from_bytes(octets, "little", signed=True),
    "u16": lambda octets: int.from_bytes(octets, "little"),
    "i16": lambda octets: int.from_bytes(octets, "little", signed=True),
    "u32": lambda octets: int.from_bytes(octets, "little"),
    "i32": lambda octets: int.from_bytes(octets, "little", signed=True),
    "u64": lambda octets: int.from_bytes(octets, "little"),
}
"""How a load reads its octets, by the end of its name."""

STORES: Final[frozenset[str]] = frozenset(("u8", "u16", "u32", "u64"))
"""Ends of the names of stores; the number is the width in bits."""
