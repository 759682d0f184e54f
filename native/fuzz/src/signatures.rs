//! Keys, signatures, proofs and commitments of any octets: a verdict, and of a batch the same as of
//! its items.

#![no_main]

use jamliquor_vrf::{bandersnatch, ed25519, ring};
use libfuzzer_sys::fuzz_target;

/// `N` octets from the front, zeroes where there are none.
fn take<const N: usize>(data: &mut &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let size = N.min(data.len());
    out[..size].copy_from_slice(&data[..size]);
    *data = &data[size..];
    out
}

fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    let [kind] = take(&mut rest);
    match kind % 4 {
        0 => {
            let parts: Vec<([u8; 32], [u8; 64])> =
                (0..3).map(|_| (take(&mut rest), take(&mut rest))).collect();
            let items: Vec<_> = parts
                .iter()
                .map(|(public, signature)| ed25519::Item {
                    public,
                    signature,
                    message: rest,
                })
                .collect();
            let first = items.iter().position(|item| !ed25519::verify(item));
            assert_eq!(ed25519::first_bad(&items), first);
        }
        1 => {
            let (public, signature) = (take::<32>(&mut rest), take::<96>(&mut rest));
            let item = bandersnatch::Item {
                public: &public,
                signature: &signature,
                input: rest,
                aux: b"",
            };
            if let Some(output) = bandersnatch::verify(&item) {
                let point = signature.first_chunk().expect("96 octets begin with 32");
                assert_eq!(output, bandersnatch::claimed_output(point));
            }
        }
        2 => {
            let keys: Vec<[u8; 32]> = (0..6).map(|_| take(&mut rest)).collect();
            assert!(ring::commitment(&keys).is_some());
        }
        _ => drop(ring::Verifier::new(&take(&mut rest), 6).is_some()),
    }
});
