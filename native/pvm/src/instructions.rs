//! What each instruction does (section A.5), as text for the interpreter's loop.
//!
//! `exec!(NAME, op)` is the body of one instruction; the words it is written in (`reg!`, `imm!`,
//! `load!`, `branch!` and so on) are the loop's. `instructions!` lists them all, and the pairs that
//! share one dispatch.

macro_rules! exec {
    (FALLTHROUGH, $op:expr) => {
        next_block!()
    };
    (LOAD_IMM_64, $op:expr) => {
        reg!($op.a) = u64::from($op.imm as u32) | u64::from($op.ext) << 32
    };
    (STORE_IMM_U8, $op:expr) => {
        store!(u8, $op.imm, imm2!($op))
    };
    (STORE_IMM_U16, $op:expr) => {
        store!(u16, $op.imm, imm2!($op))
    };
    (STORE_IMM_U32, $op:expr) => {
        store!(u32, $op.imm, imm2!($op))
    };
    (STORE_IMM_U64, $op:expr) => {
        store!(u64, $op.imm, imm2!($op))
    };
    (JUMP, $op:expr) => {
        jump!($op)
    };
    (JUMP_IND, $op:expr) => {
        dynamic_jump!(reg!($op.a).wrapping_add(imm!($op)))
    };
    (LOAD_IMM, $op:expr) => {
        reg!($op.a) = imm!($op)
    };
    (LOAD_U8, $op:expr) => {
        reg!($op.a) = u64::from(load!(u8, $op.imm))
    };
    (LOAD_I8, $op:expr) => {
        reg!($op.a) = load!(i8, $op.imm) as i64 as u64
    };
    (LOAD_U16, $op:expr) => {
        reg!($op.a) = u64::from(load!(u16, $op.imm))
    };
    (LOAD_I16, $op:expr) => {
        reg!($op.a) = load!(i16, $op.imm) as i64 as u64
    };
    (LOAD_U32, $op:expr) => {
        reg!($op.a) = u64::from(load!(u32, $op.imm))
    };
    (LOAD_I32, $op:expr) => {
        reg!($op.a) = load!(i32, $op.imm) as i64 as u64
    };
    (LOAD_U64, $op:expr) => {
        reg!($op.a) = load!(u64, $op.imm)
    };
    (STORE_U8, $op:expr) => {
        store!(u8, $op.imm, reg!($op.a))
    };
    (STORE_U16, $op:expr) => {
        store!(u16, $op.imm, reg!($op.a))
    };
    (STORE_U32, $op:expr) => {
        store!(u32, $op.imm, reg!($op.a))
    };
    (STORE_U64, $op:expr) => {
        store!(u64, $op.imm, reg!($op.a))
    };
    (STORE_IMM_IND_U8, $op:expr) => {
        store!(u8, reg!($op.a).wrapping_add(imm!($op)), imm2!($op))
    };
    (STORE_IMM_IND_U16, $op:expr) => {
        store!(u16, reg!($op.a).wrapping_add(imm!($op)), imm2!($op))
    };
    (STORE_IMM_IND_U32, $op:expr) => {
        store!(u32, reg!($op.a).wrapping_add(imm!($op)), imm2!($op))
    };
    (STORE_IMM_IND_U64, $op:expr) => {
        store!(u64, reg!($op.a).wrapping_add(imm!($op)), imm2!($op))
    };
    (LOAD_IMM_JUMP, $op:expr) => {{
        reg!($op.a) = imm!($op);
        jump!($op)
    }};
    (BRANCH_EQ_IMM, $op:expr) => {
        branch!($op, reg!($op.a) == imm!($op))
    };
    (BRANCH_NE_IMM, $op:expr) => {
        branch!($op, reg!($op.a) != imm!($op))
    };
    (BRANCH_LT_U_IMM, $op:expr) => {
        branch!($op, reg!($op.a) < imm!($op))
    };
    (BRANCH_LE_U_IMM, $op:expr) => {
        branch!($op, reg!($op.a) <= imm!($op))
    };
    (BRANCH_GE_U_IMM, $op:expr) => {
        branch!($op, reg!($op.a) >= imm!($op))
    };
    (BRANCH_GT_U_IMM, $op:expr) => {
        branch!($op, reg!($op.a) > imm!($op))
    };
    (BRANCH_LT_S_IMM, $op:expr) => {
        branch!($op, (reg!($op.a) as i64) < i64::from($op.imm))
    };
    (BRANCH_LE_S_IMM, $op:expr) => {
        branch!($op, (reg!($op.a) as i64) <= i64::from($op.imm))
    };
    (BRANCH_GE_S_IMM, $op:expr) => {
        branch!($op, (reg!($op.a) as i64) >= i64::from($op.imm))
    };
    (BRANCH_GT_S_IMM, $op:expr) => {
        branch!($op, (reg!($op.a) as i64) > i64::from($op.imm))
    };
    (MOVE_REG, $op:expr) => {
        reg!($op.d) = reg!($op.a)
    };
    (SBRK, $op:expr) => {
        sbrk!($op)
    };
    (COUNT_SET_BITS_64, $op:expr) => {
        reg!($op.d) = u64::from(reg!($op.a).count_ones())
    };
    (COUNT_SET_BITS_32, $op:expr) => {
        reg!($op.d) = u64::from((reg!($op.a) as u32).count_ones())
    };
    (LEADING_ZERO_BITS_64, $op:expr) => {
        reg!($op.d) = u64::from(reg!($op.a).leading_zeros())
    };
    (LEADING_ZERO_BITS_32, $op:expr) => {
        reg!($op.d) = u64::from((reg!($op.a) as u32).leading_zeros())
    };
    (TRAILING_ZERO_BITS_64, $op:expr) => {
        reg!($op.d) = u64::from(reg!($op.a).trailing_zeros())
    };
    (TRAILING_ZERO_BITS_32, $op:expr) => {
        reg!($op.d) = u64::from((reg!($op.a) as u32).trailing_zeros())
    };
    (SIGN_EXTEND_8, $op:expr) => {
        reg!($op.d) = reg!($op.a) as i8 as i64 as u64
    };
    (SIGN_EXTEND_16, $op:expr) => {
        reg!($op.d) = reg!($op.a) as i16 as i64 as u64
    };
    (ZERO_EXTEND_16, $op:expr) => {
        reg!($op.d) = u64::from(reg!($op.a) as u16)
    };
    (REVERSE_BYTES, $op:expr) => {
        reg!($op.d) = reg!($op.a).swap_bytes()
    };
    (STORE_IND_U8, $op:expr) => {
        store!(u8, reg!($op.b).wrapping_add(imm!($op)), reg!($op.a))
    };
    (STORE_IND_U16, $op:expr) => {
        store!(u16, reg!($op.b).wrapping_add(imm!($op)), reg!($op.a))
    };
    (STORE_IND_U32, $op:expr) => {
        store!(u32, reg!($op.b).wrapping_add(imm!($op)), reg!($op.a))
    };
    (STORE_IND_U64, $op:expr) => {
        store!(u64, reg!($op.b).wrapping_add(imm!($op)), reg!($op.a))
    };
    (LOAD_IND_U8, $op:expr) => {
        reg!($op.a) = u64::from(load!(u8, reg!($op.b).wrapping_add(imm!($op))))
    };
    (LOAD_IND_I8, $op:expr) => {
        reg!($op.a) = load!(i8, reg!($op.b).wrapping_add(imm!($op))) as i64 as u64
    };
    (LOAD_IND_U16, $op:expr) => {
        reg!($op.a) = u64::from(load!(u16, reg!($op.b).wrapping_add(imm!($op))))
    };
    (LOAD_IND_I16, $op:expr) => {
        reg!($op.a) = load!(i16, reg!($op.b).wrapping_add(imm!($op))) as i64 as u64
    };
    (LOAD_IND_U32, $op:expr) => {
        reg!($op.a) = u64::from(load!(u32, reg!($op.b).wrapping_add(imm!($op))))
    };
    (LOAD_IND_I32, $op:expr) => {
        reg!($op.a) = load!(i32, reg!($op.b).wrapping_add(imm!($op))) as i64 as u64
    };
    (LOAD_IND_U64, $op:expr) => {
        reg!($op.a) = load!(u64, reg!($op.b).wrapping_add(imm!($op)))
    };
    (ADD_IMM_32, $op:expr) => {
        reg!($op.a) = sext32(reg!($op.b).wrapping_add(imm!($op)))
    };
    (AND_IMM, $op:expr) => {
        reg!($op.a) = reg!($op.b) & imm!($op)
    };
    (XOR_IMM, $op:expr) => {
        reg!($op.a) = reg!($op.b) ^ imm!($op)
    };
    (OR_IMM, $op:expr) => {
        reg!($op.a) = reg!($op.b) | imm!($op)
    };
    (MUL_IMM_32, $op:expr) => {
        reg!($op.a) = sext32(reg!($op.b).wrapping_mul(imm!($op)))
    };
    (SET_LT_U_IMM, $op:expr) => {
        reg!($op.a) = u64::from(reg!($op.b) < imm!($op))
    };
    (SET_LT_S_IMM, $op:expr) => {
        reg!($op.a) = u64::from((reg!($op.b) as i64) < i64::from($op.imm))
    };
    (SHLO_L_IMM_32, $op:expr) => {
        reg!($op.a) = sext32(u64::from((reg!($op.b) as u32).wrapping_shl($op.imm as u32)))
    };
    (SHLO_R_IMM_32, $op:expr) => {
        reg!($op.a) = sext32(u64::from((reg!($op.b) as u32).wrapping_shr($op.imm as u32)))
    };
    (SHAR_R_IMM_32, $op:expr) => {
        reg!($op.a) = (reg!($op.b) as i32).wrapping_shr($op.imm as u32) as i64 as u64
    };
    (NEG_ADD_IMM_32, $op:expr) => {
        reg!($op.a) = sext32(imm!($op).wrapping_sub(reg!($op.b)))
    };
    (SET_GT_U_IMM, $op:expr) => {
        reg!($op.a) = u64::from(reg!($op.b) > imm!($op))
    };
    (SET_GT_S_IMM, $op:expr) => {
        reg!($op.a) = u64::from(reg!($op.b) as i64 > i64::from($op.imm))
    };
    (SHLO_L_IMM_ALT_32, $op:expr) => {
        reg!($op.a) = sext32(u64::from(($op.imm as u32).wrapping_shl(reg!($op.b) as u32)))
    };
    (SHLO_R_IMM_ALT_32, $op:expr) => {
        reg!($op.a) = sext32(u64::from(($op.imm as u32).wrapping_shr(reg!($op.b) as u32)))
    };
    (SHAR_R_IMM_ALT_32, $op:expr) => {
        reg!($op.a) = $op.imm.wrapping_shr(reg!($op.b) as u32) as i64 as u64
    };
    (CMOV_IZ_IMM, $op:expr) => {
        if reg!($op.b) == 0 {
            reg!($op.a) = imm!($op)
        }
    };
    (CMOV_NZ_IMM, $op:expr) => {
        if reg!($op.b) != 0 {
            reg!($op.a) = imm!($op)
        }
    };
    (ADD_IMM_64, $op:expr) => {
        reg!($op.a) = reg!($op.b).wrapping_add(imm!($op))
    };
    (MUL_IMM_64, $op:expr) => {
        reg!($op.a) = reg!($op.b).wrapping_mul(imm!($op))
    };
    (SHLO_L_IMM_64, $op:expr) => {
        reg!($op.a) = reg!($op.b).wrapping_shl($op.imm as u32)
    };
    (SHLO_R_IMM_64, $op:expr) => {
        reg!($op.a) = reg!($op.b).wrapping_shr($op.imm as u32)
    };
    (SHAR_R_IMM_64, $op:expr) => {
        reg!($op.a) = (reg!($op.b) as i64).wrapping_shr($op.imm as u32) as u64
    };
    (NEG_ADD_IMM_64, $op:expr) => {
        reg!($op.a) = imm!($op).wrapping_sub(reg!($op.b))
    };
    (SHLO_L_IMM_ALT_64, $op:expr) => {
        reg!($op.a) = imm!($op).wrapping_shl(reg!($op.b) as u32)
    };
    (SHLO_R_IMM_ALT_64, $op:expr) => {
        reg!($op.a) = imm!($op).wrapping_shr(reg!($op.b) as u32)
    };
    (SHAR_R_IMM_ALT_64, $op:expr) => {
        reg!($op.a) = i64::from($op.imm).wrapping_shr(reg!($op.b) as u32) as u64
    };
    (ROT_R_64_IMM, $op:expr) => {
        reg!($op.a) = reg!($op.b).rotate_right($op.imm as u32 % 64)
    };
    (ROT_R_64_IMM_ALT, $op:expr) => {
        reg!($op.a) = imm!($op).rotate_right(reg!($op.b) as u32 % 64)
    };
    (ROT_R_32_IMM, $op:expr) => {
        reg!($op.a) = sext32(u64::from(
            (reg!($op.b) as u32).rotate_right($op.imm as u32 % 32),
        ))
    };
    (ROT_R_32_IMM_ALT, $op:expr) => {
        reg!($op.a) = sext32(u64::from(
            ($op.imm as u32).rotate_right(reg!($op.b) as u32 % 32),
        ))
    };
    (BRANCH_EQ, $op:expr) => {
        branch!($op, reg!($op.a) == reg!($op.b))
    };
    (BRANCH_NE, $op:expr) => {
        branch!($op, reg!($op.a) != reg!($op.b))
    };
    (BRANCH_LT_U, $op:expr) => {
        branch!($op, reg!($op.a) < reg!($op.b))
    };
    (BRANCH_LT_S, $op:expr) => {
        branch!($op, (reg!($op.a) as i64) < reg!($op.b) as i64)
    };
    (BRANCH_GE_U, $op:expr) => {
        branch!($op, reg!($op.a) >= reg!($op.b))
    };
    (BRANCH_GE_S, $op:expr) => {
        branch!($op, reg!($op.a) as i64 >= reg!($op.b) as i64)
    };
    (LOAD_IMM_JUMP_IND, $op:expr) => {{
        let address = reg!($op.b).wrapping_add(imm2!($op));
        reg!($op.a) = imm!($op);
        dynamic_jump!(address)
    }};
    (ADD_32, $op:expr) => {
        reg!($op.d) = sext32(reg!($op.a).wrapping_add(reg!($op.b)))
    };
    (SUB_32, $op:expr) => {
        reg!($op.d) = sext32(reg!($op.a).wrapping_sub(reg!($op.b)))
    };
    (MUL_32, $op:expr) => {
        reg!($op.d) = sext32(reg!($op.a).wrapping_mul(reg!($op.b)))
    };
    (DIV_U_32, $op:expr) => {
        reg!($op.d) = div_u_32(reg!($op.a), reg!($op.b))
    };
    (DIV_S_32, $op:expr) => {
        reg!($op.d) = div_s_32(reg!($op.a), reg!($op.b))
    };
    (REM_U_32, $op:expr) => {
        reg!($op.d) = rem_u_32(reg!($op.a), reg!($op.b))
    };
    (REM_S_32, $op:expr) => {
        reg!($op.d) = rem_s_32(reg!($op.a), reg!($op.b))
    };
    (SHLO_L_32, $op:expr) => {
        reg!($op.d) = sext32(u64::from(
            (reg!($op.a) as u32).wrapping_shl(reg!($op.b) as u32),
        ))
    };
    (SHLO_R_32, $op:expr) => {
        reg!($op.d) = sext32(u64::from(
            (reg!($op.a) as u32).wrapping_shr(reg!($op.b) as u32),
        ))
    };
    (SHAR_R_32, $op:expr) => {
        reg!($op.d) = (reg!($op.a) as i32).wrapping_shr(reg!($op.b) as u32) as i64 as u64
    };
    (ADD_64, $op:expr) => {
        reg!($op.d) = reg!($op.a).wrapping_add(reg!($op.b))
    };
    (SUB_64, $op:expr) => {
        reg!($op.d) = reg!($op.a).wrapping_sub(reg!($op.b))
    };
    (MUL_64, $op:expr) => {
        reg!($op.d) = reg!($op.a).wrapping_mul(reg!($op.b))
    };
    (DIV_U_64, $op:expr) => {
        reg!($op.d) = div_u_64(reg!($op.a), reg!($op.b))
    };
    (DIV_S_64, $op:expr) => {
        reg!($op.d) = div_s_64(reg!($op.a), reg!($op.b))
    };
    (REM_U_64, $op:expr) => {
        reg!($op.d) = rem_u_64(reg!($op.a), reg!($op.b))
    };
    (REM_S_64, $op:expr) => {
        reg!($op.d) = rem_s_64(reg!($op.a), reg!($op.b))
    };
    (SHLO_L_64, $op:expr) => {
        reg!($op.d) = reg!($op.a).wrapping_shl(reg!($op.b) as u32)
    };
    (SHLO_R_64, $op:expr) => {
        reg!($op.d) = reg!($op.a).wrapping_shr(reg!($op.b) as u32)
    };
    (SHAR_R_64, $op:expr) => {
        reg!($op.d) = (reg!($op.a) as i64).wrapping_shr(reg!($op.b) as u32) as u64
    };
    (AND, $op:expr) => {
        reg!($op.d) = reg!($op.a) & reg!($op.b)
    };
    (XOR, $op:expr) => {
        reg!($op.d) = reg!($op.a) ^ reg!($op.b)
    };
    (OR, $op:expr) => {
        reg!($op.d) = reg!($op.a) | reg!($op.b)
    };
    (MUL_UPPER_S_S, $op:expr) => {
        reg!($op.d) = mul_upper_s_s(reg!($op.a), reg!($op.b))
    };
    (MUL_UPPER_U_U, $op:expr) => {
        reg!($op.d) = mul_upper_u_u(reg!($op.a), reg!($op.b))
    };
    (MUL_UPPER_S_U, $op:expr) => {
        reg!($op.d) = mul_upper_s_u(reg!($op.a), reg!($op.b))
    };
    (SET_LT_U, $op:expr) => {
        reg!($op.d) = u64::from(reg!($op.a) < reg!($op.b))
    };
    (SET_LT_S, $op:expr) => {
        reg!($op.d) = u64::from((reg!($op.a) as i64) < reg!($op.b) as i64)
    };
    (CMOV_IZ, $op:expr) => {
        if reg!($op.b) == 0 {
            reg!($op.d) = reg!($op.a)
        }
    };
    (CMOV_NZ, $op:expr) => {
        if reg!($op.b) != 0 {
            reg!($op.d) = reg!($op.a)
        }
    };
    (ROT_L_64, $op:expr) => {
        reg!($op.d) = reg!($op.a).rotate_left(reg!($op.b) as u32 % 64)
    };
    (ROT_L_32, $op:expr) => {
        reg!($op.d) = sext32(u64::from(
            (reg!($op.a) as u32).rotate_left(reg!($op.b) as u32 % 32),
        ))
    };
    (ROT_R_64, $op:expr) => {
        reg!($op.d) = reg!($op.a).rotate_right(reg!($op.b) as u32 % 64)
    };
    (ROT_R_32, $op:expr) => {
        reg!($op.d) = sext32(u64::from(
            (reg!($op.a) as u32).rotate_right(reg!($op.b) as u32 % 32),
        ))
    };
    (AND_INV, $op:expr) => {
        reg!($op.d) = reg!($op.a) & !reg!($op.b)
    };
    (OR_INV, $op:expr) => {
        reg!($op.d) = reg!($op.a) | !reg!($op.b)
    };
    (XNOR, $op:expr) => {
        reg!($op.d) = !(reg!($op.a) ^ reg!($op.b))
    };
    (MAX, $op:expr) => {
        reg!($op.d) = (reg!($op.a) as i64).max(reg!($op.b) as i64) as u64
    };
    (MAX_U, $op:expr) => {
        reg!($op.d) = reg!($op.a).max(reg!($op.b))
    };
    (MIN, $op:expr) => {
        reg!($op.d) = (reg!($op.a) as i64).min(reg!($op.b) as i64) as u64
    };
    (MIN_U, $op:expr) => {
        reg!($op.d) = reg!($op.a).min(reg!($op.b))
    };
}

