//! Words of the clock room.

catalogue! { "clock"; }
