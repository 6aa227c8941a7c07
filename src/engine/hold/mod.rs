//! Running a command that alone may use a target: its lock on this host, its leases among hosts, the command itself with its
//! signals, and what its output says of its session.

pub mod child;
pub mod key;
pub mod lease;
pub mod log;

use crate::store::Paths;
use std::path::PathBuf;

/// The lock of the target of that id in this home. Two targets never share a name: everything but letters, digits and `-` is
/// spelt out.
pub fn lock_file(paths: &Paths, id: &str) -> PathBuf {
    let name = id.bytes().fold(String::new(), |mut name, b| {
        match b {
            b if b.is_ascii_alphanumeric() || b == b'-' => name.push(char::from(b)),
            b => name.push_str(&format!("_{b:02x}")),
        }
        name
    });
    paths.locks().join(format!("run-{name}.lock"))
}
