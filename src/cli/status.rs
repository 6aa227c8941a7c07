//! status: seam
