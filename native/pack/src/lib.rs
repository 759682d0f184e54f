//! Checksums and compression of chunks in files that boards exchange.
//!
//! The same bytes give the same packed bytes on every platform: the compressor is plain Rust of a
//! pinned version. Packed bytes are a raw DEFLATE stream, so any tool can read them.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_slice_iter_to_slice;

/// The fastest level: on real states a tenth more room than zlib takes at its usual level, at five
/// times the speed.
const LEVEL: u8 = 1;

/// The BLAKE3 hash of some bytes.
pub fn checksum(data: &[u8]) -> [u8; 32] {
    *blake3::hash(data).as_bytes()
}

/// Compresses some bytes.
pub fn pack(data: &[u8]) -> Vec<u8> {
    compress_to_vec(data, LEVEL)
}

/// Decompresses what [`pack`] made of `size` bytes; `None` when it made it of anything else. Takes
/// no more memory than the result, whatever the input says.
pub fn unpack(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size];
    let written =
        decompress_slice_iter_to_slice(&mut out, [packed].into_iter(), false, true).ok()?;
    (written == size).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        (0..100_000u32)
            .flat_map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes())
            .collect()
    }

    #[test]
    fn packs_and_unpacks() {
        for data in [Vec::new(), vec![7], sample()] {
            assert_eq!(unpack(&pack(&data), data.len()), Some(data));
        }
    }

    #[test]
    fn refuses_another_size_and_damage() {
        let data = sample();
        let packed = pack(&data);
        assert_eq!(unpack(&packed, data.len() - 1), None);
        assert_eq!(unpack(&packed, data.len() + 1), None);
        assert_eq!(unpack(&packed[..packed.len() / 2], data.len()), None);
    }

    #[test]
    fn packed_bytes_are_part_of_the_format() {
        let packed = checksum(&pack(&sample()));
        let hex: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "e2b5b84bc58a7ae88ee7418ec086841ad48ea8d68fe7c1111db77b5aebed83f8"
        );
    }
}
