//! Exports of signatures, ring proofs and hashes.
//!
//! Fixed sizes: public keys, seeds and outputs 32 bytes, Ed25519 signatures 64, VRF signatures 96, ring
//! commitments 144, ring proofs 784. A batch is its items' parts, each kind one after the other; parts
//! of varying size come with an array of their lengths. A batch call answers [`JAM_BAD_SIGNATURE`] and
//! writes the position of the first item that does not hold.

use std::slice;
use std::sync::Arc;

use jamliquor_vrf::{bandersnatch, ed25519, keccak, ring};

use crate::status::{bytes, bytes_mut, free, guard, Failure, JAM_OK};

/// A signature, proof or commitment does not hold or does not decode.
pub const JAM_BAD_SIGNATURE: i32 = 1;

/// An Ed25519 signing key.
pub struct JamEd25519Secret(ed25519::Secret);
/// A Bandersnatch secret key.
pub struct JamVrfSecret(bandersnatch::Secret);
/// A verifier of ring proofs, bound to one commitment; never changes, so threads may share it.
pub struct JamRingVerifier(pub(crate) Arc<ring::Verifier>);
/// A maker of ring proofs, bound to one position of one ring.
pub struct JamRingProver(ring::Prover);

/// Borrows `count` arrays of `N` bytes that lie one after the other.
///
/// # Safety
/// As [`bytes`] for `count * N` bytes.
pub(crate) unsafe fn arrays<'a, const N: usize>(
    data: *const u8,
    count: usize,
) -> Result<&'a [[u8; N]], Failure> {
    let len = count
        .checked_mul(N)
        .ok_or_else(|| Failure::argument("too many items"))?;
    // SAFETY: passed on from this function's own contract.
    let data = unsafe { bytes(data, len) }?;
    // SAFETY: `[u8; N]` has the alignment of `u8`, and the slice holds `count` of them.
    Ok(unsafe { slice::from_raw_parts(data.as_ptr().cast(), count) })
}

/// Borrows one array of `N` bytes.
///
/// # Safety
/// As [`bytes`] for `N` bytes.
unsafe fn array<'a, const N: usize>(data: *const u8) -> Result<&'a [u8; N], Failure> {
    // SAFETY: passed on from this function's own contract.
    Ok(&unsafe { arrays::<N>(data, 1) }?[0])
}

/// Borrows `count` strings that lie one after the other, of the given lengths.
///
/// # Safety
/// `lengths` must hold `count` numbers, and `data` as many readable bytes as they sum up to.
pub(crate) unsafe fn strings<'a>(
    data: *const u8,
    lengths: *const u32,
    count: usize,
) -> Result<Vec<&'a [u8]>, Failure> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if lengths.is_null() {
        return Err(Failure::argument("null pointer with a non-zero length"));
    }
    // SAFETY: not null, and the caller promises `count` numbers.
    let lengths = unsafe { slice::from_raw_parts(lengths, count) };
    let total = lengths.iter().map(|length| *length as usize).sum();
    // SAFETY: the caller promises the bytes that the lengths sum up to.
    let mut rest = unsafe { bytes(data, total) }?;
    let mut parts = Vec::with_capacity(count);
    for length in lengths {
        let (part, tail) = rest.split_at(*length as usize);
        parts.push(part);
        rest = tail;
    }
    Ok(parts)
}

/// Writes `value` to the caller's place for it.
///
/// # Safety
/// `out` must be writable for `N` bytes.
unsafe fn write<const N: usize>(out: *mut u8, value: &[u8; N]) -> Result<(), Failure> {
    // SAFETY: passed on from this function's own contract.
    unsafe { bytes_mut(out, N) }?.copy_from_slice(value);
    Ok(())
}

/// Writes all outputs, or the position of the first bad item.
///
/// # Safety
/// `out` must be writable for 32 bytes an item, `first_bad` for one number.
unsafe fn write_outputs(
    verdict: Result<Vec<[u8; 32]>, usize>,
    out: *mut u8,
    first_bad: *mut usize,
) -> Result<i32, Failure> {
    match verdict {
        Ok(outputs) => {
            // SAFETY: passed on from this function's own contract.
            let target = unsafe { bytes_mut(out, outputs.len() * 32) }?;
            target.copy_from_slice(outputs.as_flattened());
            Ok(JAM_OK)
        }
        Err(position) => {
            // SAFETY: passed on from this function's own contract.
            unsafe { *first_bad = position };
            Ok(JAM_BAD_SIGNATURE)
        }
    }
}

