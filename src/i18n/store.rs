//! Words of the store room.

catalogue! { "store"; }
