//! Arithmetic on Bandersnatch that the libraries leave slow: decoding with a cheap subgroup test, and
//! the two-term products of signature verification. Nothing here may be given a secret: running
//! times depend on the values.

use std::sync::OnceLock;

use ark_ed_on_bls12_381_bandersnatch::{
    BandersnatchConfig, EdwardsAffine, EdwardsProjective, Fq, Fr,
};
use ark_vrf::pedersen::PedersenSuite;
use ark_vrf::reexports::ark_ec::twisted_edwards::TECurveConfig;
use ark_vrf::reexports::ark_ec::{AdditiveGroup, AffineRepr, CurveGroup};
use ark_vrf::reexports::ark_ff::{BigInt, Field, One, PrimeField};
use ark_vrf::suites::bandersnatch::BandersnatchSha512Ell2;

use crate::endomorphism::{endomorphism, split};
use crate::products::{digits, digits_of, odd_multiples_of, sum_of_products, WINDOW};
use crate::roots::{root, Root};

/// Width of the signed digits for the two bases whose tables are kept.
const FIXED_WINDOW: usize = 8;
/// Width of the signed digits for keys that recur: 8 KB each.
pub const KEY_WINDOW: usize = 6;

/// The point of the curve that 32 bytes encode, if they encode one; maybe outside the subgroup.
pub fn decode_any_point(bytes: &[u8; 32]) -> Option<EdwardsAffine> {
    let mut limbs = [0u64; 4];
    for (limb, part) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(part.try_into().ok()?);
    }
    let larger = limbs[3] >> 63 == 1;
    limbs[3] &= !(1 << 63);
    let y = Fq::from_bigint(BigInt(limbs))?;
    let y_squared = y.square();
    let denominator = BandersnatchConfig::COEFF_A - BandersnatchConfig::COEFF_D * y_squared;
    let Root::Of(x) = root((Fq::one() - y_squared) * denominator.inverse()?) else {
        return None;
    };
    let x = if larger == (x > -x) { x } else { -x };
    Some(EdwardsAffine::new_unchecked(x, y))
}

/// The point of the prime-order subgroup that 32 bytes encode, if they encode one.
pub fn decode_point(bytes: &[u8; 32]) -> Option<EdwardsAffine> {
    decode_any_point(bytes).filter(in_subgroup)
}

/// Constants of the subgroup test: `a - d`, and `a + d - 2·sqrt(a·d)`.
fn subgroup_constants() -> &'static (Fq, Fq) {
    static CONSTANTS: OnceLock<(Fq, Fq)> = OnceLock::new();
    CONSTANTS.get_or_init(|| {
        let (a, d) = (BandersnatchConfig::COEFF_A, BandersnatchConfig::COEFF_D);
        let root = (a * d)
            .sqrt()
            .expect("the 2-torsion of Bandersnatch is rational");
        (a - d, a + d - root.double())
    })
}

/// Whether a point of the curve lies in the subgroup of prime order.
///
/// The curve's group is `Z/2 × Z/2 × Z/r`, so the subgroup consists of the doubles. In the Weierstrass
/// form `Y² = X·(X - Bα)·(X - Bβ)`, with `X = B·(1 + y)/(1 - y)`, `B = 4/(a - d)` and `α`, `β` the
/// roots of `u² + A·u + 1`, `A = 2(a + d)/(a - d)`, a point is a double exactly when `X` and `X - Bα`
/// are squares (descent by 2-isogenies). Cleared of denominators: `(1 - y²)(a - d)` and
/// `(1 - y)·((1 + y)(a - d) + (1 - y)(a + d - 2·sqrt(ad)))` are squares. That is two Legendre symbols in
/// place of a multiplication by `r`.
fn in_subgroup(point: &EdwardsAffine) -> bool {
    let one = Fq::one();
    let (below, above) = (one - point.y, one + point.y);
    if point.x == Fq::ZERO {
        return below == Fq::ZERO;
    }
    let (difference, shifted) = subgroup_constants();
    let second = below * (above * difference + below * shifted);
    (below * above * difference).legendre().is_qr() && second.legendre().is_qr()
}

/// Positions of a scalar's digits that share one table of a [`FixedBase`].
const CHUNK: usize = 32;

/// A point whose multiples are kept, so that its products take [`CHUNK`] doublings at most: the
/// digits of every [`CHUNK`] positions select from a table of their own.
pub struct FixedBase {
    window: usize,
    tables: Vec<Vec<EdwardsAffine>>,
}

impl FixedBase {
    /// The multiples of a point for digits of `window` bits: `2^(window - 2)` points of 64 bytes for
    /// each of 8 chunks.
    pub fn new(point: &EdwardsAffine, window: usize) -> Self {
        let shifted = |last: &EdwardsProjective| {
            let mut next = *last;
            for _ in 0..CHUNK {
                next.double_in_place();
            }
            Some(next)
        };
        let chunks = (Fr::MODULUS_BIT_SIZE as usize + 1).div_ceil(CHUNK);
        let bases: Vec<_> = std::iter::successors(Some(point.into_group()), shifted)
            .take(chunks)
            .collect();
        let multiples: Vec<_> = bases
            .iter()
            .flat_map(|base| odd_multiples_of(*base, window))
            .collect();
        FixedBase {
            window,
            tables: EdwardsProjective::normalize_batch(&multiples)
                .chunks(1 << (window - 2))
                .map(<[_]>::to_vec)
                .collect(),
        }
    }

    fn digits(&self, scalar: Fr) -> Vec<i64> {
        digits(scalar, self.window)
    }

