//! vault room
