"""The instructions of release 0.7.2: opcode, name and operand form (section A.5)."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

__all__ = ["BY_NAME", "INSTRUCTIONS", "TERMINATORS", "Form", "Instruction"]


class Form(enum.Enum):
    """How the operands of an instruction lie behind its opcode, and how many there are."""

    NONE = ""
    IMM = "i"
    REG_IMM64 = "rI"
    IMM_IMM = "ii"
    OFFSET = "o"
    REG_IMM = "ri"
    REG_IMM_IMM = "rii"
    REG_IMM_OFFSET = "rio"
    REG_REG = "rr"
    REG_REG_IMM = "rri"
    REG_REG_OFFSET = "rro"
    REG_REG_IMM_IMM = "rrii"
    REG_REG_REG = "rrr"


class Instruction(NamedTuple):
    """One row of the tables: opcode octet, the paper's name, operand form."""

    opcode: int
    name: str
    form: Form


_TABLE: Final[tuple[tuple[Form, int, str], ...]] = (
    (Form.NONE, 0, "trap fallthrough"),
    (Form.IMM, 10, "ecalli"),
    (Form.REG_IMM64, 20, "load_imm_64"),
    (Form.IMM_IMM, 30, "store_imm_u8 store_imm_u16 store_imm_u32 store_imm_u64"),
    (Form.OFFSET, 40, "jump"),
    (
        Form.REG_IMM,
        50,
        "jump_ind load_imm load_u8 load_i8 load_u16 load_i16 load_u32 load_i32 load_u64 "
        "store_u8 store_u16 store_u32 store_u64",
    ),
    (Form.REG_IMM_IMM, 70, "store_imm_ind_u8 store_imm_ind_u16 store_imm_ind_u32 store_imm_ind_u64"),
    (
        Form.REG_IMM_OFFSET,
        80,
        "load_imm_jump branch_eq_imm branch_ne_imm branch_lt_u_imm branch_le_u_imm "
        "branch_ge_u_imm branch_gt_u_imm branch_lt_s_imm branch_le_s_imm branch_ge_s_imm "
        "branch_gt_s_imm",
    ),
    (
        Form.REG_REG,
        100,
        "move_reg sbrk count_set_bits_64 count_set_bits_32 leading_zero_bits_64 "
        "leading_zero_bits_32 trailing_zero_bits_64 trailing_zero_bits_32 sign_extend_8 "
        "sign_extend_16 zero_extend_16 reverse_bytes",
    ),
    (
        Form.REG_REG_IMM,
        120,
        "store_ind_u8 store_ind_u16 store_ind_u32 store_ind_u64 load_ind_u8 load_ind_i8 "
        "load_ind_u16 load_ind_i16 load_ind_u32 load_ind_i32 load_ind_u64 add_imm_32 "
        "and_imm xor_imm or_imm mul_imm_32 set_lt_u_imm set_lt_s_imm shlo_l_imm_32 "
        "shlo_r_imm_32 shar_r_imm_32 neg_add_imm_32 set_gt_u_imm set_gt_s_imm "
        "shlo_l_imm_alt_32 shlo_r_imm_alt_32 shar_r_imm_alt_32 cmov_iz_imm cmov_nz_imm "
        "add_imm_64 mul_imm_64 shlo_l_imm_64 shlo_r_imm_64 shar_r_imm_64 neg_add_imm_64 "
        "shlo_l_imm_alt_64 shlo_r_imm_alt_64 shar_r_imm_alt_64 rot_r_64_imm "
        "rot_r_64_imm_alt rot_r_32_imm rot_r_32_imm_alt",
    ),
    (Form.REG_REG_OFFSET, 170, "branch_eq branch_ne branch_lt_u branch_lt_s branch_ge_u branch_ge_s"),
    (Form.REG_REG_IMM_IMM, 180, "load_imm_jump_ind"),
    (
        Form.REG_REG_REG,
        190,
        "add_32 sub_32 mul_32 div_u_32 div_s_32 rem_u_32 rem_s_32 shlo_l_32 shlo_r_32 "
        "shar_r_32 add_64 sub_64 mul_64 div_u_64 div_s_64 rem_u_64 rem_s_64 shlo_l_64 "
        "shlo_r_64 shar_r_64 and xor or mul_upper_s_s mul_upper_u_u mul_upper_s_u set_lt_u "
        "set_lt_s cmov_iz cmov_nz rot_l_64 rot_l_32 rot_r_64 rot_r_32 and_inv or_inv xnor "
        "max max_u min min_u",
    ),
)

INSTRUCTIONS: Final[dict[int, Instruction]] = {
    first + at: Instruction(first + at, name, form)
    for form, first, names in _TABLE
    for at, name in enumerate(names.split())
}
"""Every valid instruction by opcode, the paper's set *U*."""

BY_NAME: Final[dict[str, Instruction]] = {row.name: row for row in INSTRUCTIONS.values()}
"""The same by name."""

TERMINATORS: Final[frozenset[int]] = frozenset(
    row.opcode
    for row in INSTRUCTIONS.values()
    if row.name in ("trap", "fallthrough") or "jump" in row.name or "branch" in row.name
)
"""Opcodes that end a basic block, the paper's set *T* (section A.3)."""
