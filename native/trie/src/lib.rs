//! The Merkle trie of appendix D as an immutable value with cheap children.
