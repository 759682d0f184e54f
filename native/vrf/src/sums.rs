//! Sums of many products of points of G1 with scalars: nearly all of what a ring proof takes.
//!
//! Three things make them cheaper than the library's: the curve's endomorphism turns each scalar into
//! two of half the size, digits are signed, and the points that share a digit are added in affine
//! coordinates, many pairs with one inversion. Running times depend on the values, as the library's do.

use ark_bls12_381::{g1::Config, Fq, Fr, G1Affine, G1Projective};
use ark_vrf::reexports::ark_ec::scalar_mul::glv::GLVConfig;
use ark_vrf::reexports::ark_ec::AffineRepr;
use ark_vrf::reexports::ark_ff::{batch_inversion, AdditiveGroup, Field, One, PrimeField, Zero};

/// The curve's parameter without its sign. The endomorphism multiplies by its square.
const X: u64 = 0xd201_0000_0001_0000;
/// Bits of half a scalar, and one for a carry.
const HALF_BITS: usize = 129;
/// Points that are sorted at once, about: bounds the memory of a sum to some 1.5 MB.
const AT_ONCE: usize = 1 << 13;

/// The sum of all products; both slices have one length.
pub fn sum_of_many(bases: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    assert_eq!(bases.len(), scalars.len(), "a scalar for each point");
    let window = window(bases.len());
    let count = HALF_BITS.div_ceil(window);
    let mut points = bases.to_vec();
    points.extend(bases.iter().map(endomorphism));
    let halves: Vec<(u128, u128)> = scalars.iter().map(halves).collect();
    let mut digits = Vec::with_capacity(points.len() * count);
    for half in halves
        .iter()
        .map(|it| it.0)
        .chain(halves.iter().map(|it| it.1))
    {
        digits.extend(digits_of(half, window, count));
    }
    let together = (AT_ONCE / points.len().max(1)).clamp(1, count);
    let mut sums = Vec::with_capacity(count);
    for first in (0..count).step_by(together) {
        let columns = first..(first + together).min(count);
        sums.extend(column_sums(&points, &digits, columns, 1 << (window - 1)));
    }
    sums.iter()
        .rev()
        .fold(G1Projective::zero(), |mut total, sum| {
            for _ in 0..window {
                total.double_in_place();
            }
            total + sum
        })
}

/// Bits of a digit for that many products.
fn window(count: usize) -> usize {
    match count {
        0..16 => 4,
        16..128 => 6,
        128..1024 => 8,
        1024..4096 => 9,
        _ => 11,
    }
}

/// The point times the square of [`X`]; the library's map has the opposite sign.
fn endomorphism(point: &G1Affine) -> G1Affine {
    -Config::endomorphism_affine(point)
}

/// `(a, b)` with `a + b · X²` being the scalar.
fn halves(scalar: &Fr) -> (u128, u128) {
    let mut quotient = scalar.into_bigint().0;
    let mut divide = || {
        let mut rest = 0_u128;
        for limb in quotient.iter_mut().rev() {
            let part = rest << 64 | u128::from(*limb);
            *limb = (part / u128::from(X)) as u64;
            rest = part % u128::from(X);
        }
        rest
    };
    let (low, high) = (divide(), divide());
    let by_square = u128::from(quotient[1]) << 64 | u128::from(quotient[0]);
    (high * u128::from(X) + low, by_square)
}

/// Signed digits, least significant first, from `-2^(window - 1)` to `2^(window - 1)`.
fn digits_of(mut value: u128, window: usize, count: usize) -> impl Iterator<Item = i16> {
    let (mask, half) = ((1 << window) - 1, 1_i16 << (window - 1));
    let mut carry = 0;
    (0..count).map(move |_| {
        let digit = (value & mask) as i16 + carry;
        value >>= window;
        carry = i16::from(digit > half);
        digit - (carry << window)
    })
}

