//! Words of the evolution room.

catalogue! { "evolution"; }
