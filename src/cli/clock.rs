//! clock: seam
