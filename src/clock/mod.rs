//! Clock evidence: samples as intervals, the verdict algebra, and the gate that every code must pass.
//!
//! Nothing here draws, and nothing here promises that a code will work. Sources measure; `verdict` joins; `gate` decides.

pub mod floor;
pub mod gate;
pub mod http_date;
pub mod kernel;
pub mod now;
pub mod sample;
pub mod timezone;
pub mod verdict;

pub use verdict::{Limits, Verdict};
