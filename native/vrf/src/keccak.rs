//! Keccak-256 with the original padding, the `H_K` of the paper (section 3.8.1).

use sha3::{Digest, Keccak256};

/// The 32-byte Keccak-256 digest of `data`.
pub fn keccak256(data: &[u8]) -> [u8; 32] {
    Keccak256::digest(data).into()
}
