//! What makes ring proofs cheaper, one lever a run: `proving-levers RING MODE`, one line of JSON.
//!
//! Modes: `proof` makes one proof after the other, `pair` makes them on two threads side by side,
//! `library` makes them by the library's own prover, `parts` times what a proof and a new prover
//! consist of. With the feature `threads` the library uses threads by itself (`RAYON_NUM_THREADS`).

use std::time::Instant;

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_vrf::reexports::ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_vrf::reexports::ark_ff::{AdditiveGroup, BigInteger, PrimeField, Zero};
use ark_vrf::reexports::ark_serialize::CanonicalDeserialize;
use ark_vrf::ring::{Prover as _, RingProofParams};
use ark_vrf::suites::bandersnatch::{BandersnatchSha512Ell2 as Suite, Input, Public};
use ark_vrf::AffinePoint;
use jamliquor_vrf::bandersnatch::Secret;
use jamliquor_vrf::reference::prover_string;
use jamliquor_vrf::ring::Prover;

const ROUNDS: usize = 9;
const MEMBER: usize = 2;
/// Bits of a digit of the fixed-base tables.
const WINDOW: usize = 12;

struct Ring {
    secret: Secret,
    keys: Vec<[u8; 32]>,
    domain: usize,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let size = arguments.next().and_then(|it| it.parse::<u32>().ok());
    let (Some(size), Some(mode)) = (size, arguments.next()) else {
        panic!("proving-levers RING proof|pair|library|parts");
    };
    let seeds: Vec<[u8; 32]> = (0..size).map(seed).collect();
    let ring = Ring {
        secret: Secret::from_seed(&seeds[MEMBER]),
        keys: seeds
            .iter()
            .map(|it| Secret::from_seed(it).public())
            .collect(),
        domain: if size <= 255 { 512 } else { 2048 },
    };
    let figures = match mode.as_str() {
        "proof" => proof(&ring),
        "pair" => pair(&ring),
        "library" => library(&ring),
        "parts" => parts(&ring),
        other => panic!("no mode {other}"),
    };
    let shown: Vec<String> = figures
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value:.3}"))
        .collect();
    println!(
        "{{{}, \"peak_mb\": {:.1}}}",
        shown.join(", "),
        peak_megabytes()
    );
}

fn seed(index: u32) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&index.to_le_bytes());
    seed
}

/// Proofs one after the other, with one prover.
fn proof(ring: &Ring) -> Vec<(&'static str, f64)> {
    let (new_prover, prover) = timed(|| Prover::new(&ring.keys, MEMBER).expect("a ring of ours"));
    let cpu = cpu_seconds();
    let times = (0..ROUNDS)
        .map(|round| timed(|| prove(&prover, ring, round)).0)
        .collect();
    let cpu = (cpu_seconds() - cpu) * 1e3 / ROUNDS as f64;
    vec![
        ("new_prover", new_prover),
        ("proof", least(times)),
        ("cpu", cpu),
    ]
}

/// Proofs on two threads, with one prover: the time that each takes off the clock.
fn pair(ring: &Ring) -> Vec<(&'static str, f64)> {
    let prover = Prover::new(&ring.keys, MEMBER).expect("a ring of ours");
    let (time, ()) = timed(|| {
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let prover = &prover;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        prove(prover, ring, thread * ROUNDS + round);
                    }
                });
            }
        });
    });
    vec![("proof", time / (2 * ROUNDS) as f64)]
}

fn prove(prover: &Prover, ring: &Ring, round: usize) {
    prover
        .prove(&ring.secret, &round.to_le_bytes(), b"")
        .expect("a member");
}

/// Proofs one after the other, by the library alone.
fn library(ring: &Ring) -> Vec<(&'static str, f64)> {
    let string = prover_string(ring.domain);
    let params =
        RingProofParams::<Suite>::from_pcs_params(ring.keys.len(), string).expect("long enough");
    let prover = params.prover(params.prover_key(&points(ring)), MEMBER);
    let secret = ark_vrf::Secret::<Suite>::from_seed(&seed(MEMBER as u32));
    let cpu = cpu_seconds();
    let times = (0..ROUNDS).map(|round| {
        let input = Input::new(&round.to_le_bytes()).expect("any octets are an input");
        let output = secret.output(input);
        let proving = || secret.prove(input, output, b"", &prover);
        timed(|| getrandom_or_panic::seeded([0; 32], proving)).0
    });
    let time = least(times.collect());
    let cpu = (cpu_seconds() - cpu) * 1e3 / ROUNDS as f64;
    vec![("proof", time), ("cpu", cpu)]
}