    /// The terms of a product, whose scalar has these digits.
    fn terms<'a>(
        &'a self,
        digits: &'a [i64],
    ) -> impl Iterator<Item = (&'a [i64], &'a [EdwardsAffine])> {
        digits
            .chunks(CHUNK)
            .zip(self.tables.iter().map(Vec::as_slice))
    }
}

fn generator() -> &'static FixedBase {
    static BASE: OnceLock<FixedBase> = OnceLock::new();
    BASE.get_or_init(|| FixedBase::new(&EdwardsAffine::generator(), FIXED_WINDOW))
}

fn blinding_base() -> &'static FixedBase {
    static BASE: OnceLock<FixedBase> = OnceLock::new();
    BASE.get_or_init(|| FixedBase::new(&BandersnatchSha512Ell2::BLINDING_BASE, FIXED_WINDOW))
}

/// The two halves of a product: digits, and what they select from.
struct Halves {
    digits: [Vec<i64>; 2],
    tables: [Vec<EdwardsProjective>; 2],
}

impl Halves {
    /// Of a product with a point of the prime-order subgroup.
    fn new(scalar: Fr, point: EdwardsProjective) -> Self {
        let table = odd_multiples_of(point, WINDOW);
        let mapped = table.iter().map(endomorphism).collect();
        let digits = split(scalar).map(|half| {
            let mut digits = digits_of(&half.magnitude, WINDOW);
            if half.negative {
                digits.iter_mut().for_each(|digit| *digit = -*digit);
            }
            digits
        });
        Halves {
            digits,
            tables: [table, mapped],
        }
    }

    fn terms(&self) -> [(&[i64], &[EdwardsProjective]); 2] {
        [0, 1].map(|half| (&self.digits[half][..], &self.tables[half][..]))
    }
}

/// `a·P + b·Q`, of points of the prime-order subgroup.
pub fn double_product(
    a: Fr,
    p: EdwardsProjective,
    b: Fr,
    q: EdwardsProjective,
) -> EdwardsProjective {
    let (first, second) = (Halves::new(a, p), Halves::new(b, q));
    sum_of_products(&[first.terms(), second.terms()].concat(), &[])
}

/// `a·G + b·Q` for the group's generator `G` and a point of its own.
pub fn generator_product(a: Fr, b: Fr, q: EdwardsProjective) -> EdwardsProjective {
    let (base, halves) = (generator(), Halves::new(b, q));
    let digits = base.digits(a);
    let fixed: Vec<_> = base.terms(&digits).collect();
    sum_of_products(&halves.terms(), &fixed)
}

/// `a·G + b·Q` for the group's generator `G` and a point whose multiples are at hand.
pub fn generator_product_fixed(a: Fr, b: Fr, q: &FixedBase) -> EdwardsProjective {
    let base = generator();
    let digits = (base.digits(a), q.digits(b));
    let fixed: Vec<_> = base.terms(&digits.0).chain(q.terms(&digits.1)).collect();
    sum_of_products(&[], &fixed)
}

/// `a·G + b·B + c·Q` for the generator `G` and the blinding base `B`.
pub fn blinding_product(a: Fr, b: Fr, c: Fr, q: EdwardsProjective) -> EdwardsProjective {
    let (bases, halves) = ((generator(), blinding_base()), Halves::new(c, q));
    let digits = (bases.0.digits(a), bases.1.digits(b));
    let blinded = bases.1.terms(&digits.1);
    let fixed: Vec<_> = bases.0.terms(&digits.0).chain(blinded).collect();
    sum_of_products(&halves.terms(), &fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_vrf::reexports::ark_std::{test_rng, UniformRand};

    /// Points of the curve, in and out of the subgroup, by their y coordinate.
    fn curve_points() -> impl Iterator<Item = EdwardsAffine> {
        (0u64..400).filter_map(|y| {
            let (x, _) = EdwardsAffine::get_xs_from_y_unchecked(Fq::from(y))?;
            Some(EdwardsAffine::new_unchecked(x, Fq::from(y)))
        })
    }

    #[test]
    fn the_subgroup_test_agrees_with_multiplication_by_the_order() {
        let minus_one = EdwardsAffine::new_unchecked(Fq::ZERO, -Fq::one());
        let points: Vec<_> = curve_points().chain([minus_one]).collect();
        let expected: Vec<_> = points
            .iter()
            .map(|p| p.is_in_correct_subgroup_assuming_on_curve())
            .collect();
        assert!(expected.contains(&true) && expected.contains(&false));
        assert_eq!(points.iter().map(in_subgroup).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn products_agree_with_plain_multiplication() {
        let rng = &mut test_rng();
        let edge = [Fr::ZERO, Fr::one(), -Fr::one()];
        let random: Vec<_> = (0..20).map(|_| Fr::rand(rng)).collect();
        for (&a, &b) in edge.iter().chain(&random).zip(random.iter().chain(&edge)) {
            let (p, q) = (EdwardsAffine::rand(rng), EdwardsAffine::rand(rng));
            let generated = EdwardsAffine::generator() * a + q * b;
            let base = FixedBase::new(&q, KEY_WINDOW);
            assert_eq!(generator_product_fixed(a, b, &base), generated);
            let blinded = generated + BandersnatchSha512Ell2::BLINDING_BASE * a;
            let expected = p * a + q * b;
            let (p, q) = (p.into_group(), q.into_group());
            assert_eq!(double_product(a, p, b, q), expected);
            assert_eq!(generator_product(a, b, q), generated);
            assert_eq!(blinding_product(a, a, b, q), blinded);
        }
    }
}
