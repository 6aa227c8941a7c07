//! sandbox room
