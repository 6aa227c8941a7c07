//! list: seam