/// Keccak-256 of `len` bytes.
///
/// # Safety
/// `data` must be readable for `len` bytes, `out` writable for 32.
#[no_mangle]
pub unsafe extern "C" fn jam_keccak_hash(data: *const u8, len: usize, out: *mut u8) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe { write(out, &keccak::keccak256(bytes(data, len)?)) }?;
        Ok(JAM_OK)
    })
}

/// Whether 32 bytes are an Ed25519 public key: `JAM_OK` or `JAM_BAD_SIGNATURE`.
///
/// # Safety
/// `public_key` must be readable for 32 bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_ed25519_key_check(public_key: *const u8) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let good = ed25519::is_key(unsafe { array(public_key) }?);
        Ok(if good { JAM_OK } else { JAM_BAD_SIGNATURE })
    })
}

/// Whether 32 bytes are a Bandersnatch public key, a point of the prime-order subgroup: `JAM_OK` or
/// `JAM_BAD_SIGNATURE`.
///
/// # Safety
/// `public_key` must be readable for 32 bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_key_check(public_key: *const u8) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let good = bandersnatch::is_key(unsafe { array(public_key) }?);
        Ok(if good { JAM_OK } else { JAM_BAD_SIGNATURE })
    })
}

/// Verifies one Ed25519 signature by ZIP-215: `JAM_OK` or `JAM_BAD_SIGNATURE`.
///
/// # Safety
/// `public_key` must be readable for 32 bytes, `message` for `len`, `signature` for 64.
#[no_mangle]
pub unsafe extern "C" fn jam_ed25519_verify(
    public_key: *const u8,
    message: *const u8,
    len: usize,
    signature: *const u8,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let item = unsafe {
            ed25519::Item {
                public: array(public_key)?,
                message: bytes(message, len)?,
                signature: array(signature)?,
            }
        };
        Ok(if ed25519::verify(&item) {
            JAM_OK
        } else {
            JAM_BAD_SIGNATURE
        })
    })
}

/// Verifies `count` Ed25519 signatures by ZIP-215, with the verdict that each has alone.
///
/// # Safety
/// `public_keys` must be readable for 32 bytes an item, `signatures` for 64, `lengths` for a number
/// an item, `messages` for their sum; `first_bad` must be writable.
#[no_mangle]
pub unsafe extern "C" fn jam_ed25519_verify_batch(
    public_keys: *const u8,
    messages: *const u8,
    lengths: *const u32,
    signatures: *const u8,
    count: usize,
    first_bad: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (public_keys, messages, signatures) = unsafe {
            (
                arrays::<32>(public_keys, count)?,
                strings(messages, lengths, count)?,
                arrays::<64>(signatures, count)?,
            )
        };
        let items: Vec<_> = (0..count)
            .map(|index| ed25519::Item {
                public: &public_keys[index],
                message: messages[index],
                signature: &signatures[index],
            })
            .collect();
        match ed25519::first_bad(&items) {
            None => Ok(JAM_OK),
            Some(position) => {
                // SAFETY: the caller promises a writable place.
                unsafe { *first_bad = position };
                Ok(JAM_BAD_SIGNATURE)
            }
        }
    })
}

/// Makes an Ed25519 signing key from a 32-byte seed, and writes its public key.
///
/// # Safety
/// `seed` must be readable and `public_key` writable for 32 bytes, `secret` for a pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_ed25519_secret_new(
    seed: *const u8,
    public_key: *mut u8,
    secret: *mut *mut JamEd25519Secret,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let made = ed25519::Secret::from_seed(unsafe { array(seed) }?);
        // SAFETY: as above.
        unsafe { write(public_key, &made.public()) }?;
        // SAFETY: as above.
        unsafe { *secret = Box::into_raw(Box::new(JamEd25519Secret(made))) };
        Ok(JAM_OK)
    })
}

/// Wipes and destroys a signing key; null is allowed and does nothing.
///
/// # Safety
/// `secret` must be null or a live key of this library, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_ed25519_secret_free(secret: *mut JamEd25519Secret) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(secret) }
}

/// Signs `len` bytes.
///
/// # Safety
/// `secret` must be live, `message` readable for `len` bytes, `signature` writable for 64.
#[no_mangle]
pub unsafe extern "C" fn jam_ed25519_sign(
    secret: *const JamEd25519Secret,
    message: *const u8,
    len: usize,
    signature: *mut u8,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe { write(signature, &(*secret).0.sign(bytes(message, len)?)) }?;
        Ok(JAM_OK)
    })
}

