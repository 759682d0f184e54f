//! The ring VRF over Bandersnatch: 784-byte proofs of appendix G, ring commitments, provers.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ark_bls12_381::{Bls12_381, G1Projective};
use ark_ed_on_bls12_381_bandersnatch::{BandersnatchConfig, EdwardsAffine, Fq, Fr};
use ark_vrf::pedersen::PedersenSuite;
use ark_vrf::reexports::ark_ec::{CurveGroup, VariableBaseMSM};
use ark_vrf::reexports::ark_serialize::CanonicalDeserialize;
use ark_vrf::ring::{
    Prover as _, RingBareProof, RingBatchVerifier, RingCommitment, RingProofParams, RingProver,
    RingSuite, RingVerifierKey,
};
use ark_vrf::suites::bandersnatch::{BandersnatchSha512Ell2 as Bandersnatch, Output};
use ark_vrf::Suite;
use w3f_pcs::pcs::kzg::params::KzgVerifierKey;
use w3f_pcs::pcs::RawVerifierKey;
use w3f_plonk_common::kzg_acc::KzgAccumulator;
use w3f_ring_proof::ring_verifier::{PreparedBatchItem, RingVerifier};
use w3f_ring_proof::{ArkTranscript, Domain};

use crate::bandersnatch::{encode, input_point, output_hash, Secret, POINT};
use crate::curve;
use crate::curve::{blinding_product, decode_point, double_product};
use crate::parallel;
use crate::reference::{self, RingTable, TABLE_COUNT};

/// Bytes of a ring commitment: the committed x and y coordinates, and the selector.
pub const COMMITMENT: usize = 144;
/// Bytes of a proof: output point, Pedersen proof (160), membership proof (592).
pub const PROOF: usize = 784;
/// Members whose sums are worth a thread.
const SMALLEST_CHUNK: usize = 64;

type Params = w3f_ring_proof::PiopParams<Fq, BandersnatchConfig>;
type MembershipProof = RingBareProof<Bandersnatch>;

/// One claim about a ring: `proof` over context `input` and message `aux`.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub input: &'a [u8],
    pub aux: &'a [u8],
    pub proof: &'a [u8; PROOF],
}

/// The members' points: a key that is no point of the curve counts as the padding point.
///
/// A point outside the prime-order subgroup stands as it is: public chains have such keys.
fn members(keys: &[[u8; POINT]]) -> Vec<EdwardsAffine> {
    keys.iter()
        .map(|key| curve::decode_any_point(key).unwrap_or(Bandersnatch::PADDING))
        .collect()
}

/// What the members from position `first` on add to the commitment of the empty ring: for each
/// coordinate, the differences to the padding point, weighted with the positions' Lagrange points.
fn contribution(table: &RingTable, first: usize, keys: &[[u8; POINT]]) -> [G1Projective; 2] {
    let padding = Bandersnatch::PADDING;
    let bases = table.lagrange(first, keys.len());
    let (xs, ys): (Vec<Fq>, Vec<Fq>) = members(keys)
        .iter()
        .map(|point| (point.x - padding.x, point.y - padding.y))
        .unzip();
    [xs, ys].map(|scalars| G1Projective::msm_unchecked(&bases, &scalars))
}

/// The commitment to a ring of keys, or nothing when no domain is large enough for it.
///
/// Keys that are no points of the curve count as the padding point (appendix G).
pub fn commitment(keys: &[[u8; POINT]]) -> Option<[u8; COMMITMENT]> {
    let table = RingTable::for_ring(keys.len())?;
    // A new validator set is seldom; large ones are worth all cores.
    let chunk = keys.len().div_ceil(parallel::workers()).max(SMALLEST_CHUNK);
    let chunks: Vec<_> = keys.chunks(chunk).enumerate().collect();
    let sums = parallel::map(&chunks, |(at, chunk_keys)| {
        contribution(&table, at * chunk, chunk_keys)
    });
    let [mut x, mut y, selector] = table.empty_ring().map(G1Projective::from);
    for [in_x, in_y] in sums {
        x += in_x;
        y += in_y;
    }
    let affine = G1Projective::normalize_batch(&[x, y, selector]);
    Some(encode(&[affine[0], affine[1], affine[2]]))
}

