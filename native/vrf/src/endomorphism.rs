//! The endomorphism of Bandersnatch, by which a product takes half the doublings.
//!
//! On the prime-order subgroup it multiplies by `LAMBDA`, a root of -2 modulo the order (Masson, Sanso,
//! Zhang, "Bandersnatch: a fast elliptic curve built over the BLS12-381 scalar field"). Running times
//! depend on the values: never for secrets.

use ark_ed_on_bls12_381_bandersnatch::{EdwardsProjective, Fq, Fr};
use ark_vrf::reexports::ark_ff::{
    AdditiveGroup, BigInt, BigInteger, Field, MontFp, PrimeField, Zero,
};

/// What the endomorphism multiplies by; only tests need it, the other constants follow from it.
#[cfg(test)]
const LAMBDA: Fr =
    MontFp!("8913659658109529928382530854484400854125314752504019737736543920008458395397");
/// Constants of the map.
const B: Fq =
    MontFp!("37446463827641770816307242315180085052603635617490163568005256780843403514036");
const C: Fq =
    MontFp!("49199877423542878313146170939139662862850515542392585932876811575731455068989");

/// The order is `LONG² + 2·SHORT²`; the vectors `(2·SHORT, -LONG)` and `(-LONG, -SHORT)` span the pairs
/// `(a, b)` with `a + b·LAMBDA = 0`.
const SHORT: u128 = 10741319382058138887739339959866629956;
const LONG: u128 = 113482231691339203864511368254957623327;

/// `SHORT · 2^256 / order` and `LONG · 2^256 / order`, rounded down.
const SHORT_SHARE: BigInt<4> = BigInt([
    0x993b75e7547768aa,
    0x4760f127d8767bde,
    0x0000000000000000,
    0x0000000000000000,
]);
const LONG_SHARE: BigInt<4> = BigInt([
    0xdebac77a3f4747c1,
    0xf21df5b0541cf632,
    0x0000000000000002,
    0x0000000000000000,
]);

/// A number of some 128 bits with a sign.
pub struct Half {
    pub negative: bool,
    pub magnitude: BigInt<4>,
}

impl Half {
    fn new(value: Fr) -> Self {
        let magnitude = value.into_bigint();
        let negative = magnitude > Fr::MODULUS_MINUS_ONE_DIV_TWO;
        let magnitude = if negative {
            (-value).into_bigint()
        } else {
            magnitude
        };
        Half {
            negative,
            magnitude,
        }
    }
}

/// `[a, b]` with `a + b·LAMBDA` the scalar.
pub fn split(scalar: Fr) -> [Half; 2] {
    let whole = scalar.into_bigint();
    let share = |of: &BigInt<4>| Fr::from(whole.mul_high(of));
    let (first, second) = (share(&SHORT_SHARE), share(&LONG_SHARE));
    let (short, long) = (Fr::from(SHORT), Fr::from(LONG));
    [
        Half::new(scalar - first * short.double() - second * long),
        Half::new(first * long - second * short),
    ]
}

/// `LAMBDA` times a point of the prime-order subgroup.
pub fn endomorphism(point: &EdwardsProjective) -> EdwardsProjective {
    if point.x.is_zero() {
        // Of the subgroup that is the neutral point, where the formulas divide by zero.
        return *point;
    }
    let (y_squared, z_squared) = (point.y.square(), point.z.square());
    let f = C * (z_squared - y_squared);
    let g = B * (y_squared + B * z_squared);
    let h = y_squared - B * z_squared;
    let product = point.x * point.y;
    EdwardsProjective::new_unchecked(f * h, g * product, f * g, product * h)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_vrf::reexports::ark_ff::AdditiveGroup;
    use ark_vrf::reexports::ark_std::{test_rng, UniformRand};

    #[test]
    fn the_map_multiplies_by_lambda() {
        let rng = &mut test_rng();
        for _ in 0..10 {
            let point = EdwardsProjective::rand(rng);
            assert_eq!(endomorphism(&point), point * LAMBDA);
        }
        let neutral = EdwardsProjective::zero();
        assert_eq!(endomorphism(&neutral), neutral);
    }

    #[test]
    fn halves_are_small_and_make_the_scalar() {
        let rng = &mut test_rng();
        let edge = [Fr::ZERO, Fr::from(1u64), -Fr::from(1u64), LAMBDA, -LAMBDA];
        for scalar in edge.into_iter().chain((0..200).map(|_| Fr::rand(rng))) {
            let [a, b] = split(scalar).map(|half| {
                assert!(half.magnitude.num_bits() <= 129);
                let value = Fr::from(half.magnitude);
                if half.negative {
                    -value
                } else {
                    value
                }
            });
            assert_eq!(a + b * LAMBDA, scalar);
        }
    }
}
