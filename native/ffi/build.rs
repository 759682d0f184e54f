//! The library stays loaded until the process ends.
//!
//! Python closes it when it clears its modules, but objects that outlive these (a traceback's, say)
//! still free their handles through it afterwards.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
