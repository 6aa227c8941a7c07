//! Words of the engine room.

catalogue! { "engine"; }
