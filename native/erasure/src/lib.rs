//! Erasure coding (appendix H): systematic Reed-Solomon over GF(2^16) in the paper's Cantor basis.
//!
//! The code is the low-rate one of the transform by Lin, Chung and Han: the originals fill the first
//! points of a power of two, zeros the rest of it, and the further chunks are the points behind.
//! A chunk is a row of words; words of different columns do not meet, so work is done in stripes of
//! columns, and its memory does not grow with the data.

mod engine;

use std::fmt;

use reed_solomon_simd::rate::{
    LowRate, LowRateDecoder, LowRateEncoder, Rate, RateDecoder, RateEncoder,
};

use crate::engine::Compact;

/// Columns worked on at a time, in octets: 1024 rows of the full chain then take 2 MB, 2048 rows in
/// recovery 4 MB.
const STRIPE: usize = 2048;

/// The numbers of a code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    originals: usize,
    total: usize,
}

/// Why something cannot be encoded or recovered: the caller's arguments do not fit together.
#[derive(Debug)]
pub struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl From<reed_solomon_simd::Error> for Unfit {
    fn from(error: reed_solomon_simd::Error) -> Self {
        Unfit(error.to_string())
    }
}

impl Code {
    /// A code of `total` chunks, any `originals` of which hold the data.
    pub fn new(originals: usize, total: usize) -> Result<Self, Unfit> {
        let further = total.saturating_sub(originals);
        if !LowRate::<Compact>::supports(originals, further) {
            return Err(Unfit(format!("no code has {originals} of {total} chunks")));
        }
        Ok(Code { originals, total })
    }

    fn further(self) -> usize {
        self.total - self.originals
    }

    /// Writes the chunks behind the originals, one after the other. The data are the originals.
    pub fn encode(self, data: &[u8], further: &mut [u8]) -> Result<(), Unfit> {
        let width = data.len() / self.originals;
        if !data.len().is_multiple_of(2 * self.originals) || further.len() != width * self.further()
        {
            return Err(Unfit(
                "chunks of whole words, all of one length, belong here".into(),
            ));
        }
        let (originals, behind) = (self.originals, self.further());
        let columns = STRIPE.min(width).max(2);
        let mut encoder = LowRateEncoder::new(originals, behind, columns, Compact::new(), None)?;
        let mut part = [0; STRIPE];
        for start in (0..width).step_by(STRIPE) {
            let columns = STRIPE.min(width - start);
            encoder.reset(originals, behind, columns)?;
            for row in data.chunks_exact(width) {
                separate(&row[start..start + columns], &mut part[..columns]);
                encoder.add_original_shard(&part[..columns])?;
            }
            let encoded = encoder.encode()?;
            for (row, made) in further.chunks_exact_mut(width).zip(encoded.recovery_iter()) {
                unite(made, &mut row[start..start + columns]);
            }
        }
        Ok(())
    }

    /// Recovers the data from as many chunks as there are originals, each with its index.
    pub fn recover(self, chunks: &[(usize, &[u8])], data: &mut [u8]) -> Result<(), Unfit> {
        let width = data.len() / self.originals;
        if !data.len().is_multiple_of(2 * self.originals)
            || chunks.iter().any(|(_, chunk)| chunk.len() != width)
        {
            return Err(Unfit(
                "chunks of whole words, all of one length, belong here".into(),
            ));
        }
        for (index, chunk) in chunks {
            if *index < self.originals {
                data[index * width..(index + 1) * width].copy_from_slice(chunk);
            }
        }
        let (originals, behind) = (self.originals, self.further());
        let columns = STRIPE.min(width).max(2);
        let mut decoder = LowRateDecoder::new(originals, behind, columns, Compact::new(), None)?;
        let mut part = [0; STRIPE];
        for start in (0..width).step_by(STRIPE) {
            let columns = STRIPE.min(width - start);
            decoder.reset(originals, behind, columns)?;
            for (index, chunk) in chunks {
                let part = &mut part[..columns];
                separate(&chunk[start..start + columns], part);
                match index.checked_sub(originals) {
                    None => decoder.add_original_shard(*index, part)?,
                    Some(further) => decoder.add_recovery_shard(further, part)?,
                }
            }
            let decoded = decoder.decode()?;
            for (index, restored) in decoded.restored_original_iter() {
                let at = index * width + start;
                unite(restored, &mut data[at..at + columns]);
            }
        }
        Ok(())
    }
}

