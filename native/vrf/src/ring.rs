//! The ring VRF over Bandersnatch: 784-byte proofs of appendix G, ring commitments, provers.

use ark_bls12_381::G1Projective;
use ark_ed_on_bls12_381_bandersnatch::{BandersnatchConfig, EdwardsAffine, Fq, Fr};
use ark_vrf::pedersen::{PedersenSuite, Prover as _};
use ark_vrf::reexports::ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_vrf::reexports::ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use ark_vrf::ring::{RingCommitment, RingSuite};
use ark_vrf::suites::bandersnatch::{
    BandersnatchSha512Ell2 as Bandersnatch, Output, Secret as Scalar,
};
use ark_vrf::Suite;
use getrandom_or_panic::seeded;
use sha2::{Digest, Sha512};
use w3f_ring_proof::ring_prover::RingProver;
use w3f_ring_proof::{index, ArkTranscript, Domain, PiopParams};
use zeroize::Zeroizing;

use crate::bandersnatch::{encode, input_point, output_hash, Secret, POINT};
use crate::committer::{Committer, Reference};
use crate::curve;
use crate::curve::{blinding_product, decode_point, double_product};
use crate::membership::{Claim, MembershipProof, MembershipVerifier};
use crate::parallel;
use crate::reference::{self, RingTable};

/// Bytes of a ring commitment: the committed x and y coordinates, and the selector.
pub const COMMITMENT: usize = 144;
/// Bytes of a proof: output point, Pedersen proof (160), membership proof (592).
pub const PROOF: usize = 784;
/// Members whose sums are worth a thread.
const SMALLEST_CHUNK: usize = 64;

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

/// Verifies proofs against one ring, given by its commitment.
pub struct Verifier(MembershipVerifier);

impl Verifier {
    /// The verifier for a commitment to a ring of `ring_size` keys, or nothing when the bytes are no
    /// commitment or no domain is large enough.
    pub fn new(commitment: &[u8; COMMITMENT], ring_size: usize) -> Option<Self> {
        let table = RingTable::for_ring(ring_size)?;
        let commitment =
            RingCommitment::<Bandersnatch>::deserialize_compressed(&commitment[..]).ok()?;
        Some(Verifier(MembershipVerifier::new(
            commitment,
            table.domain_size,
        )))
    }

    /// The outputs of all proofs, or the position of the first that does not hold.
    ///
    /// Outputs and Pedersen parts are checked one by one, membership in one pairing. When that fails
    /// each proof gets a pairing of its own, so a verdict is that of the proof alone.
    pub fn verify(&self, items: &[Item]) -> Result<Vec<[u8; 32]>, usize> {
        let opened: Vec<_> = items.iter().map_while(|item| self.open(item)).collect();
        let (outputs, claims): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        if !self.0.all_hold(&claims) {
            let alone = |claim| !self.0.all_hold(std::slice::from_ref(claim));
            if let Some(first_bad) = claims.iter().position(alone) {
                return Err(first_bad);
            }
        }
        if outputs.len() < items.len() {
            return Err(outputs.len());
        }
        Ok(outputs)
    }

    /// The output of a proof whose Pedersen part holds (specification, section 3.3), and what its
    /// membership part claims.
    fn open(&self, item: &Item) -> Option<([u8; 32], Claim)> {
        let (pedersen, membership) = item.proof.split_at(6 * POINT);
        let mut parts = pedersen
            .chunks_exact(POINT)
            .map(|part| part.try_into().ok());
        let mut next = || -> Option<&[u8; POINT]> { parts.next()? };
        let output = decode_point(next()?)?;
        let key_commitment = decode_point(next()?)?;
        let commitment = decode_point(next()?)?;
        let output_commitment = decode_point(next()?)?;
        let response = Fr::deserialize_compressed(&next()?[..]).ok()?;
        let blinding_response = Fr::deserialize_compressed(&next()?[..]).ok()?;
        let membership = MembershipProof::deserialize_compressed(membership).ok()?;

        let input = input_point(item.input);
        let hashed = [
            &key_commitment,
            &input.0,
            &output,
            &commitment,
            &output_commitment,
        ];
        let challenge = Bandersnatch::challenge(&hashed, item.aux);
        let (by_input, by_output) = (input.0.into_group(), output.into_group());
        let by_key = key_commitment.into_group();
        let holds = double_product(response, by_input, -challenge, by_output) == output_commitment
            && blinding_product(response, blinding_response, -challenge, by_key) == commitment;
        let claim = || self.0.claim(membership, key_commitment);
        holds.then(|| (output_hash(&Output::from_affine(output)), claim()))
    }
}

/// Makes proofs for one position of one ring.
///
/// Holds the part of the reference string it needs: about 0.6 MB for a tiny ring, 3 MB for a full one.
pub struct Prover {
    prover: RingProver<Fq, Committer, BandersnatchConfig>,
    member: EdwardsAffine,
    /// Hash of the ring's keys and the position.
    ring: [u8; 64],
}

impl Prover {
    /// The prover for the key at `position`, or nothing when the position or the ring does not exist.
    ///
    /// Nothing as well when a member's key is the neutral point: the proof system adds affine points
    /// and cannot represent it, though others may hold proofs against its commitment.
    pub fn new(keys: &[[u8; POINT]], position: usize) -> Option<Self> {
        let table = RingTable::for_ring(keys.len())?;
        let members = members(keys);
        let member = *members.get(position)?;
        if members.iter().any(EdwardsAffine::is_zero) {
            return None;
        }
        let reference = Reference(reference::prover_string(table.domain_size));
        let rules = PiopParams::setup(
            Domain::new(table.domain_size, true),
            Bandersnatch::BLINDING_BASE,
            Bandersnatch::ACCUMULATOR_BASE,
            Bandersnatch::PADDING,
        );
        let key = index::<_, Committer, _>(&reference, &rules, &members).0;
        let transcript = ArkTranscript::new(Bandersnatch::SUITE_ID);
        let prover = RingProver::init(key, rules, position, transcript);
        let mut ring = Sha512::new_with_prefix(keys.as_flattened());
        ring.update((position as u64).to_le_bytes());
        let ring = ring.finalize().into();
        Some(Prover {
            prover,
            member,
            ring,
        })
    }

    /// The proof over context `input` and message `aux`, or nothing when the secret is not that of
    /// the prover's position. Its blinding derives from the secret and the statement: the same call
    /// makes the same proof, and to everybody else it is random.
    pub fn prove(&self, secret: &Secret, input: &[u8], aux: &[u8]) -> Option<[u8; PROOF]> {
        let secret = &secret.0;
        if secret.public().0 != self.member {
            return None;
        }
        let seed = self.blinding_seed(secret, input, aux);
        let input = input_point(input);
        let output = secret.output(input);
        let (pedersen, blinding) = secret.prove(input, output, aux);
        let membership = seeded(seed, || self.prover.prove(blinding));
        Some(encode(&(output, pedersen, membership)))
    }

    fn blinding_seed(&self, secret: &Scalar, input: &[u8], aux: &[u8]) -> [u8; 32] {
        let mut scalar = Zeroizing::new([0u8; POINT]);
        secret
            .serialize_compressed(&mut scalar[..])
            .expect("a scalar has 32 bytes");
        let mut hasher = Sha512::new_with_prefix(b"jamliquor ring proof blinding");
        hasher.update(&scalar[..]);
        hasher.update(self.ring);
        hasher.update((input.len() as u64).to_le_bytes());
        hasher.update(input);
        hasher.update(aux);
        let mut seed = [0; 32];
        seed.copy_from_slice(&hasher.finalize()[..32]);
        seed
    }
}
