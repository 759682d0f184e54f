//! Sums of products of points with scalars. Running times depend on the values: never for secrets.

use ark_vrf::reexports::ark_ec::CurveGroup;
use ark_vrf::reexports::ark_ff::{BigInteger, PrimeField};

/// Width of the signed digits for points that are seen once.
pub const WINDOW: usize = 5;

/// `P, 3P, 5P, ...`: what signed digits of `window` bits select from.
pub fn odd_multiples<P: CurveGroup>(point: &P::Affine, window: usize) -> Vec<P> {
    odd_multiples_of((*point).into(), window)
}

/// [`odd_multiples`] of a point in projective coordinates.
pub fn odd_multiples_of<P: CurveGroup>(first: P, window: usize) -> Vec<P> {
    let double = first.double();
    std::iter::successors(Some(first), |last| Some(*last + double))
        .take(1 << (window - 2))
        .collect()
}

/// Signed digits of a scalar, least significant first: each zero or odd, below `2^(window - 1)`.
pub fn digits<F: PrimeField>(scalar: F, window: usize) -> Vec<i64> {
    digits_of(&scalar.into_bigint(), window)
}

/// [`digits`] of a number.
pub fn digits_of(number: &impl BigInteger, window: usize) -> Vec<i64> {
    number
        .find_wnaf(window)
        .expect("the window is within the library's bounds")
}

/// Sum of products, one chain of doublings for all. Each term is a scalar's digits and the odd
/// multiples of its point: points in `terms`, points whose multiples are kept in `fixed_terms`.
pub fn sum_of_products<P: CurveGroup>(
    terms: &[(&[i64], &[P])],
    fixed_terms: &[(&[i64], &[P::Affine])],
) -> P {
    let lengths = terms.iter().map(|(digits, _)| digits.len());
    let fixed_lengths = fixed_terms.iter().map(|(digits, _)| digits.len());
    let digit_at = |digits: &[i64], position| digits.get(position).copied().filter(|d| *d != 0);
    let mut sum = P::zero();
    for position in (0..lengths.chain(fixed_lengths).max().unwrap_or(0)).rev() {
        sum.double_in_place();
        for (digits, table) in terms {
            match digit_at(digits, position) {
                Some(digit) if digit > 0 => sum += table[digit as usize / 2],
                Some(digit) => sum -= table[digit.unsigned_abs() as usize / 2],
                None => {}
            }
        }
        for (digits, table) in fixed_terms {
            match digit_at(digits, position) {
                Some(digit) if digit > 0 => sum += table[digit as usize / 2],
                Some(digit) => sum -= table[digit.unsigned_abs() as usize / 2],
                None => {}
            }
        }
    }
    sum
}
