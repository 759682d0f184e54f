//! Makes `data/ring-*.bin` from the powers of tau: the Lagrange form that `reference.rs` describes.
//!
//! Run in this crate's folder, with empty files in place of missing tables:
//! `cargo run --release --example ring_tables`

use std::path::Path;

use ark_vrf::reexports::ark_serialize::CanonicalSerialize;
use ark_vrf::ring::{RingBuilderPcsParams, RingProofParams, VerifierKeyBuilder};
use ark_vrf::suites::bandersnatch::BandersnatchSha512Ell2 as Suite;
use jamliquor_vrf::reference::prover_string;

const OVERHEAD: usize = 257;

fn main() {
    for domain_size in [512, 1024, 2048] {
        let capacity = domain_size - OVERHEAD;
        let params =
            RingProofParams::<Suite>::from_pcs_params(capacity, prover_string(domain_size))
                .expect("the reference string is long enough");
        let (builder, lagrange): (VerifierKeyBuilder<Suite>, RingBuilderPcsParams<Suite>) =
            params.verifier_key_builder();
        let empty = builder.finalize().commitment();
        let mut bytes = Vec::new();
        for point in [empty.points[0].0, empty.points[1].0, empty.ring_selector.0]
            .iter()
            .chain(&lagrange.0[..capacity])
        {
            point
                .serialize_uncompressed(&mut bytes)
                .expect("a vector grows");
        }
        let path = Path::new("data").join(format!("ring-{domain_size}.bin"));
        std::fs::write(&path, bytes).expect("the data folder is writable");
        println!("{}", path.display());
    }
}
