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
use ark_vrf::reexports::ark_ff::{Field, One};
use ark_vrf::reexports::ark_serialize::CanonicalDeserialize;
use ark_vrf::suites::bandersnatch::BandersnatchSha512Ell2;

use crate::products::{digits, odd_multiples, sum_of_products, WINDOW};

/// Width of the signed digits for the two bases whose tables are kept.
const FIXED_WINDOW: usize = 8;

/// The point of the curve that 32 bytes encode, if they encode one; maybe outside the subgroup.
pub fn decode_any_point(bytes: &[u8; 32]) -> Option<EdwardsAffine> {
    EdwardsAffine::deserialize_compressed_unchecked(&bytes[..]).ok()
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

/// Odd multiples of a base that never changes.
type FixedTable = OnceLock<Vec<EdwardsAffine>>;

fn fixed_table(slot: &'static FixedTable, base: EdwardsAffine) -> &'static [EdwardsAffine] {
    slot.get_or_init(|| EdwardsProjective::normalize_batch(&odd_multiples(&base, FIXED_WINDOW)))
}

fn generator_table() -> &'static [EdwardsAffine] {
    static TABLE: FixedTable = OnceLock::new();
    fixed_table(&TABLE, EdwardsAffine::generator())
}

fn blinding_table() -> &'static [EdwardsAffine] {
    static TABLE: FixedTable = OnceLock::new();
    fixed_table(&TABLE, BandersnatchSha512Ell2::BLINDING_BASE)
}

/// `a·P + b·Q`.
pub fn double_product(a: Fr, p: &EdwardsAffine, b: Fr, q: &EdwardsAffine) -> EdwardsProjective {
    let tables = (odd_multiples(p, WINDOW), odd_multiples(q, WINDOW));
    let terms = [
        (digits(a, WINDOW), &tables.0[..]),
        (digits(b, WINDOW), &tables.1),
    ];
    sum_of_products(&terms, &[])
}

/// `a·G + b·Q` for the group's generator `G`.
pub fn generator_product(a: Fr, b: Fr, q: &EdwardsAffine) -> EdwardsProjective {
    let table = odd_multiples(q, WINDOW);
    sum_of_products(
        &[(digits(b, WINDOW), &table)],
        &[(digits(a, FIXED_WINDOW), generator_table())],
    )
}

/// `a·G + b·B + c·Q` for the generator `G` and the blinding base `B`.
pub fn blinding_product(a: Fr, b: Fr, c: Fr, q: &EdwardsAffine) -> EdwardsProjective {
    let table = odd_multiples(q, WINDOW);
    let fixed = [
        (digits(a, FIXED_WINDOW), generator_table()),
        (digits(b, FIXED_WINDOW), blinding_table()),
    ];
    sum_of_products(&[(digits(c, WINDOW), &table)], &fixed)
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
            assert_eq!(double_product(a, &p, b, &q), p * a + q * b);
            let generated = EdwardsAffine::generator() * a + q * b;
            assert_eq!(generator_product(a, b, &q), generated);
            let blinded = generated + BandersnatchSha512Ell2::BLINDING_BASE * a;
            assert_eq!(blinding_product(a, a, b, &q), blinded);
        }
    }
}