/// The output that a VRF signature or ring proof claims by its first 32 bytes.
///
/// # Safety
/// `signature` must be readable and `out` writable for 32 bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_output(signature: *const u8, out: *mut u8) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe { write(out, &bandersnatch::claimed_output(array(signature)?)) }?;
        Ok(JAM_OK)
    })
}

/// Makes the tables that the first verification would otherwise wait for.
#[no_mangle]
pub extern "C" fn jam_vrf_prepare() -> i32 {
    guard(|| {
        bandersnatch::prepare();
        Ok(JAM_OK)
    })
}

/// Writes three counters of the cache of decoded keys: hits, misses, keys kept now.
///
/// # Safety
/// `out` must be writable for three words.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_key_counters(out: *mut u64) -> i32 {
    guard(|| {
        let counters = jamliquor_vrf::key_counters();
        let words = [counters.hits, counters.misses, counters.kept];
        // SAFETY: the caller promises three writable words.
        unsafe { out.cast::<[u64; 3]>().write_unaligned(words) };
        Ok(JAM_OK)
    })
}

/// Verifies `count` VRF signatures and writes their outputs, or the position of the first bad one.
///
/// # Safety
/// `public_keys` must be readable for 32 bytes an item, `signatures` for 96, the lengths for a number
/// an item, `inputs` and `messages` for the sum of theirs; `outputs` must be writable for 32 bytes an
/// item, `first_bad` for one number.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_verify_batch(
    public_keys: *const u8,
    inputs: *const u8,
    input_lengths: *const u32,
    messages: *const u8,
    message_lengths: *const u32,
    signatures: *const u8,
    count: usize,
    outputs: *mut u8,
    first_bad: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (public_keys, inputs, messages, signatures) = unsafe {
            (
                arrays::<32>(public_keys, count)?,
                strings(inputs, input_lengths, count)?,
                strings(messages, message_lengths, count)?,
                arrays::<96>(signatures, count)?,
            )
        };
        let items: Vec<_> = (0..count)
            .map(|index| bandersnatch::Item {
                public: &public_keys[index],
                input: inputs[index],
                aux: messages[index],
                signature: &signatures[index],
            })
            .collect();
        let verdict = bandersnatch::verify_batch(&items);
        // SAFETY: passed on from this function's own contract.
        unsafe { write_outputs(verdict, outputs, first_bad) }
    })
}

/// Makes a Bandersnatch secret key from a seed of `len` bytes, and writes its public key.
///
/// # Safety
/// `seed` must be readable for `len` bytes, `public_key` writable for 32, `secret` for a pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_secret_new(
    seed: *const u8,
    len: usize,
    public_key: *mut u8,
    secret: *mut *mut JamVrfSecret,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let made = bandersnatch::Secret::from_seed(unsafe { bytes(seed, len) }?);
        // SAFETY: as above.
        unsafe { write(public_key, &made.public()) }?;
        // SAFETY: as above.
        unsafe { *secret = Box::into_raw(Box::new(JamVrfSecret(made))) };
        Ok(JAM_OK)
    })
}

/// Wipes and destroys a secret key; null is allowed and does nothing.
///
/// # Safety
/// `secret` must be null or a live key of this library, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_secret_free(secret: *mut JamVrfSecret) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(secret) }
}

/// The output that signatures of this key over a context have.
///
/// # Safety
/// `secret` must be live, `input` readable for `len` bytes, `out` writable for 32.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_secret_output(
    secret: *const JamVrfSecret,
    input: *const u8,
    len: usize,
    out: *mut u8,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe { write(out, &(*secret).0.output(bytes(input, len)?)) }?;
        Ok(JAM_OK)
    })
}

/// Signs a message under a context.
///
/// # Safety
/// `secret` must be live, `input` and `message` readable for their lengths, `signature` writable for
/// 96 bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_vrf_sign(
    secret: *const JamVrfSecret,
    input: *const u8,
    input_len: usize,
    message: *const u8,
    message_len: usize,
    signature: *mut u8,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        unsafe {
            let (input, message) = (bytes(input, input_len)?, bytes(message, message_len)?);
            write(signature, &(*secret).0.sign(input, message))?;
        }
        Ok(JAM_OK)
    })
}

