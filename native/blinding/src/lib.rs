//! The source of randomness that the ring proof library draws its blinding from.
//!
//! The library asks for the system's randomness, and offers no other way. A proof blinded with what
//! derives from the secret and the whole statement hides as much, needs no good randomness of a board
//! that has just started, and is the same whenever it is made; so this crate stands in the place of
//! the one the library asks, and gives out what [`seeded`] was told to.

use std::cell::RefCell;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, Error, RngCore, SeedableRng};

thread_local! {
    static STREAM: RefCell<Option<ChaCha20Rng>> = const { RefCell::new(None) };
}

/// Ends the stream when a call ends, by a panic too.
struct Ended;

impl Drop for Ended {
    fn drop(&mut self) {
        STREAM.with_borrow_mut(|stream| *stream = None);
    }
}

/// Runs `work`, whose randomness on this thread is the stream of `seed`.
pub fn seeded<T>(seed: [u8; 32], work: impl FnOnce() -> T) -> T {
    STREAM.with_borrow_mut(|stream| *stream = Some(ChaCha20Rng::from_seed(seed)));
    let _ended = Ended;
    work()
}

/// The stream of this thread.
///
/// # Panics
/// It panics when it is drawn from outside of [`seeded`].
pub fn getrandom_or_panic() -> impl RngCore + CryptoRng {
    Stream
}

struct Stream;

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        let mut octets = [0; 4];
        self.fill_bytes(&mut octets);
        u32::from_le_bytes(octets)
    }

    fn next_u64(&mut self) -> u64 {
        let mut octets = [0; 8];
        self.fill_bytes(&mut octets);
        u64::from_le_bytes(octets)
    }

    fn fill_bytes(&mut self, octets: &mut [u8]) {
        STREAM.with_borrow_mut(|stream| {
            let stream = stream
                .as_mut()
                .expect("blinding is drawn where it was seeded");
            stream.fill_bytes(octets);
        });
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(octets);
        Ok(())
    }
}

impl CryptoRng for Stream {}

#[cfg(test)]
mod tests {
    use super::{getrandom_or_panic, seeded};
    use rand_core::RngCore;

    #[test]
    fn the_seed_alone_decides() {
        let draw = || {
            (
                getrandom_or_panic().next_u64(),
                getrandom_or_panic().next_u64(),
            )
        };
        let first = seeded([1; 32], draw);
        assert_eq!(first, seeded([1; 32], draw));
        assert_ne!(first.0, first.1);
        assert_ne!(first, seeded([2; 32], draw));
    }

    #[test]
    #[should_panic(expected = "seeded")]
    fn nothing_is_drawn_elsewhere() {
        seeded([1; 32], || ());
        getrandom_or_panic().next_u32();
    }
}
