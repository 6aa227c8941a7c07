//! Words of the deck room.

catalogue! { "deck"; }
