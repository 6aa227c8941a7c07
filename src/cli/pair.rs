//! pair: seam
