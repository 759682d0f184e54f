//! The powers-of-tau reference string of the ring's polynomial commitments, and its Lagrange form.
//!
//! Both are data of the library file: pages of it are read when used and may be dropped by the
//! system, so a verifier keeps no reference string in memory.

use ark_bls12_381::{Bls12_381, G1Affine, G2Affine};
use ark_vrf::reexports::ark_serialize::CanonicalDeserialize;
use w3f_pcs::pcs::kzg::params::RawKzgVerifierKey;
use w3f_pcs::pcs::kzg::urs::URS;

/// Zcash's powers of tau as published with ark-vrf: a count and 6145 points of G1, a count and two
/// points of G2, uncompressed.
const POWERS: &[u8] = include_bytes!("../data/zcash-powers-of-tau-2-11.bin");

/// For each domain size: the commitment of the ring without keys (x, y, selector), then the Lagrange
/// points of the positions that keys can take; uncompressed. Made by `examples/ring_tables.rs`.
const TABLES: [(usize, &[u8]); 3] = [
    (512, include_bytes!("../data/ring-512.bin")),
    (1024, include_bytes!("../data/ring-1024.bin")),
    (2048, include_bytes!("../data/ring-2048.bin")),
];

const COUNT: usize = 8;
const G1: usize = 96;
const G2: usize = 192;
/// Rows of a domain that hold no key: the bits of a blinding factor, and four idle ones.
const OVERHEAD: usize = 253 + 4;

/// The first `count` powers of tau in G1.
fn powers_in_g1(count: usize) -> Vec<G1Affine> {
    points(&POWERS[COUNT..][..count * G1])
}

/// The generator of G2 and its multiple by tau.
fn powers_in_g2() -> [G2Affine; 2] {
    let bytes = &POWERS[POWERS.len() - 2 * G2..];
    [0, 1].map(|index| {
        G2Affine::deserialize_uncompressed_unchecked(&bytes[index * G2..][..G2])
            .expect("our own data decodes")
    })
}

/// What a verifier needs of the reference string.
pub fn verifier_key() -> RawKzgVerifierKey<Bls12_381> {
    let [g2, tau_in_g2] = powers_in_g2();
    RawKzgVerifierKey {
        g1: powers_in_g1(1)[0],
        g2,
        tau_in_g2,
    }
}

/// What a prover over a domain of `domain_size` rows needs of the reference string.
pub fn prover_string(domain_size: usize) -> URS<Bls12_381> {
    URS {
        powers_in_g1: powers_in_g1(3 * domain_size + 1),
        powers_in_g2: powers_in_g2().to_vec(),
    }
}

/// Precomputed points for rings over one domain.
pub struct RingTable {
    pub domain_size: usize,
    bytes: &'static [u8],
}

impl RingTable {
    /// The table of the smallest domain that holds `ring_size` keys; none holds more than 1791.
    pub fn for_ring(ring_size: usize) -> Option<Self> {
        TABLES
            .into_iter()
            .find(|(domain_size, _)| ring_size + OVERHEAD <= *domain_size)
            .map(|(domain_size, bytes)| RingTable { domain_size, bytes })
    }

    /// Commitments of the ring whose every key is the padding point: x, y, selector.
    pub fn empty_ring(&self) -> [G1Affine; 3] {
        let points = points(&self.bytes[..3 * G1]);
        [points[0], points[1], points[2]]
    }

    /// Lagrange points of `count` positions from `first` on.
    pub fn lagrange(&self, first: usize, count: usize) -> Vec<G1Affine> {
        points(&self.bytes[(3 + first) * G1..][..count * G1])
    }
}

/// Decodes our own data, which needs no checks beyond the tests of this repository.
fn points(bytes: &[u8]) -> Vec<G1Affine> {
    bytes
        .chunks_exact(G1)
        .map(|point| {
            G1Affine::deserialize_uncompressed_unchecked(point).expect("our own data decodes")
        })
        .collect()
}
