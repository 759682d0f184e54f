//! The one door between Python and the native core.
//!
//! Conventions, the same for every exported function:
//!
//! * The result is an `i32`: `JAM_OK`, a positive verdict that the function documents, or a negative
//!   `JAM_ERR_*`. After a negative result `jam_last_error` holds a sentence about it.
//! * Inputs are a pointer and a length, borrowed for the call. A null pointer is allowed only with
//!   length zero. Outputs of a known size are written into the caller's buffer.
//! * Handles are opaque pointers made by a `*_new`-like function and destroyed once by the matching
//!   `*_free`. The Python side owns them and never shares one after freeing it.
//! * A Rust panic never crosses the border: it becomes `JAM_ERR_PANIC`.

mod buffer;
mod checks;
mod db;
mod erasure;
mod foresight;
mod pinned;
mod proof;
mod pvm;
mod snapshot;
mod status;
mod trie;
mod vrf;

pub use buffer::*;
pub use checks::*;
pub use db::*;
pub use erasure::*;
pub use pinned::*;
pub use proof::*;
pub use pvm::*;
pub use snapshot::*;
pub use status::*;
pub use trie::*;
pub use vrf::*;
