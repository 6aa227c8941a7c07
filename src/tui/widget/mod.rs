//! Widgets of our own: what the common ones draw in a way that does not scan or cannot be read aloud.

pub mod bigcode;
pub mod qr;
