//! Words of the command room.

catalogue! { "command"; }
