//! The IETF VRF over Bandersnatch: 96-byte signatures of appendix G, and secret keys.

use ark_ed_on_bls12_381_bandersnatch::{EdwardsProjective, Fr};
use ark_vrf::ietf::Prover;
use ark_vrf::reexports::ark_ec::{AffineRepr, CurveGroup};
use ark_vrf::reexports::ark_ff::PrimeField;
use ark_vrf::reexports::ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use ark_vrf::suites::bandersnatch::{BandersnatchSha512Ell2, Input, Output};
use ark_vrf::Suite;
use sha2::{Digest, Sha512};

use crate::curve::{decode_point, double_product, generator_product, generator_product_fixed};
use crate::hash_to_curve::hash_to_curve;
use crate::keys::key;

/// Bytes of an encoded point or public key.
pub const POINT: usize = 32;
/// Bytes of a signature: output point, challenge, response.
pub const SIGNATURE: usize = 96;

/// One claim: `signature` over context `input` and message `aux` by `public`.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub public: &'a [u8; POINT],
    pub input: &'a [u8],
    pub aux: &'a [u8],
    pub signature: &'a [u8; SIGNATURE],
}

/// The point that a context hashes to.
pub(crate) fn input_point(input: &[u8]) -> Input {
    Input::from_affine(hash_to_curve(input).into_affine())
}

/// First 32 bytes of the hash of an output point.
pub(crate) fn output_hash(point: &Output) -> [u8; 32] {
    let mut out = [0u8; 32];
    out.copy_from_slice(&point.hash()[..32]);
    out
}

/// The output that a signature or a ring proof, which both begin with the output point, claims.
///
/// This is the output's hash once the signature is verified; the point is not decoded.
pub fn claimed_output(point: &[u8; POINT]) -> [u8; 32] {
    let mut encoding = *point;
    encoding[POINT - 1] &= 0x7f;
    let mut identity = [0u8; POINT];
    identity[0] = 1;
    if encoding != identity {
        // The identity alone has two encodings that decode (its x has no sign); the hash covers the
        // canonical one. Every other point keeps its sign bit.
        encoding = *point;
    }
    let mut hasher = Sha512::new();
    hasher.update(BandersnatchSha512Ell2::SUITE_ID);
    hasher.update([0x03]);
    hasher.update(encoding);
    hasher.update([0x00]);
    let mut out = [0u8; 32];
    out.copy_from_slice(&hasher.finalize()[..32]);
    out
}

/// Whether the bytes are a point of the prime-order subgroup: only then can a signature ever hold.
pub fn is_key(public: &[u8; POINT]) -> bool {
    decode_point(public).is_some()
}

/// The 32-byte output of a signature, or nothing when it does not hold.
///
/// Decides as the library's verifier does, by the same equations, with faster products.
pub fn verify(item: &Item) -> Option<[u8; 32]> {
    let (point, proof) = item.signature.split_first_chunk::<POINT>()?;
    let (challenge, response) = proof.split_at(32);
    let public = key(item.public)?;
    let output = decode_point(point)?;
    // The library reads a challenge of any value modulo the order.
    let challenge = Fr::from_le_bytes_mod_order(challenge);
    let response = Fr::deserialize_compressed(response).ok()?;
    let input = hash_to_curve(item.input);

    let u = match public.table() {
        Some(table) => generator_product_fixed(response, -challenge, table),
        None => generator_product(response, -challenge, public.point.into_group()),
    };
    let v = double_product(response, input, -challenge, output.into_group());
    let points = EdwardsProjective::normalize_batch(&[input, u, v]);
    let hashed = [&public.point, &points[0], &output, &points[1], &points[2]];
    let expected = BandersnatchSha512Ell2::challenge(&hashed, item.aux);
    (expected == challenge).then(|| claimed_output(point))
}

/// Makes the tables that the first verification would otherwise wait for.
pub fn prepare() {
    let point = hash_to_curve(b"");
    let _ = generator_product(Fr::from(1u8), Fr::from(1u8), point);
}

/// The outputs of all signatures, or the position of the first that does not hold.
pub fn verify_batch(items: &[Item]) -> Result<Vec<[u8; 32]>, usize> {
    items
        .iter()
        .enumerate()
        .map(|(at, item)| verify(item).ok_or(at))
        .collect()
}

/// A secret scalar with its public key, wiped when dropped.
pub struct Secret(pub(crate) ark_vrf::suites::bandersnatch::Secret);

impl Secret {
    /// The key derived from a seed of any length (specification, appendix A.1).
    pub fn from_seed(seed: &[u8]) -> Self {
        Secret(ark_vrf::suites::bandersnatch::Secret::from_seed(seed))
    }

    /// The 32-byte public key.
    pub fn public(&self) -> [u8; POINT] {
        encode(&self.0.public())
    }

    /// The output for a context, which any signature over that context will have.
    pub fn output(&self, input: &[u8]) -> [u8; 32] {
        output_hash(&self.0.output(input_point(input)))
    }

    /// The signature over context `input` and message `aux`.
    pub fn sign(&self, input: &[u8], aux: &[u8]) -> [u8; SIGNATURE] {
        let input = input_point(input);
        let output = self.0.output(input);
        let proof = self.0.prove(input, output, aux);
        encode(&(output, proof))
    }
}

/// The compressed encoding of a value whose length is known to be `N`.
pub(crate) fn encode<const N: usize>(value: &impl CanonicalSerialize) -> [u8; N] {
    let mut out = [0u8; N];
    value
        .serialize_compressed(&mut out[..])
        .expect("the buffer has the encoding's length");
    out
}
