//! Ed25519 by ZIP-215: cofactored equation, non-canonical points accepted, canonical `s` required.

use ed25519_zebra::{batch, Signature, SigningKey, VerificationKey, VerificationKeyBytes};
use rand_chacha::rand_core::SeedableRng;
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// One claim: `signature` over `message` by `public`.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub public: &'a [u8; 32],
    pub message: &'a [u8],
    pub signature: &'a [u8; 64],
}

/// Whether the bytes decode to a point, canonically or not: only then can a signature ever hold.
pub fn is_key(public: &[u8; 32]) -> bool {
    VerificationKey::try_from(*public).is_ok()
}

/// Whether one signature holds.
pub fn verify(item: &Item) -> bool {
    VerificationKey::try_from(*item.public)
        .and_then(|key| key.verify(&Signature::from_bytes(item.signature), item.message))
        .is_ok()
}

/// Position of the first signature that does not hold, if there is one.
///
/// ZIP-215 makes the batch equation follow from the single ones for every encoding, and a batch that
/// fails is judged one by one, so the verdict is that of [`verify`].
pub fn first_bad(items: &[Item]) -> Option<usize> {
    if items.len() > 1 && batch_holds(items) {
        return None;
    }
    items.iter().position(|item| !verify(item))
}

fn batch_holds(items: &[Item]) -> bool {
    let mut seed = Sha512::new();
    let mut verifier = batch::Verifier::new();
    for item in items {
        seed.update(item.public);
        seed.update(item.signature);
        // The message's own digest keeps the concatenation injective.
        seed.update(Sha512::digest(item.message));
        let key = VerificationKeyBytes::from(*item.public);
        verifier.queue((key, Signature::from_bytes(item.signature), item.message));
    }
    let digest = seed.finalize();
    let mut coefficients = [0u8; 32];
    coefficients.copy_from_slice(&digest[..32]);
    verifier
        .verify(ChaCha20Rng::from_seed(coefficients))
        .is_ok()
}

/// A signing key, wiped when dropped.
pub struct Secret(Zeroizing<SigningKey>);

impl Secret {
    /// The key that RFC 8032 derives from a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let seed = Zeroizing::new(*seed);
        Secret(Zeroizing::new(SigningKey::from(*seed)))
    }

    /// The 32-byte public key.
    pub fn public(&self) -> [u8; 32] {
        VerificationKeyBytes::from(&*self.0).into()
    }

    /// The 64-byte signature over `message` (RFC 8032, deterministic).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}
