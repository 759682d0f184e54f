//! Exports of signatures, ring proofs and hashes.