/// For each column of digits, the sum of the products with these digits; none is above `most`. The
/// digits of one point stand together.
fn column_sums(
    points: &[G1Affine],
    digits: &[i16],
    columns: std::ops::Range<usize>,
    most: usize,
) -> Vec<G1Projective> {
    let count = digits.len() / points.len().max(1);
    let place = |column: usize, digit: i16| {
        (column - columns.start) * most + usize::from(digit.unsigned_abs()) - 1
    };
    let of_point = |point: usize| {
        let row = &digits[point * count..(point + 1) * count];
        columns
            .clone()
            .map(move |column| (column, row[column]))
            .filter(|(_, digit)| *digit != 0)
    };
    let mut lengths = vec![0_usize; columns.len() * most];
    for point in 0..points.len() {
        for (column, digit) in of_point(point) {
            lengths[place(column, digit)] += 1;
        }
    }
    let starts: Vec<usize> = lengths
        .iter()
        .scan(0, |end, length| {
            *end += length;
            Some(*end - length)
        })
        .collect();
    let mut free = starts.clone();
    let mut sorted = vec![G1Affine::zero(); lengths.iter().sum()];
    for (index, point) in points.iter().enumerate() {
        for (column, digit) in of_point(index) {
            let bucket = place(column, digit);
            sorted[free[bucket]] = if digit < 0 { -*point } else { *point };
            free[bucket] += 1;
        }
    }
    add_up(&mut sorted, &starts, &mut lengths);
    (0..columns.len())
        .map(|column| {
            weighted(
                &sorted,
                &starts,
                &lengths,
                column * most..(column + 1) * most,
            )
        })
        .collect()
}

/// Add up the points of each bucket, in rounds of pairs; what is left stands at its start.
fn add_up(points: &mut [G1Affine], starts: &[usize], lengths: &mut [usize]) {
    let mut divisors = Vec::new();
    loop {
        divisors.clear();
        for (start, length) in starts.iter().zip(lengths.iter()) {
            for pair in points[*start..start + length].chunks_exact(2) {
                divisors.push(divisor(&pair[0], &pair[1]));
            }
        }
        if divisors.is_empty() {
            return;
        }
        batch_inversion(&mut divisors);
        let mut inverses = divisors.iter();
        for (start, length) in starts.iter().zip(lengths.iter_mut()) {
            let bucket = &mut points[*start..start + *length];
            for pair in 0..*length / 2 {
                let inverse = inverses.next().expect("one for each pair");
                bucket[pair] = added(&bucket[2 * pair], &bucket[2 * pair + 1], inverse);
            }
            if *length % 2 == 1 {
                bucket[*length / 2] = bucket[*length - 1];
            }
            *length = length.div_ceil(2);
        }
    }
}

/// What the slope of the line through two points is divided by; one where there is no slope.
fn divisor(first: &G1Affine, second: &G1Affine) -> Fq {
    if first.infinity || second.infinity {
        return Fq::one();
    }
    let difference = second.x - first.x;
    if !difference.is_zero() {
        return difference;
    }
    // The same point, or its negative.
    let double = first.y + second.y;
    if double.is_zero() {
        Fq::one()
    } else {
        double
    }
}

/// The sum of two points, with the inverse of their [`divisor`].
fn added(first: &G1Affine, second: &G1Affine, inverse: &Fq) -> G1Affine {
    if first.infinity {
        return *second;
    }
    if second.infinity {
        return *first;
    }
    let rise = if first.x != second.x {
        second.y - first.y
    } else if first.y == second.y {
        let square = first.x.square();
        square.double() + square
    } else {
        return G1Affine::zero();
    };
    let slope = rise * inverse;
    let x = slope.square() - first.x - second.x;
    let y = slope * (first.x - x) - first.y;
    G1Affine::new_unchecked(x, y)
}

