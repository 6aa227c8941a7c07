//! Tests of the deck as a whole: pictures at fixed sizes, every size down to one cell, and key flows through the loop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arming;
mod asking;
mod bulk;
mod devices;
mod flow;
pub(super) mod hands;
mod hidden;
mod left;
mod locked;
mod pictures;
mod room;
pub(super) mod sample;
mod sizes;
mod token;
