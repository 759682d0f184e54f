//! The commitments that a prover makes: the library's KZG, with our own sums.
//!
//! Keys, commitments and openings have the library's octets, so proofs and transcripts do too.

use ark_bls12_381::{Bls12_381, Fr, G1Affine};
use ark_poly::univariate::DensePolynomial;
use ark_poly::DenseUVPolynomial;
use ark_vrf::reexports::ark_ec::CurveGroup;
use ark_vrf::reexports::ark_ff::One;
use ark_vrf::reexports::ark_serialize::{
    CanonicalDeserialize, CanonicalSerialize, Compress, Read, SerializationError, Valid, Validate,
    Write,
};
use rand_chacha::rand_core::RngCore;
use w3f_pcs::pcs::kzg::commitment::KzgCommitment;
use w3f_pcs::pcs::kzg::params::{KzgVerifierKey, RawKzgVerifierKey};
use w3f_pcs::pcs::kzg::urs::URS;
use w3f_pcs::pcs::kzg::KZG;
use w3f_pcs::pcs::{CommitterKey, PcsParams, PCS};

use crate::sums::sum_of_many;

/// The scheme.
#[derive(Clone)]
pub struct Committer;

/// The reference string.
pub struct Reference(pub URS<Bls12_381>);

/// Powers of tau in G1.
#[derive(Clone, Debug)]
pub struct Powers(Vec<G1Affine>);

impl CommitterKey for Powers {
    fn max_degree(&self) -> usize {
        self.0.len() - 1
    }
}

impl From<KzgVerifierKey<Bls12_381>> for Powers {
    fn from(key: KzgVerifierKey<Bls12_381>) -> Self {
        Powers(vec![key.g1])
    }
}

impl PcsParams for Reference {
    type CK = Powers;
    type VK = KzgVerifierKey<Bls12_381>;
    type RVK = RawKzgVerifierKey<Bls12_381>;

    fn ck(&self) -> Powers {
        Powers(self.0.powers_in_g1.clone())
    }

    fn vk(&self) -> Self::VK {
        self.0.vk()
    }

    fn raw_vk(&self) -> Self::RVK {
        self.0.raw_vk()
    }
}

impl PCS<Fr> for Committer {
    type C = KzgCommitment<Bls12_381>;
    type Proof = G1Affine;
    type CK = Powers;
    type VK = KzgVerifierKey<Bls12_381>;
    type Params = Reference;

    fn setup<R: RngCore>(max_degree: usize, random: &mut R) -> Reference {
        Reference(URS::generate(max_degree + 1, 2, random))
    }

    fn commit(key: &Powers, polynomial: &DensePolynomial<Fr>) -> Result<Self::C, ()> {
        let bases = key.0.get(..polynomial.coeffs.len()).ok_or(())?;
        Ok(KzgCommitment(
            sum_of_many(bases, &polynomial.coeffs).into_affine(),
        ))
    }

    fn open(key: &Powers, polynomial: &DensePolynomial<Fr>, at: Fr) -> Result<G1Affine, ()> {
        let divisor = DensePolynomial::from_coefficients_slice(&[-at, Fr::one()]);
        Self::commit(key, &(polynomial / &divisor)).map(|commitment| commitment.0)
    }

    fn verify(
        key: &Self::VK,
        commitment: Self::C,
        at: Fr,
        value: Fr,
        proof: G1Affine,
    ) -> Result<(), ()> {
        KZG::<Bls12_381>::verify(key, commitment, at, value, proof)
    }
}

impl CanonicalSerialize for Powers {
    fn serialize_with_mode<W: Write>(
        &self,
        writer: W,
        compress: Compress,
    ) -> Result<(), SerializationError> {
        self.0.serialize_with_mode(writer, compress)
    }

    fn serialized_size(&self, compress: Compress) -> usize {
        self.0.serialized_size(compress)
    }
}

impl Valid for Powers {
    fn check(&self) -> Result<(), SerializationError> {
        self.0.check()
    }
}

impl CanonicalDeserialize for Powers {
    fn deserialize_with_mode<R: Read>(
        reader: R,
        compress: Compress,
        validate: Validate,
    ) -> Result<Self, SerializationError> {
        Vec::deserialize_with_mode(reader, compress, validate).map(Powers)
    }
}
