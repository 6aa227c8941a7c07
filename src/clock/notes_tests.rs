//! Advice in both languages, and when it is given.
