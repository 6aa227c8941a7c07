//! history: seam
