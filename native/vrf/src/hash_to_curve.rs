//! The point that a string hashes to: `hash_to_curve` of RFC 9380 with Elligator 2, as the suite
//! `Bandersnatch_XMD:SHA-512_ELL2_RO_` has it.
//!
//! The library's function decides what is right; this one shares inversions, takes one power where
//! the library takes a Legendre symbol and a root, and leaves the result projective. Strings are
//! public: running times depend on them.

use std::sync::OnceLock;

use ark_ed_on_bls12_381_bandersnatch::{BandersnatchConfig, EdwardsProjective, Fq};
use ark_vrf::reexports::ark_ec::hashing::curve_maps::elligator2::Elligator2Config;
use ark_vrf::reexports::ark_ec::hashing::curve_maps::parity;
use ark_vrf::reexports::ark_ec::twisted_edwards::MontCurveConfig;
use ark_vrf::reexports::ark_ec::AdditiveGroup;
use ark_vrf::reexports::ark_ff::field_hashers::{DefaultFieldHasher, HashToField};
use ark_vrf::reexports::ark_ff::{Field, One, Zero};
use ark_vrf::suites::bandersnatch::BandersnatchSha512Ell2;
use ark_vrf::Suite;
use sha2::Sha512;

use crate::roots::{non_square, root, Root};

type FieldHasher = DefaultFieldHasher<Sha512, 128>;

fn field_hasher() -> &'static FieldHasher {
    static HASHER: OnceLock<FieldHasher> = OnceLock::new();
    HASHER.get_or_init(|| {
        let parts: [&[u8]; 3] = [
            b"ECVRF_",
            b"Bandersnatch_XMD:SHA-512_ELL2_RO_",
            BandersnatchSha512Ell2::SUITE_ID,
        ];
        <FieldHasher as HashToField<Fq>>::new(&parts.concat())
    })
}

/// The point of the prime-order subgroup that a string hashes to.
pub fn hash_to_curve(data: &[u8]) -> EdwardsProjective {
    let elements: [Fq; 2] = field_hasher().hash_to_field(data);
    let [mut first, mut second] = elements.map(denominator);
    // Both denominators by one inversion.
    let shared = (first * second)
        .inverse()
        .expect("denominators are not zero");
    (first, second) = (shared * second, shared * first);
    let sum = mapped(elements[0], first) + mapped(elements[1], second);
    // The cofactor is 4.
    sum.double().double()
}

/// `1 + Z·u²`, or one where that is zero.
fn denominator(element: Fq) -> Fq {
    let denominator = Fq::one() + BandersnatchConfig::Z * element.square();
    if denominator.is_zero() {
        Fq::one()
    } else {
        denominator
    }
}

/// `sqrt(Z / non_square)`: both are no squares.
fn ratio_root() -> Fq {
    static RATIO: OnceLock<Fq> = OnceLock::new();
    *RATIO.get_or_init(|| {
        (BandersnatchConfig::Z / non_square())
            .sqrt()
            .expect("the ratio of two non-squares is a square")
    })
}

/// The point that Elligator 2 maps a field element to (RFC 9380, section 6.8.2).
fn mapped(element: Fq, inverse_denominator: Fq) -> EdwardsProjective {
    let quotient = BandersnatchConfig::COEFF_A_OVER_COEFF_B;
    let first = -quotient * inverse_denominator;
    let squared = first.square();
    let curve = squared * (first + quotient) + first * BandersnatchConfig::ONE_OVER_COEFF_B_SQUARE;
    let (x, mut y, odd) = match root(curve) {
        Root::Of(root) => (first, root, true),
        // The curve's value at the second x is `Z·u²` times that at the first.
        Root::OfProduct(root) => (-first - quotient, root * ratio_root() * element, false),
    };
    if parity(&y) != odd {
        y = -y;
    }
    let b = <BandersnatchConfig as MontCurveConfig>::COEFF_B;
    let (s, t) = (x * b, y * b);
    // To twisted Edwards coordinates `(s / t, (s - 1) / (s + 1))`, or the neutral point.
    let (above, below) = (s - Fq::one(), s + Fq::one());
    if t.is_zero() || below.is_zero() {
        return EdwardsProjective::zero();
    }
    EdwardsProjective::new_unchecked(s * below, above * t, s * above, t * below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_vrf::suites::bandersnatch::Input;

    #[test]
    fn points_are_those_of_the_library() {
        for length in 0..200usize {
            let data: Vec<u8> = (0..length).map(|at| (at * 7 + length) as u8).collect();
            let expected = Input::new(&data).expect("Elligator 2 maps every string").0;
            assert_eq!(hash_to_curve(&data), EdwardsProjective::from(expected));
        }
    }
}
