//! tui room