fn points(ring: &Ring) -> Vec<AffinePoint<Suite>> {
    ring.keys
        .iter()
        .map(|key| {
            Public::deserialize_compressed(&key[..])
                .expect("a key of ours")
                .0
        })
        .collect()
}

/// What a new prover costs, and sums of points as a proof has them: by the library, for a column of
/// bits, and with tables of every point's multiples.
fn parts(ring: &Ring) -> Vec<(&'static str, f64)> {
    let points = points(ring);
    let (load, string) = timed(|| prover_string(ring.domain));
    let bases = string.powers_in_g1[..ring.domain].to_vec();
    let (setup, params) = timed(|| {
        RingProofParams::<Suite>::from_pcs_params(ring.keys.len(), string).expect("long enough")
    });
    let (key, _) = timed(|| params.prover_key(&points));

    let scalars: Vec<Fr> = (1..=ring.domain as u64)
        .map(|it| Fr::from(it).inverse_like())
        .collect();
    let bits: Vec<Fr> = (0..ring.domain as u64)
        .map(|it| Fr::from(it % 3 % 2))
        .collect();
    let sum_of = |scalars: &[Fr]| {
        let times = (0..ROUNDS).map(|_| timed(|| G1Projective::msm_unchecked(&bases, scalars)).0);
        least(times.collect())
    };
    let (make_table, table) = timed(|| Table::new(&bases));
    let expected = G1Projective::msm_unchecked(&bases, &scalars);
    let tabled = (0..ROUNDS).map(|_| {
        let (time, sum) = timed(|| table.sum(&scalars));
        assert_eq!(sum, expected, "both sums are one");
        time
    });
    vec![
        ("load", load),
        ("setup", setup),
        ("key", key),
        ("sum", sum_of(&scalars)),
        ("bits_sum", sum_of(&bits)),
        ("table_sum", least(tabled.collect())),
        ("table_made", make_table),
        ("table_mb", table.megabytes()),
    ]
}

/// Dense scalars, without a generator of random ones.
trait Dense {
    fn inverse_like(self) -> Self;
}

impl Dense for Fr {
    fn inverse_like(self) -> Self {
        let square = self * self + Fr::from(0x9e37_79b9_7f4a_7c15_u64);
        (0..8).fold(square, |value, _| value * value + self)
    }
}

/// Every point times `2^(WINDOW * digit)`, so that all digits of all scalars share one set of sums.
struct Table(Vec<Vec<G1Affine>>);

impl Table {
    fn new(bases: &[G1Affine]) -> Self {
        let mut rows = vec![bases.to_vec()];
        for _ in 1..digits() {
            let last = rows.last().expect("there is one");
            let shifted: Vec<G1Projective> = last
                .iter()
                .map(|point| {
                    (0..WINDOW).fold(point.into_group(), |mut sum, _| {
                        sum.double_in_place();
                        sum
                    })
                })
                .collect();
            rows.push(G1Projective::normalize_batch(&shifted));
        }
        Table(rows)
    }

    fn sum(&self, scalars: &[Fr]) -> G1Projective {
        let half = 1_i64 << (WINDOW - 1);
        let mut sums = vec![G1Projective::zero(); half as usize];
        for (column, scalar) in scalars.iter().enumerate() {
            let bits = scalar.into_bigint().to_bits_le();
            let mut carry = 0;
            for (row, digit) in self.0.iter().zip(bits.chunks(WINDOW)) {
                let value = carry
                    + digit
                        .iter()
                        .rev()
                        .fold(0, |sum, bit| 2 * sum + i64::from(*bit));
                carry = i64::from(value > half);
                let value = value - (carry << WINDOW);
                match value {
                    0 => {}
                    1.. => sums[value as usize - 1] += row[column],
                    _ => sums[-value as usize - 1] -= row[column],
                }
            }
        }
        let (mut running, mut total) = (G1Projective::zero(), G1Projective::zero());
        for sum in sums.iter().rev() {
            running += sum;
            total += running;
        }
        total
    }

    fn megabytes(&self) -> f64 {
        let points: usize = self.0.iter().map(Vec::len).sum();
        (points * size_of::<G1Affine>()) as f64 / 1e6
    }
}

/// Digits of a scalar; the last one has room for a carry.
fn digits() -> usize {
    (Fr::MODULUS_BIT_SIZE as usize + 1).div_ceil(WINDOW)
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let made = work();
    (begun.elapsed().as_secs_f64() * 1e3, made)
}

/// The least, which says most on a machine with other work.
fn least(values: Vec<f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}

/// Processor time of this process so far; the system counts it in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let behind_name = stat.rsplit(')').next().expect("a name in brackets");
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kilobytes.map_or(0.0, |it: f64| it * 1024.0 / 1e6)
}
