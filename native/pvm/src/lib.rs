//! The Polkadot virtual machine of appendix A.
