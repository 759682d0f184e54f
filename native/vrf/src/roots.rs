//! Square roots in the base field of Bandersnatch, whose multiplicative group has 2^32 in its order.
//!
//! The usual algorithm repeats squarings to find a discrete logarithm in the subgroup of that order;
//! here it is read from tables, eight bits at a time (Sarkar, "Computing square roots faster than the
//! Tonelli-Shanks/Bernstein algorithm"). Running times depend on the values: never for secrets.

use std::sync::OnceLock;

use ark_ed_on_bls12_381_bandersnatch::Fq;
use ark_vrf::reexports::ark_ff::{FftField, Field, One, PrimeField, Zero};

/// Bits of the logarithm that one look-up finds.
const BITS: usize = 8;
/// Look-ups that cover the logarithm's 32 bits.
const STEPS: usize = 4;
/// Width of the windows in the power with the fixed exponent.
const POWER_BITS: usize = 5;

struct Tables {
    /// `g^(-i · 2^(8j))` at `[j][i]`, for `g` of order 2^32.
    inverse_powers: [Vec<Fq>; STEPS],
    /// Low limb of `g^(i · 2^24)` with `i`, in the order of the limbs.
    logarithms: Vec<(u64, u32)>,
    /// Windows of `(t - 1) / 2`, most significant first, for `t` the odd part of the group's order.
    exponent: Vec<usize>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let root = Fq::TWO_ADIC_ROOT_OF_UNITY;
        let inverse = root.inverse().expect("a root of unity is not zero");
        let powers = |base: Fq| -> Vec<Fq> {
            std::iter::successors(Some(Fq::one()), |last| Some(*last * base))
                .take(1 << BITS)
                .collect()
        };
        let raised = |base: Fq, step: usize| base.pow([1u64 << (step * BITS)]);
        let mut logarithms: Vec<_> = powers(raised(root, STEPS - 1))
            .iter()
            .zip(0..)
            .map(|(power, log)| (power.0 .0[0], log))
            .collect();
        logarithms.sort_unstable();
        Tables {
            inverse_powers: std::array::from_fn(|step| powers(raised(inverse, step))),
            logarithms,
            exponent: windows(Fq::TRACE_MINUS_ONE_DIV_TWO.0),
        }
    })
}

fn windows(limbs: [u64; 4]) -> Vec<usize> {
    let bit = |at: usize| (limbs[at / 64] >> (at % 64) & 1) as usize;
    (0..256usize.div_ceil(POWER_BITS))
        .rev()
        .map(|window| {
            (0..POWER_BITS)
                .map(|at| (at, window * POWER_BITS + at))
                .filter(|(_, position)| *position < 256)
                .map(|(at, position)| bit(position) << at)
                .sum()
        })
        .skip_while(|window| *window == 0)
        .collect()
}

impl Tables {
    /// `value^((t - 1) / 2)`.
    fn power(&self, value: Fq) -> Fq {
        let mut small = [Fq::one(); 1 << POWER_BITS];
        for at in 1..small.len() {
            small[at] = small[at - 1] * value;
        }
        let mut result = small[self.exponent[0]];
        for window in &self.exponent[1..] {
            for _ in 0..POWER_BITS {
                result.square_in_place();
            }
            if *window != 0 {
                result *= small[*window];
            }
        }
        result
    }

    /// `i` where `value` is `g^(i · 2^24)`.
    fn short_logarithm(&self, value: &Fq) -> u32 {
        let at = self
            .logarithms
            .binary_search_by_key(&value.0 .0[0], |(limb, _)| *limb)
            .expect("the value lies in the subgroup that the table lists");
        self.logarithms[at].1
    }

    /// `e` where `value` is `g^e`.
    fn logarithm(&self, value: Fq) -> u32 {
        let mut raised = [value; STEPS];
        for step in 1..STEPS {
            raised[step] = raised[step - 1];
            for _ in 0..BITS {
                raised[step].square_in_place();
            }
        }
        let mut found = 0u32;
        for step in 0..STEPS {
            let mut rest = raised[STEPS - 1 - step];
            for known in 0..step {
                let digit = found >> (known * BITS) & 0xff;
                rest *= self.inverse_powers[STEPS - 1 - step + known][digit as usize];
            }
            found |= self.short_logarithm(&rest) << (step * BITS);
        }
        found
    }

    /// `g^-e`.
    fn inverse_power(&self, exponent: u32) -> Fq {
        (0..STEPS)
            .map(|step| self.inverse_powers[step][(exponent >> (step * BITS) & 0xff) as usize])
            .product()
    }
}

/// A square root, or of which other number.
pub enum Root {
    /// The square root of the number itself.
    Of(Fq),
    /// The number is no square; the square root of its product with [`non_square`].
    OfProduct(Fq),
}

/// The fixed number that [`Root::OfProduct`] speaks of.
pub fn non_square() -> Fq {
    Fq::TWO_ADIC_ROOT_OF_UNITY
}

/// A square root of the number, or of its product with [`non_square`]: one of them always exists.
pub fn root(value: Fq) -> Root {
    if value.is_zero() {
        return Root::Of(value);
    }
    let tables = tables();
    let power = tables.power(value);
    let candidate = power * value;
    let logarithm = tables.logarithm(power * candidate);
    // `candidate² = value · g^logarithm`.
    let root = candidate * tables.inverse_power(logarithm / 2);
    if logarithm & 1 == 0 {
        Root::Of(root)
    } else {
        Root::OfProduct(root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_vrf::reexports::ark_std::{test_rng, UniformRand};

    #[test]
    fn roots_are_roots_of_squares_and_only_of_them() {
        let rng = &mut test_rng();
        let small = (0u64..50).map(Fq::from);
        let twoadic = (0..33).map(|at| Fq::TWO_ADIC_ROOT_OF_UNITY.pow([1u64 << at]));
        let random = (0..100).map(|_| Fq::rand(rng));
        for value in small.chain(twoadic).chain(random) {
            match root(value) {
                Root::Of(root) => assert_eq!(root.square(), value),
                Root::OfProduct(root) => {
                    assert!(value.legendre().is_qnr());
                    assert_eq!(root.square(), value * non_square());
                }
            }
        }
    }
}