/// The sum of the buckets' sums, each times its digit.
fn weighted(
    points: &[G1Affine],
    starts: &[usize],
    lengths: &[usize],
    buckets: std::ops::Range<usize>,
) -> G1Projective {
    let (mut running, mut total) = (G1Projective::zero(), G1Projective::zero());
    for bucket in buckets.rev() {
        if lengths[bucket] == 1 {
            running += points[starts[bucket]];
        }
        total += running;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_vrf::reexports::ark_ec::{CurveGroup, PrimeGroup, VariableBaseMSM};
    use rand_chacha::rand_core::{RngCore, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    const SQUARE: u128 = X as u128 * X as u128;

    fn scalars(count: usize) -> Vec<Fr> {
        let mut random = ChaCha20Rng::from_seed([7; 32]);
        (0..count)
            .map(|_| {
                let mut octets = [0; 48];
                random.fill_bytes(&mut octets);
                Fr::from_le_bytes_mod_order(&octets)
            })
            .collect()
    }

    fn points(count: usize) -> Vec<G1Affine> {
        let generator = G1Projective::generator();
        let made: Vec<G1Projective> = scalars(count + 1)[1..]
            .iter()
            .map(|scalar| generator * scalar)
            .collect();
        G1Projective::normalize_batch(&made)
    }

    #[test]
    fn sums_are_those_of_the_library() {
        for count in [0, 1, 2, 15, 16, 130, 1100] {
            let (bases, scalars) = (points(count), scalars(count));
            let expected = G1Projective::msm_unchecked(&bases, &scalars);
            assert_eq!(sum_of_many(&bases, &scalars), expected, "{count} products");
        }
    }

    #[test]
    fn points_that_are_equal_opposite_or_nothing() {
        let [one, other] = points(2)[..] else {
            unreachable!()
        };
        let few = [
            one,
            one,
            -one,
            G1Affine::zero(),
            other,
            -other,
            one,
            one,
            one,
        ];
        let same = vec![one; 200];
        let alternating: Vec<_> = (0..200)
            .map(|it| if it % 3 == 0 { -one } else { one })
            .collect();
        for bases in [&few[..], &same, &alternating] {
            for scalar in [
                Fr::from(1),
                Fr::from(3),
                -Fr::from(1),
                scalars(1)[0],
                Fr::zero(),
            ] {
                let scalars = vec![scalar; bases.len()];
                let expected = G1Projective::msm_unchecked(bases, &scalars);
                assert_eq!(sum_of_many(bases, &scalars), expected);
            }
        }
    }

    #[test]
    fn a_scalar_is_its_halves() {
        let square = Fr::from(X).square();
        let edges = [0, 1, u128::from(X), SQUARE - 1, SQUARE, u128::MAX];
        let others = edges.map(|it| -Fr::from(it));
        let products = edges.map(|it| Fr::from(it) * square);
        for scalar in [edges.map(Fr::from), others, products]
            .concat()
            .into_iter()
            .chain(scalars(500))
        {
            let (low, high) = halves(&scalar);
            assert_eq!(Fr::from(low) + Fr::from(high) * square, scalar);
        }
    }

    #[test]
    fn the_endomorphism_multiplies() {
        for point in points(3) {
            assert_eq!(
                endomorphism(&point),
                (point * Fr::from(SQUARE)).into_affine()
            );
        }
    }

    #[test]
    fn digits_make_the_value() {
        for window in [4, 6, 8, 9, 11] {
            let count = HALF_BITS.div_ceil(window);
            for value in [0, 1, 1 << 127, u128::MAX, SQUARE, 0x8080 << 100] {
                let made: Vec<_> = digits_of(value, window, count).collect();
                let half = 1 << (window - 1);
                assert!(made.iter().all(|digit| (-half..=half).contains(digit)));
                let sum = made.iter().rev().fold(Fr::zero(), |sum, digit| {
                    let shifted = (0..window).fold(sum, |sum, _| sum.double());
                    let size = Fr::from(digit.unsigned_abs());
                    if *digit < 0 {
                        shifted - size
                    } else {
                        shifted + size
                    }
                });
                assert_eq!(sum, Fr::from(value));
            }
        }
    }
}
