//! What the linker is told beyond what cargo tells it.
//!
//! The program file holds tens of thousands of addresses that the loader corrects at each start, because it may be loaded anywhere.
//! Packed they are a few pages instead of a megabyte and more that every `pairdeck token` would read. A C library reads the packed
//! form from 2.36 on, so it is used only where the machine that builds has such a one, and is the kind of machine that is built for.
//! `PAIRDECK_PORTABLE=1` leaves it out: for a program file that is carried to a machine with an older C library.

#![allow(clippy::print_stdout)]

use std::{env, process::Command};

/// The first C library that reads them.
const READS: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PAIRDECK_PORTABLE");
    let var = |name| env::var(name).unwrap_or_default();
    let linux = var("CARGO_CFG_TARGET_OS") == "linux" && var("CARGO_CFG_TARGET_ENV") == "gnu";
    let here = linux && var("HOST") == var("TARGET") && var("PAIRDECK_PORTABLE").is_empty();
    if here && library().is_some_and(|v| v >= READS) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library, as `getconf` says it: `glibc 2.36`.
fn library() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    let digits = minor.split('.').next()?;
    Some((major.parse().ok()?, digits.parse().ok()?))
}