/// Parameters of the proof system over a domain.
fn params(domain: Domain<Fq>) -> Params {
    Params::setup(
        domain,
        Bandersnatch::BLINDING_BASE,
        Bandersnatch::ACCUMULATOR_BASE,
        Bandersnatch::PADDING,
    )
}

/// Parameters for verifiers, made once for each domain size.
///
/// The columns of a domain serve provers only and weigh 1.2 MB for a full ring, once in every
/// verifier: those of a tiny domain take their place.
fn verifier_params(table: &RingTable) -> Params {
    static SLIM: [OnceLock<Params>; TABLE_COUNT] = [const { OnceLock::new() }; TABLE_COUNT];
    SLIM[table.index]
        .get_or_init(|| {
            let (mut domain, tiny) = (Domain::new(table.domain_size, true), Domain::new(16, true));
            domain.not_last_row = tiny.not_last_row;
            domain.l_first = tiny.l_first;
            domain.l_last = tiny.l_last;
            params(domain)
        })
        .clone()
}

fn transcript() -> ArkTranscript {
    ArkTranscript::new(Bandersnatch::SUITE_ID)
}

/// Verifies proofs against one ring, given by its commitment.
pub struct Verifier {
    /// The library's preparation of a proof and its accumulator are one value, hence the lock.
    batch: Mutex<RingBatchVerifier<Bandersnatch>>,
    key: KzgVerifierKey<Bls12_381>,
}

impl Verifier {
    /// The verifier for a commitment to a ring of `ring_size` keys, or nothing when the bytes are no
    /// commitment or no domain is large enough.
    pub fn new(commitment: &[u8; COMMITMENT], ring_size: usize) -> Option<Self> {
        let table = RingTable::for_ring(ring_size)?;
        let commitment =
            RingCommitment::<Bandersnatch>::deserialize_compressed(&commitment[..]).ok()?;
        let raw_key = reference::verifier_key();
        let key = raw_key.prepare();
        let ring_key =
            RingVerifierKey::<Bandersnatch>::from_commitment_and_kzg_vk(commitment, raw_key);
        let verifier = RingVerifier::init(ring_key, verifier_params(&table), transcript());
        Some(Verifier {
            batch: Mutex::new(verifier.kzg_batch_verifier()),
            key,
        })
    }

    /// The outputs of all proofs, or the position of the first that does not hold.
    ///
    /// Outputs and Pedersen parts are checked one by one, membership in one pairing. When that fails
    /// each proof gets a pairing of its own, so a verdict is that of the proof alone.
    pub fn verify(&self, items: &[Item]) -> Result<Vec<[u8; 32]>, usize> {
        let mut batch = self.lock();
        let opened = items.iter().map(open);
        let prepared: Vec<_> = opened
            .map(|slot| slot.map(|proof| (prepare(&batch, &proof), proof)))
            .collect();
        let all_open = prepared.iter().all(Option::is_some);
        let (members, proofs): (Vec<_>, Vec<_>) = prepared.into_iter().flatten().unzip();
        if !(all_open && self.members_proved(&mut batch, members)) {
            if let Some(first_bad) = self.first_bad(&mut batch, items) {
                return Err(first_bad);
            }
        }
        Ok(proofs.into_iter().map(|proof| proof.output).collect())
    }

    fn first_bad(
        &self,
        batch: &mut RingBatchVerifier<Bandersnatch>,
        items: &[Item],
    ) -> Option<usize> {
        let mut holds_alone = |item: &Item| {
            open(item).is_some_and(|proof| {
                let prepared = prepare(batch, &proof);
                self.members_proved(batch, vec![prepared])
            })
        };
        items.iter().position(|item| !holds_alone(item))
    }

