//! Multiplication for the transforms, with 0.5 MB of tables where the library's engines keep 8 MB.
//!
//! Multiplication by a constant is linear over bits: the product of a word is the sum of the constant's
//! products with the powers of two that the word consists of. Sixteen products are made for a row of
//! words; everything else is bytewise `and` and `xor`, which compilers turn into whatever vectors the
//! processor has.

use reed_solomon_simd::engine::tables::{self, ExpLog, Skew};
use reed_solomon_simd::engine::{utils, Engine, GfElement, ShardsRefMut, GF_MODULUS};

/// The low octets of 32 words, then their high octets.
type Block = [u8; 64];

const WORDS: usize = 32;

/// An engine with small tables.
#[derive(Clone, Copy)]
pub(crate) struct Compact {
    powers: &'static ExpLog,
    skew: &'static Skew,
}

impl Compact {
    pub(crate) fn new() -> Self {
        Compact {
            powers: tables::get_exp_log(),
            skew: tables::get_skew(),
        }
    }

    /// The products of a constant, given by its logarithm, with the sixteen powers of two.
    fn products(&self, log_m: GfElement) -> [[u8; 2]; 16] {
        let ExpLog { exp, log } = self.powers;
        std::array::from_fn(|bit| tables::mul(1 << bit, log_m, exp, log).to_le_bytes())
    }

    /// `rows[to] += rows[from] * m`, for the rows of a butterfly.
    fn add_product(&self, to: &mut [Block], from: &[Block], log_m: GfElement) {
        let products = self.products(log_m);
        for (to, from) in to.iter_mut().zip(from) {
            let product = multiply(from, &products);
            for (octet, term) in to.iter_mut().zip(product) {
                *octet ^= term;
            }
        }
    }
}

/// The products of 32 words with the constant that `products` belongs to.
fn multiply(block: &Block, products: &[[u8; 2]; 16]) -> Block {
    let mut low = [0; WORDS];
    let mut high = [0; WORDS];
    for (half, products) in block.chunks_exact(WORDS).zip(products.chunks_exact(8)) {
        for (bit, [product_low, product_high]) in products.iter().enumerate() {
            for word in 0..WORDS {
                let mask = if half[word] & (1 << bit) == 0 {
                    0
                } else {
                    0xff
                };
                low[word] ^= mask & product_low;
                high[word] ^= mask & product_high;
            }
        }
    }
    let mut product = [0; 2 * WORDS];
    product[..WORDS].copy_from_slice(&low);
    product[WORDS..].copy_from_slice(&high);
    product
}

impl Engine for Compact {
    fn fft(
        &self,
        data: &mut ShardsRefMut,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        let mut distance = size / 2;
        while distance > 0 {
            for first in (0..truncated_size).step_by(2 * distance) {
                let log_m = self.skew[first + distance + skew_delta - 1];
                for row in first..first + distance {
                    let (a, b) = data.dist2_mut(pos + row, distance);
                    // The modulus stands for the logarithm of zero.
                    if log_m != GF_MODULUS {
                        self.add_product(a, b, log_m);
                    }
                    utils::xor(b, a);
                }
            }
            distance /= 2;
        }
    }

    fn ifft(
        &self,
        data: &mut ShardsRefMut,
        pos: usize,
        size: usize,
        truncated_size: usize,
        skew_delta: usize,
    ) {
        let mut distance = 1;
        while distance < size {
            for first in (0..truncated_size).step_by(2 * distance) {
                let log_m = self.skew[first + distance + skew_delta - 1];
                for row in first..first + distance {
                    let (a, b) = data.dist2_mut(pos + row, distance);
                    utils::xor(b, a);
                    if log_m != GF_MODULUS {
                        self.add_product(a, b, log_m);
                    }
                }
            }
            distance *= 2;
        }
    }

    fn mul(&self, x: &mut [Block], log_m: GfElement) {
        let products = self.products(log_m);
        for block in x {
            *block = multiply(block, &products);
        }
    }
}
