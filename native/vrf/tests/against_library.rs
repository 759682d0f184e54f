//! Our verdicts are those of ark-vrf, whose equations we evaluate in other ways.

use ark_vrf::ietf::Verifier as _;
use ark_vrf::reexports::ark_serialize::{
    CanonicalDeserialize, CanonicalSerialize, SerializationError,
};
use ark_vrf::ring::{RingProofParams, Verifier as RingVerification};
use ark_vrf::suites::bandersnatch::{
    BandersnatchSha512Ell2 as Bandersnatch, IetfProof, Input, Output, Public, RingProof,
    RingVerifier,
};
use jamliquor_vrf::bandersnatch::{self, Secret};
use jamliquor_vrf::reference::prover_string;
use jamliquor_vrf::ring;

const INPUT: &[u8] = b"context";
const AUX: &[u8] = b"message";

/// The library's verdict on a plain signature, with all its own checks on decoding.
fn library_verifies(public: &[u8], signature: &[u8]) -> bool {
    let verdict = || -> Result<bool, SerializationError> {
        let public = Public::deserialize_compressed(public)?;
        let output = Output::deserialize_compressed(&signature[..32])?;
        let proof = IetfProof::deserialize_compressed(&signature[32..])?;
        Ok(public
            .verify(Input::new(INPUT).unwrap(), output, AUX, &proof)
            .is_ok())
    };
    verdict().unwrap_or(false)
}

fn library_verifies_ring(verifier: &RingVerifier, proof: &[u8]) -> bool {
    let verdict = || -> Result<bool, SerializationError> {
        let output = Output::deserialize_compressed(&proof[..32])?;
        let proof = RingProof::deserialize_compressed(&proof[32..])?;
        Ok(<Public as RingVerification<_>>::verify(
            Input::new(INPUT).unwrap(),
            output,
            AUX,
            &proof,
            verifier,
        )
        .is_ok())
    };
    verdict().unwrap_or(false)
}

/// `original`, then copies that differ in one bit or have two of its 32-byte parts exchanged.
fn variants<const N: usize>(original: [u8; N], step: usize) -> Vec<[u8; N]> {
    let mut all = vec![original];
    for bit in (0..N * 8).step_by(step) {
        let mut flipped = original;
        flipped[bit / 8] ^= 1 << (bit % 8);
        all.push(flipped);
    }
    for part in (0..N - 32).step_by(32).filter(|part| part + 64 <= N) {
        let mut exchanged = original;
        exchanged[part..part + 64].rotate_left(32);
        all.push(exchanged);
    }
    all
}

#[test]
fn plain_signatures() {
    let secret = Secret::from_seed(b"seed");
    let public = secret.public();
    let signature = secret.sign(INPUT, AUX);
    let mut held = 0;
    let altered = variants(signature, 5)
        .into_iter()
        .map(|altered| (public, altered));
    for (public, signature) in
        altered.chain(variants(public, 3).into_iter().map(|p| (p, signature)))
    {
        let item = bandersnatch::Item {
            public: &public,
            input: INPUT,
            aux: AUX,
            signature: &signature,
        };
        let holds = bandersnatch::verify(&item).is_some();
        assert_eq!(holds, library_verifies(&public, &signature));
        held += usize::from(holds);
    }
    assert_eq!(held, 2);
}

#[test]
fn ring_proofs() {
    let secrets: Vec<_> = (0..6).map(|index| Secret::from_seed(&[index])).collect();
    let keys: Vec<_> = secrets.iter().map(Secret::public).collect();
    let points: Vec<_> = keys
        .iter()
        .map(|key| Public::deserialize_compressed(&key[..]).unwrap().0)
        .collect();
    let params = RingProofParams::<Bandersnatch>::from_pcs_params(6, prover_string(512)).unwrap();
    let verifier_key = params.verifier_key(&points);
    let mut root = Vec::new();
    verifier_key
        .commitment()
        .serialize_compressed(&mut root)
        .unwrap();
    let ours = ring::commitment(&keys).unwrap();
    assert_eq!(ours[..], root[..]);

    let theirs = params.verifier(verifier_key);
    let verifier = ring::Verifier::new(&ours, 6).unwrap();
    let prover = ring::Prover::new(&keys, 4).unwrap();
    let proof = prover.prove(&secrets[4], INPUT, AUX).unwrap();
    let mut held = 0;
    for altered in variants(proof, 41) {
        let item = ring::Item {
            input: INPUT,
            aux: AUX,
            proof: &altered,
        };
        let holds = verifier.verify(&[item]).is_ok();
        assert_eq!(holds, library_verifies_ring(&theirs, &altered));
        held += usize::from(holds);
    }
    assert_eq!(held, 1);
    assert!(prover.prove(&secrets[3], INPUT, AUX).is_none());
}