    fn members_proved(
        &self,
        batch: &mut RingBatchVerifier<Bandersnatch>,
        proofs: Vec<Prepared>,
    ) -> bool {
        if proofs.is_empty() {
            return true;
        }
        batch.acc = KzgAccumulator::new(self.key.clone());
        for proof in proofs {
            batch.push_prepared(proof);
        }
        batch.verify()
    }

    fn lock(&self) -> MutexGuard<'_, RingBatchVerifier<Bandersnatch>> {
        // Every use begins with a fresh accumulator, so one left by a panic does no harm.
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Prepared = PreparedBatchItem<Bls12_381, BandersnatchConfig>;

/// Replays a membership proof's transcript: all of its verification that needs no other proof.
fn prepare(batch: &RingBatchVerifier<Bandersnatch>, proof: &Opened) -> Prepared {
    batch.prepare(proof.membership.clone(), proof.key_commitment)
}

/// A proof whose Pedersen part holds; its membership part is decoded only.
struct Opened {
    output: [u8; 32],
    key_commitment: EdwardsAffine,
    membership: MembershipProof,
}

/// Decodes a proof and checks its Pedersen part (specification, section 3.3).
fn open(item: &Item) -> Option<Opened> {
    let mut parts = item
        .proof
        .chunks_exact(POINT)
        .map(|part| part.try_into().expect("32 bytes"));
    let mut next = || parts.next().expect("a proof has 24 parts");
    let output = decode_point(next())?;
    let key_commitment = decode_point(next())?;
    let commitment = decode_point(next())?;
    let output_commitment = decode_point(next())?;
    let response = Fr::deserialize_compressed(&next()[..]).ok()?;
    let blinding_response = Fr::deserialize_compressed(&next()[..]).ok()?;
    let membership = MembershipProof::deserialize_compressed(&item.proof[6 * POINT..]).ok()?;

    let input = input_point(item.input);
    let hashed = [
        &key_commitment,
        &input.0,
        &output,
        &commitment,
        &output_commitment,
    ];
    let challenge = Bandersnatch::challenge(&hashed, item.aux);
    let holds = double_product(response, &input.0, -challenge, &output) == output_commitment
        && blinding_product(response, blinding_response, -challenge, &key_commitment) == commitment;
    holds.then(|| Opened {
        output: output_hash(&Output::from_affine(output)),
        key_commitment,
        membership,
    })
}

/// Makes proofs for one position of one ring.
///
/// Holds the part of the reference string it needs: about 0.6 MB for a tiny ring, 3 MB for a full one.
pub struct Prover {
    prover: RingProver<Bandersnatch>,
    member: EdwardsAffine,
}

impl Prover {
    /// The prover for the key at `index`, or nothing when the position or the ring does not exist.
    pub fn new(keys: &[[u8; POINT]], index: usize) -> Option<Self> {
        let domain_size = RingTable::for_ring(keys.len())?.domain_size;
        let members = members(keys);
        let member = *members.get(index)?;
        let params = RingProofParams::<Bandersnatch> {
            pcs: reference::prover_string(domain_size),
            piop: params(Domain::new(domain_size, true)),
        };
        let prover = params.prover(params.prover_key(&members), index);
        Some(Prover { prover, member })
    }

    /// The proof over context `input` and message `aux`, or nothing when the secret is not that of
    /// the prover's position. No two proofs are alike: their blinding is random.
    pub fn prove(&self, secret: &Secret, input: &[u8], aux: &[u8]) -> Option<[u8; PROOF]> {
        let secret = &secret.0;
        if secret.public().0 != self.member {
            return None;
        }
        let input = input_point(input);
        let output = secret.output(input);
        let proof = secret.prove(input, output, aux, &self.prover);
        Some(encode(&(output, proof)))
    }
}