/// Calls `$then!` with the names of all instructions but `trap`, and with the fused pairs.
macro_rules! instructions {
    ($then:ident, $($context:tt)*) => {
        $then! {
            $($context)*;
            FALLTHROUGH LOAD_IMM_64 STORE_IMM_U8 STORE_IMM_U16 STORE_IMM_U32 STORE_IMM_U64
            JUMP JUMP_IND LOAD_IMM LOAD_U8 LOAD_I8 LOAD_U16 LOAD_I16 LOAD_U32 LOAD_I32
            LOAD_U64 STORE_U8 STORE_U16 STORE_U32 STORE_U64 STORE_IMM_IND_U8
            STORE_IMM_IND_U16 STORE_IMM_IND_U32 STORE_IMM_IND_U64 LOAD_IMM_JUMP
            BRANCH_EQ_IMM BRANCH_NE_IMM BRANCH_LT_U_IMM BRANCH_LE_U_IMM BRANCH_GE_U_IMM
            BRANCH_GT_U_IMM BRANCH_LT_S_IMM BRANCH_LE_S_IMM BRANCH_GE_S_IMM BRANCH_GT_S_IMM
            MOVE_REG SBRK COUNT_SET_BITS_64 COUNT_SET_BITS_32 LEADING_ZERO_BITS_64
            LEADING_ZERO_BITS_32 TRAILING_ZERO_BITS_64 TRAILING_ZERO_BITS_32 SIGN_EXTEND_8
            SIGN_EXTEND_16 ZERO_EXTEND_16 REVERSE_BYTES STORE_IND_U8 STORE_IND_U16
            STORE_IND_U32 STORE_IND_U64 LOAD_IND_U8 LOAD_IND_I8 LOAD_IND_U16 LOAD_IND_I16
            LOAD_IND_U32 LOAD_IND_I32 LOAD_IND_U64 ADD_IMM_32 AND_IMM XOR_IMM OR_IMM
            MUL_IMM_32 SET_LT_U_IMM SET_LT_S_IMM SHLO_L_IMM_32 SHLO_R_IMM_32 SHAR_R_IMM_32
            NEG_ADD_IMM_32 SET_GT_U_IMM SET_GT_S_IMM SHLO_L_IMM_ALT_32 SHLO_R_IMM_ALT_32
            SHAR_R_IMM_ALT_32 CMOV_IZ_IMM CMOV_NZ_IMM ADD_IMM_64 MUL_IMM_64 SHLO_L_IMM_64
            SHLO_R_IMM_64 SHAR_R_IMM_64 NEG_ADD_IMM_64 SHLO_L_IMM_ALT_64 SHLO_R_IMM_ALT_64
            SHAR_R_IMM_ALT_64 ROT_R_64_IMM ROT_R_64_IMM_ALT ROT_R_32_IMM ROT_R_32_IMM_ALT
            BRANCH_EQ BRANCH_NE BRANCH_LT_U BRANCH_LT_S BRANCH_GE_U BRANCH_GE_S
            LOAD_IMM_JUMP_IND ADD_32 SUB_32 MUL_32 DIV_U_32 DIV_S_32 REM_U_32 REM_S_32
            SHLO_L_32 SHLO_R_32 SHAR_R_32 ADD_64 SUB_64 MUL_64 DIV_U_64 DIV_S_64 REM_U_64
            REM_S_64 SHLO_L_64 SHLO_R_64 SHAR_R_64 AND XOR OR MUL_UPPER_S_S MUL_UPPER_U_U
            MUL_UPPER_S_U SET_LT_U SET_LT_S CMOV_IZ CMOV_NZ ROT_L_64 ROT_L_32 ROT_R_64
            ROT_R_32 AND_INV OR_INV XNOR MAX MAX_U MIN MIN_U;
            LOAD_IND_U64__LOAD_IND_U64 = LOAD_IND_U64 + LOAD_IND_U64,
            STORE_IND_U64__STORE_IND_U64 = STORE_IND_U64 + STORE_IND_U64,
            LOAD_IND_U64__STORE_IND_U64 = LOAD_IND_U64 + STORE_IND_U64,
            STORE_IND_U64__LOAD_IND_U64 = STORE_IND_U64 + LOAD_IND_U64,
            LOAD_IND_U64__ADD_IMM_64 = LOAD_IND_U64 + ADD_IMM_64,
            ADD_IMM_64__STORE_IND_U64 = ADD_IMM_64 + STORE_IND_U64,
            LOAD_IMM__LOAD_IMM = LOAD_IMM + LOAD_IMM,
            LOAD_IMM__JUMP = LOAD_IMM + JUMP,
            LOAD_IND_U8__LOAD_IND_U8 = LOAD_IND_U8 + LOAD_IND_U8,
            LOAD_IND_U8__BRANCH_NE_IMM = LOAD_IND_U8 + BRANCH_NE_IMM,
            LOAD_IND_U8__BRANCH_EQ_IMM = LOAD_IND_U8 + BRANCH_EQ_IMM,
            SHLO_L_IMM_64__SHLO_L_IMM_64 = SHLO_L_IMM_64 + SHLO_L_IMM_64,
            SHLO_L_IMM_64__SHLO_R_IMM_64 = SHLO_L_IMM_64 + SHLO_R_IMM_64,
            SHLO_L_IMM_64__SHAR_R_IMM_64 = SHLO_L_IMM_64 + SHAR_R_IMM_64,
            SHLO_L_IMM_64__OR = SHLO_L_IMM_64 + OR,
            OR__STORE_IND_U64 = OR + STORE_IND_U64,
            AND_IMM__BRANCH_NE_IMM = AND_IMM + BRANCH_NE_IMM,
            AND_IMM__BRANCH_EQ_IMM = AND_IMM + BRANCH_EQ_IMM,
            MOVE_REG__MOVE_REG = MOVE_REG + MOVE_REG,
            MOVE_REG__LOAD_IMM_JUMP = MOVE_REG + LOAD_IMM_JUMP,
            ADD_IMM_64__ADD_IMM_64 = ADD_IMM_64 + ADD_IMM_64,
            ADD_IMM_64__JUMP_IND = ADD_IMM_64 + JUMP_IND,
            ADD_IMM_64__BRANCH_NE_IMM = ADD_IMM_64 + BRANCH_NE_IMM,
            ADD_IMM_64__BRANCH_LT_U = ADD_IMM_64 + BRANCH_LT_U,
            ADD_64__ADD_64 = ADD_64 + ADD_64,
            ADD_64__LOAD_IND_U8 = ADD_64 + LOAD_IND_U8,
            ADD_64__LOAD_IND_U64 = ADD_64 + LOAD_IND_U64,
            ADD_64__STORE_IMM_IND_U8 = ADD_64 + STORE_IMM_IND_U8,
            ADD_64__BRANCH_LT_U = ADD_64 + BRANCH_LT_U,
            XOR__ROT_R_64_IMM = XOR + ROT_R_64_IMM,
        }
    };
}
