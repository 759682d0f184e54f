//! The Polkadot virtual machine of appendix A: an interpreter that a host drives and resumes.
//!
//! A [`Program`] is decoded once into operations of a fixed size. A machine runs one over a
//! guest memory of 4 GiB until it halts, panics, faults, runs out of gas or asks for a host call,
//! and can be run again from there. Guest pages are lazy, counted for all machines of an [`Engine`],
//! and spill to a file above its limit.
//!
//! Nothing a guest does reaches host memory: registers are indexed by operands that decoding
//! bounded, guest addresses are 32 bits wide and checked against a table of page states in
//! software, and the interpreter never recurses.

#[macro_use]
mod instructions;

mod alu;
mod blob;
mod budget;
mod decode;
mod engine;
mod interpreter;
mod machine;
mod memory;
mod opcode;
mod program;
mod stream;

pub use blob::{Blob, InvalidProgram};
pub use budget::{Counters, HostFailure};
pub use engine::{Engine, Limits, PooledMachine};
pub use machine::{Control, ExitReason, RunState, REGISTERS};
pub use memory::{Access, PAGE_SIZE};
pub use program::{Program, MAX_DECODED};
