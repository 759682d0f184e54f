//! Ring proofs by the library alone and through this crate, in turn: one line of JSON a ring.
//!
//! `cargo run --release --example proving`

use std::time::Instant;

use ark_vrf::reexports::ark_serialize::CanonicalDeserialize;
use ark_vrf::ring::{Prover as _, RingProofParams};
use ark_vrf::suites::bandersnatch::{BandersnatchSha512Ell2 as Suite, Input, Public};
use jamliquor_vrf::bandersnatch::Secret;
use jamliquor_vrf::reference::prover_string;
use jamliquor_vrf::ring;

const ROUNDS: usize = 5;
const MEMBER: usize = 2;

fn milliseconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let made = work();
    (begun.elapsed().as_secs_f64() * 1e3, made)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare(size: usize, domain: usize) {
    let seeds: Vec<[u8; 32]> = (0..size as u32)
        .map(|index| {
            let mut seed = [7; 32];
            seed[..4].copy_from_slice(&index.to_le_bytes());
            seed
        })
        .collect();
    let secret = Secret::from_seed(&seeds[MEMBER]);
    let keys: Vec<[u8; 32]> = seeds
        .iter()
        .map(|seed| Secret::from_seed(seed).public())
        .collect();
    let points: Vec<_> = keys
        .iter()
        .map(|key| {
            Public::deserialize_compressed(&key[..])
                .expect("a key of ours")
                .0
        })
        .collect();
    let library_secret = ark_vrf::Secret::<Suite>::from_seed(&seeds[MEMBER]);
    let params = RingProofParams::<Suite>::from_pcs_params(size, prover_string(domain))
        .expect("the reference string is long enough");
    let library_prover = params.prover(params.prover_key(&points), MEMBER);
    let (mut new_prover, mut ours, mut library) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (time, prover) =
            milliseconds(|| ring::Prover::new(&keys, MEMBER).expect("a ring of ours"));
        new_prover.push(time);
        ours.push(milliseconds(|| prover.prove(&secret, b"context", b"").expect("a member")).0);
        let input = Input::new(b"context").expect("any octets are an input");
        let output = library_secret.output(input);
        let proving = || library_secret.prove(input, output, b"", &library_prover);
        library.push(milliseconds(|| getrandom_or_panic::seeded([0; 32], proving)).0);
    }
    println!(
        "{{\"ring\": {size}, \"ours\": {}, \"library\": {}, \"new_prover\": {}}}",
        median(ours),
        median(library),
        median(new_prover)
    );
}

fn main() {
    compare(6, 512);
    compare(1023, 2048);
}