/// The library takes words as blocks of 32: their low octets, then their high ones.
const BLOCK: usize = 64;

/// From the paper's order, words with the low octet first, to the library's.
fn separate(words: &[u8], halves: &mut [u8]) {
    for (words, halves) in words.chunks(BLOCK).zip(halves.chunks_mut(BLOCK)) {
        let (low, high) = halves.split_at_mut(words.len() / 2);
        for (word, (low, high)) in words.chunks_exact(2).zip(low.iter_mut().zip(high)) {
            (*low, *high) = (word[0], word[1]);
        }
    }
}

/// The opposite of [`separate`].
fn unite(halves: &[u8], words: &mut [u8]) {
    for (words, halves) in words.chunks_mut(BLOCK).zip(halves.chunks(BLOCK)) {
        let (low, high) = halves.split_at(halves.len() / 2);
        for (word, (low, high)) in words.chunks_exact_mut(2).zip(low.iter().zip(high)) {
            (word[0], word[1]) = (*low, *high);
        }
    }
}

#[cfg(test)]
mod tests {
    use reed_solomon_simd::engine::Naive;
    use reed_solomon_simd::rate::{LowRateEncoder, RateEncoder};

    use super::Code;

    /// Octets without a pattern that a transform could hide.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = || {
            state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn engine_agrees_with_the_reference() {
        for (originals, total, width) in [(2, 6, 130), (5, 21, 64), (342, 1023, 2), (342, 1023, 66)]
        {
            let data = noise(originals * width);
            let mut further = vec![0; (total - originals) * width];
            Code::new(originals, total)
                .unwrap()
                .encode(&data, &mut further)
                .unwrap();
            let naive = Naive::new();
            let mut encoder =
                LowRateEncoder::new(originals, total - originals, width, naive, None).unwrap();
            let mut halves = vec![0; width];
            for row in data.chunks(width) {
                super::separate(row, &mut halves);
                encoder.add_original_shard(&halves).unwrap();
            }
            let mut expected = Vec::new();
            for row in encoder.encode().unwrap().recovery_iter() {
                super::unite(row, &mut halves);
                expected.extend_from_slice(&halves);
            }
            assert_eq!(further, expected);
        }
    }

    #[test]
    fn stripes_do_not_show() {
        let (code, width) = (Code::new(3, 10).unwrap(), 2 * super::STRIPE + 6);
        let data = noise(3 * width);
        let mut further = vec![0; 7 * width];
        code.encode(&data, &mut further).unwrap();
        let row = |index: usize| &further[(index - 3) * width..(index - 2) * width];
        let mut recovered = vec![0; data.len()];
        let chunks = [(1, &data[width..2 * width]), (4, row(4)), (9, row(9))];
        code.recover(&chunks, &mut recovered).unwrap();
        assert_eq!(recovered, data);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(Code::new(0, 6).is_err());
        assert!(Code::new(6, 6).is_err());
        assert!(Code::new(7, 6).is_err());
        let code = Code::new(2, 6).unwrap();
        assert!(code.encode(&[0; 6], &mut [0; 12]).is_err());
        assert!(code.encode(&[0; 8], &mut [0; 12]).is_err());
        assert!(code
            .recover(&[(2, &[0; 4]), (2, &[0; 4])], &mut [0; 8])
            .is_err());
        assert!(code.recover(&[(2, &[0; 4])], &mut [0; 8]).is_err());
        assert!(code
            .recover(&[(2, &[0; 4]), (6, &[0; 4])], &mut [0; 8])
            .is_err());
        assert!(code
            .recover(&[(2, &[0; 2]), (3, &[0; 2])], &mut [0; 8])
            .is_err());
    }
}
