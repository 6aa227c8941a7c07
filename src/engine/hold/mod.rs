//! Running a command that alone may use a target: its lock on this host, its leases among hosts, the command itself with its
//! signals, and what its output says of its session.

pub mod child;
pub mod lease;
pub mod log;
