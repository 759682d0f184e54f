//! Signatures and hashes: Bandersnatch, its ring VRF, Ed25519 by ZIP-215, Keccak.
