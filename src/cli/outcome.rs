//! outcome: seam
