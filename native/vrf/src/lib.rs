//! Signatures and hashes: Bandersnatch, its ring VRF, Ed25519 by ZIP-215, Keccak.
//!
//! Everything here is a pure function of its arguments, except that making a ring proof draws the
//! blinding of its columns from the operating system. Batches draw their random coefficients from a
//! hash of all they verify, so that a verdict repeats. Secrets live in `*Secret` values, which wipe
//! themselves when dropped.

pub mod bandersnatch;
pub mod ed25519;
pub mod keccak;
pub mod reference;
pub mod ring;

mod committer;
mod curve;
mod endomorphism;
mod hash_to_curve;
mod keys;
mod membership;
mod parallel;
mod products;
mod roots;
mod sums;

pub use keys::{counters as key_counters, KeyCounters};
