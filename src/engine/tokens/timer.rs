//! Fetches without being asked.
