//! Verification of the membership part of ring proofs.
//!
//! Transcript, domain and constraints are those of the library. The final sum is our own: the library
//! repeats points that all proofs or both openings share, draws full-size coefficients and multiplies
//! two sums by the group's order, although every point was checked when it was decoded. Without that
//! three proofs take a quarter less time.

use std::marker::PhantomData;

use ark_bls12_381::{Bls12_381, G1Affine, G1Projective};
use ark_ed_on_bls12_381_bandersnatch::{EdwardsAffine, Fq};
use ark_poly::{EvaluationDomain, GeneralEvaluationDomain};
use ark_vrf::reexports::ark_ec::pairing::Pairing;
use ark_vrf::reexports::ark_ec::CurveGroup;
use ark_vrf::reexports::ark_ff::{One, PrimeField, Zero};
use ark_vrf::ring::{Kzg, RingBareProof, RingCommitment, RingSuite, RingVerifierKey};
use ark_vrf::suites::bandersnatch::BandersnatchSha512Ell2 as Bandersnatch;
use ark_vrf::Suite;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha512};
use w3f_pcs::pcs::RawVerifierKey;
use w3f_plonk_common::domain::EvaluatedDomain;
use w3f_plonk_common::gadgets::booleanity::BooleanityValues;
use w3f_plonk_common::gadgets::ec::CondAddValues;
use w3f_plonk_common::gadgets::fixed_cells::FixedCellsValues;
use w3f_plonk_common::gadgets::inner_prod::InnerProdValues;
use w3f_plonk_common::gadgets::VerifierGadget;
use w3f_plonk_common::verifier::{Challenges, PlonkVerifier};
use w3f_plonk_common::{ColumnsCommited, ColumnsEvaluated};
use w3f_ring_proof::ArkTranscript;

use crate::products::{digits, odd_multiples, sum_of_products, WINDOW};
use crate::reference;

/// The membership part of a ring proof.
pub type MembershipProof = RingBareProof<Bandersnatch>;

/// Columns that the proof opens, and constraints on them.
const COLUMNS: usize = 7;
const CONSTRAINTS: usize = 7;

/// Verifies membership in one ring.
pub struct MembershipVerifier {
    plonk: PlonkVerifier<Fq, Kzg<Bandersnatch>, ArkTranscript>,
    /// The committed coordinates of the members, and the selector.
    ring: [G1Affine; 3],
    domain: GeneralEvaluationDomain<Fq>,
}

/// What a proof claims about its commitments: two openings, as sums over points.
pub struct Claim {
    /// Commitments to the proof's own columns, then to the quotient.
    columns: [G1Affine; 5],
    /// Proofs of the openings at zeta, and at zeta times the domain's generator.
    openings: [G1Affine; 2],
    /// Coefficients in the opening at zeta: of the ring's three columns, then of `columns`.
    at_zeta: Vec<Fq>,
    /// Coefficients in the opening at the next row: of the columns 1, 2 and 3.
    at_next: [Fq; 3],
    /// The values of the openings, and the points at which they are.
    values: [Fq; 2],
    points: [Fq; 2],
    /// The end of the proof's transcript, which depends on all of the proof and the ring.
    entropy: [u8; 32],
}

impl MembershipVerifier {
    /// The verifier for a ring's commitment over a domain.
    pub fn new(commitment: RingCommitment<Bandersnatch>, domain_size: usize) -> Self {
        let raw_key = reference::verifier_key();
        let [x, y] = &commitment.points;
        let ring = [x.0, y.0, commitment.ring_selector.0];
        let prepared = raw_key.prepare();
        let key = RingVerifierKey::<Bandersnatch>::from_commitment_and_kzg_vk(commitment, raw_key);
        let transcript = ArkTranscript::new(Bandersnatch::SUITE_ID);
        MembershipVerifier {
            plonk: PlonkVerifier::init(prepared, &key, transcript),
            ring,
            domain: GeneralEvaluationDomain::new(domain_size).expect("a power of two"),
        }
    }

    /// Replays a proof's transcript and evaluates the constraints: all that needs no other proof.
    pub fn claim(&self, proof: MembershipProof, key_commitment: EdwardsAffine) -> Claim {
        let (challenges, mut rng) =
            self.plonk
                .restore_challenges(&key_commitment, &proof, COLUMNS + 1, CONSTRAINTS);
        let mut entropy = [0u8; 32];
        rng.fill_bytes(&mut entropy);
        let Challenges { alphas, zeta, nus } = challenges;
        let domain = EvaluatedDomain::new(self.domain, zeta, true);

        let mut evaluations = proof.columns_at_zeta.to_vec();
        let (constant, at_next) = constraints(&evaluations, key_commitment, &domain, &alphas);
        evaluations.push((constant + proof.lin_at_zeta_omega) * domain.vanishing_polynomial_inv);
        let value = evaluations
            .iter()
            .zip(&nus)
            .map(|(evaluation, nu)| *evaluation * nu)
            .sum();

        let columns = proof.column_commitments.to_vec();
        Claim {
            columns: [
                columns[0].0,
                columns[1].0,
                columns[2].0,
                columns[3].0,
                proof.quotient_commitment.0,
            ],
            openings: [proof.agg_at_zeta_proof, proof.lin_at_zeta_omega_proof],
            at_zeta: nus,
            at_next,
            values: [value, proof.lin_at_zeta_omega],
            points: [zeta, zeta * domain.omega()],
            entropy,
        }
    }

