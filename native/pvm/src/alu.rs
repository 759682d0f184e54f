//! Arithmetic of the instructions that is more than one expression (section A.5).

/// Sign extension of the low 32 bits.
#[inline(always)]
pub fn sext32(value: u64) -> u64 {
    value as u32 as i32 as i64 as u64
}

#[inline(always)]
pub fn div_u_32(a: u64, b: u64) -> u64 {
    (a as u32)
        .checked_div(b as u32)
        .map_or(u64::MAX, |quotient| sext32(u64::from(quotient)))
}

#[inline(always)]
pub fn div_s_32(a: u64, b: u64) -> u64 {
    let (a, b) = (a as i32, b as i32);
    if b == 0 {
        u64::MAX
    } else {
        a.wrapping_div(b) as i64 as u64
    }
}

#[inline(always)]
pub fn rem_u_32(a: u64, b: u64) -> u64 {
    let (a, b) = (a as u32, b as u32);
    sext32(u64::from(a.checked_rem(b).unwrap_or(a)))
}

#[inline(always)]
pub fn rem_s_32(a: u64, b: u64) -> u64 {
    let (a, b) = (a as i32, b as i32);
    let rest = if b == 0 { a } else { a.wrapping_rem(b) };
    rest as i64 as u64
}

#[inline(always)]
pub fn div_u_64(a: u64, b: u64) -> u64 {
    a.checked_div(b).unwrap_or(u64::MAX)
}

#[inline(always)]
pub fn div_s_64(a: u64, b: u64) -> u64 {
    if b == 0 {
        u64::MAX
    } else {
        (a as i64).wrapping_div(b as i64) as u64
    }
}

#[inline(always)]
pub fn rem_u_64(a: u64, b: u64) -> u64 {
    a.checked_rem(b).unwrap_or(a)
}

#[inline(always)]
pub fn rem_s_64(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        (a as i64).wrapping_rem(b as i64) as u64
    }
}

#[inline(always)]
pub fn mul_upper_s_s(a: u64, b: u64) -> u64 {
    ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64
}

#[inline(always)]
pub fn mul_upper_u_u(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

#[inline(always)]
pub fn mul_upper_s_u(a: u64, b: u64) -> u64 {
    ((i128::from(a as i64) * i128::from(b)) >> 64) as u64
}
