//! Words of the pairing room.

catalogue! { "pairing"; }
