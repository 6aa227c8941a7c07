//! Clock evidence: samples as intervals, the verdict algebra, and the gate that every code must pass.
//!
//! Nothing here draws, and nothing here promises that a code will work. Sources measure, all behind [`source::ClockSource`]
//! ([`http_date`], [`sntp`], [`kernel`], [`daemon`], [`floor`]; [`timezone`] beside them); [`verdict`] joins; [`gate`]
//! decides; [`notes`] advises beside it; [`words`] and [`report`] say it to people and to scripts. No source sends anything
//! by itself: `Date` rides on calls that are made anyway, and a time server is asked only if somebody named it.

pub mod causes;
pub mod container;
pub mod daemon;
pub mod figures;
pub mod floor;
pub mod gate;
pub mod headline;
pub mod http_date;
mod judge;
pub mod kernel;
pub mod moved;
pub mod notes;
pub mod now;
pub mod report;
pub mod sample;
pub mod sntp;
pub mod source;
pub mod steps;
pub mod timezone;
pub mod verdict;
pub mod words;
pub mod zones;

#[cfg(test)]
mod gate_ntp_tests;
#[cfg(test)]
mod hostile_tests;

pub use now::{ManualTime, SystemTime, TokioTime};
pub use verdict::{Limits, Verdict};
