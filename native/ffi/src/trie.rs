//! Exports of the state trie.