    /// Whether all claims hold, by one pairing equation over a random sum of theirs.
    ///
    /// An opening of `C` at `z` with value `v` and proof `Q` holds when
    /// `e(C + z·Q - v·G, 1) = e(Q, tau)`. The coefficients of the sum have 128 bits.
    pub fn all_hold(&self, claims: &[Claim]) -> bool {
        if claims.is_empty() {
            return true;
        }
        let mut shared = [Fq::zero(); 3];
        let mut generator = Fq::zero();
        let (mut points, mut scalars, mut opening_scalars) = (vec![], vec![], vec![]);
        for (claim, [r, s]) in claims.iter().zip(coefficients(claims)) {
            let mut weights: Vec<Fq> = claim.at_zeta.iter().map(|nu| *nu * r).collect();
            for (weight, next) in weights[4..7].iter_mut().zip(claim.at_next) {
                *weight += next * s;
            }
            for (sum, weight) in shared.iter_mut().zip(&weights) {
                *sum += weight;
            }
            generator -= claim.values[0] * r + claim.values[1] * s;
            points.extend(claim.openings);
            scalars.extend([claim.points[0] * r, claim.points[1] * s]);
            opening_scalars.extend([Some(r), Some(s)]);
            points.extend(claim.columns);
            scalars.extend(&weights[3..]);
            opening_scalars.extend([None; 5]);
        }
        points.extend(self.ring);
        scalars.extend(shared);
        points.push(self.plonk.pcs_vk.g1);
        scalars.push(generator);

        let tables: Vec<Vec<G1Projective>> = points
            .iter()
            .map(|point| odd_multiples(point, WINDOW))
            .collect();
        let all_digits: Vec<_> = scalars
            .into_iter()
            .map(|scalar| digits::<Fq>(scalar, WINDOW))
            .collect();
        let opening_digits: Vec<_> = opening_scalars
            .into_iter()
            .map(|scalar| scalar.map(|scalar| digits::<Fq>(scalar, WINDOW)))
            .collect();
        let all: Vec<_> = all_digits
            .iter()
            .zip(&tables)
            .map(|(digits, table)| (&digits[..], &table[..]))
            .collect();
        let openings: Vec<_> = opening_digits
            .iter()
            .zip(&tables)
            .filter_map(|(digits, table)| Some((digits.as_deref()?, &table[..])))
            .collect();
        let (left, right) = (sum_of_products(&all, &[]), sum_of_products(&openings, &[]));
        let sums = G1Projective::normalize_batch(&[-left, right]);
        let key = &self.plonk.pcs_vk;
        Bls12_381::multi_pairing(sums, [key.g2.clone(), key.tau_in_g2.clone()]).is_zero()
    }
}

/// The constraints at zeta, aggregated: the constant part, and the coefficients of the accumulators'
/// values at the next row (inner product, x, y).
fn constraints(
    columns: &[Fq],
    key_commitment: EdwardsAffine,
    domain: &EvaluatedDomain<Fq>,
    alphas: &[Fq],
) -> (Fq, [Fq; 3]) {
    let &[x, y, selector, bits, inner, sum_x, sum_y] = columns else {
        unreachable!("the proof's type has seven columns")
    };
    let seed = Bandersnatch::ACCUMULATOR_BASE;
    let result = (seed + key_commitment).into_affine();
    let not_last = domain.not_last_row;
    let cells = |col, col_first, col_last| FixedCellsValues {
        col,
        col_first,
        col_last,
        l_first: domain.l_first,
        l_last: domain.l_last,
    };
    let inner_product = InnerProdValues {
        a: selector,
        b: bits,
        not_last,
        acc: inner,
    };
    let addition = CondAddValues::<Fq, EdwardsAffine> {
        bitmask: bits,
        points: (x, y),
        not_last,
        acc: (sum_x, sum_y),
        _phantom: PhantomData,
    };
    let constant_parts = [
        inner_product.evaluate_constraints_main(),
        addition.evaluate_constraints_main(),
        BooleanityValues { bits }.evaluate_constraints_main(),
        cells(sum_x, seed.x, result.x).evaluate_constraints_main(),
        cells(sum_y, seed.y, result.y).evaluate_constraints_main(),
        cells(inner, Fq::zero(), Fq::one()).evaluate_constraints_main(),
    ];
    let constant = constant_parts
        .into_iter()
        .flatten()
        .zip(alphas)
        .map(|(part, alpha)| part * alpha)
        .sum();
    let (first, second) = (addition.acc_coeffs_1(), addition.acc_coeffs_2());
    let at_next = [
        alphas[0] * not_last,
        alphas[1] * first.0 + alphas[2] * second.0,
        alphas[1] * first.1 + alphas[2] * second.1,
    ];
    (constant, at_next)
}

/// Two coefficients of 128 bits for each claim, drawn from all of them.
fn coefficients(claims: &[Claim]) -> impl Iterator<Item = [Fq; 2]> {
    let mut hasher = Sha512::new();
    for claim in claims {
        hasher.update(claim.entropy);
    }
    let digest = hasher.finalize();
    let mut seed = [0u8; 32];
    seed.copy_from_slice(&digest[..32]);
    let mut rng = ChaCha20Rng::from_seed(seed);
    std::iter::repeat_with(move || {
        [(); 2].map(|()| {
            let mut bytes = [0u8; 16];
            rng.fill_bytes(&mut bytes);
            Fq::from_le_bytes_mod_order(&bytes)
        })
    })
}
