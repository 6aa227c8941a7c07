//! doctor: seam
