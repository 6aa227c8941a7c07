//! cli room