/// The commitment to a ring of `count` keys.
///
/// # Safety
/// `keys` must be readable for 32 bytes a key, `out` writable for 144.
#[no_mangle]
pub unsafe extern "C" fn jam_ring_commitment(keys: *const u8, count: usize, out: *mut u8) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let commitment = ring::commitment(unsafe { arrays(keys, count) }?)
            .ok_or_else(|| Failure::argument("no domain holds so many keys"))?;
        // SAFETY: as above.
        unsafe { write(out, &commitment) }?;
        Ok(JAM_OK)
    })
}

/// Makes the verifier for a commitment to `ring_size` keys; `JAM_BAD_SIGNATURE` when the bytes are no
/// commitment.
///
/// # Safety
/// `commitment` must be readable for 144 bytes, `verifier` writable for a pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_ring_verifier_new(
    commitment: *const u8,
    ring_size: usize,
    verifier: *mut *mut JamRingVerifier,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let Some(made) = ring::Verifier::new(unsafe { array(commitment) }?, ring_size) else {
            return Ok(JAM_BAD_SIGNATURE);
        };
        // SAFETY: as above.
        unsafe { *verifier = Box::into_raw(Box::new(JamRingVerifier(Arc::new(made)))) };
        Ok(JAM_OK)
    })
}

/// Destroys a verifier; null is allowed and does nothing.
///
/// # Safety
/// `verifier` must be null or a live verifier of this library, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_ring_verifier_free(verifier: *mut JamRingVerifier) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(verifier) }
}

/// Verifies `count` ring proofs and writes their outputs, or the position of the first bad one.
///
/// # Safety
/// `verifier` must be live, `proofs` readable for 784 bytes an item, the lengths for a number an item,
/// `inputs` and `messages` for the sum of theirs; `outputs` must be writable for 32 bytes an item,
/// `first_bad` for one number.
#[no_mangle]
pub unsafe extern "C" fn jam_ring_verify_batch(
    verifier: *const JamRingVerifier,
    inputs: *const u8,
    input_lengths: *const u32,
    messages: *const u8,
    message_lengths: *const u32,
    proofs: *const u8,
    count: usize,
    outputs: *mut u8,
    first_bad: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let (verifier, inputs, messages, proofs) = unsafe {
            (
                &(*verifier).0,
                strings(inputs, input_lengths, count)?,
                strings(messages, message_lengths, count)?,
                arrays::<784>(proofs, count)?,
            )
        };
        let items: Vec<_> = (0..count)
            .map(|index| ring::Item {
                input: inputs[index],
                aux: messages[index],
                proof: &proofs[index],
            })
            .collect();
        // SAFETY: passed on from this function's own contract.
        unsafe { write_outputs(verifier.verify(&items), outputs, first_bad) }
    })
}

/// Makes the prover for the key at `index` of a ring of `count` keys.
///
/// # Safety
/// `keys` must be readable for 32 bytes a key, `prover` writable for a pointer.
#[no_mangle]
pub unsafe extern "C" fn jam_ring_prover_new(
    keys: *const u8,
    count: usize,
    index: usize,
    prover: *mut *mut JamRingProver,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let made = ring::Prover::new(unsafe { arrays(keys, count) }?, index)
            .ok_or_else(|| Failure::argument("the ring has no prover for this position"))?;
        // SAFETY: as above.
        unsafe { *prover = Box::into_raw(Box::new(JamRingProver(made))) };
        Ok(JAM_OK)
    })
}

/// Destroys a prover; null is allowed and does nothing.
///
/// # Safety
/// `prover` must be null or a live prover of this library, never used again.
#[no_mangle]
pub unsafe extern "C" fn jam_ring_prover_free(prover: *mut JamRingProver) {
    // SAFETY: passed on from this function's own contract.
    unsafe { free(prover) }
}

/// Makes a ring proof over a message under a context.
///
/// # Safety
/// `prover` and `secret` must be live, `input` and `message` readable for their lengths, `proof`
/// writable for 784 bytes.
#[no_mangle]
pub unsafe extern "C" fn jam_ring_prove(
    prover: *const JamRingProver,
    secret: *const JamVrfSecret,
    input: *const u8,
    input_len: usize,
    message: *const u8,
    message_len: usize,
    proof: *mut u8,
) -> i32 {
    guard(|| {
        // SAFETY: passed on from this function's own contract.
        let made = unsafe {
            let (input, message) = (bytes(input, input_len)?, bytes(message, message_len)?);
            (*prover).0.prove(&(*secret).0, input, message)
        }
        .ok_or_else(|| Failure::argument("the key at the prover's position is another one"))?;
        // SAFETY: as above.
        unsafe { write(proof, &made) }?;
        Ok(JAM_OK)
    })
}
